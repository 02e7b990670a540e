//! The answer of `GET /user/tokens/verify` (reference: api §1.2).

use serde_json::json;

use crate::envelope::success_with_message;
use crate::json::push_member;
use crate::schema::Schema;

/// Returns the whole body for a token that is known.
pub fn write_verified(token_id: &str) -> Vec<u8> {
    let mut result = vec![b'{'];
    push_member(&mut result, "id", token_id);
    result.push(b',');
    push_member(&mut result, "status", "active");
    result.push(b'}');
    success_with_message(result, 10000, "This API Token is valid and active")
}

/// The result of the call.
pub(crate) static VERIFIED_TOKEN: Schema = Schema {
    name: "VerifiedToken",
    json: |_| {
        json!({
            "type": "object",
            "required": ["id", "status"],
            "properties": {"id": {"type": "string"}, "status": {"const": "active"}},
        })
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_token_is_active() {
        assert_eq!(
            String::from_utf8(write_verified("ab")).unwrap(),
            r#"{"result":{"id":"ab","status":"active"},"success":true,"errors":[],"messages":[{"code":10000,"message":"This API Token is valid and active"}]}"#
        );
    }
}
