//! A token for the batch host in an answer (reference: api §15).

use darkroom_model::Timestamp;
use serde_json::json;

use crate::json::push_member;
use crate::schema::Schema;

/// Returns the result of the call. Its end is written with nine digits after the point, as the original does.
pub fn write_batch_token(secret: &str, expires_at: Timestamp) -> Vec<u8> {
    let expires_at = expires_at.to_string().replace('Z', "000000Z");
    let mut json = vec![b'{'];
    push_member(&mut json, "token", secret);
    json.push(b',');
    push_member(&mut json, "expiresAt", &expires_at);
    json.push(b'}');
    json
}

/// The result of the call.
pub(crate) static BATCH_TOKEN: Schema = Schema {
    name: "BatchToken",
    json: |_| {
        json!({
            "type": "object",
            "required": ["token", "expiresAt"],
            "properties": {
                "token": {"type": "string"},
                "expiresAt": {"type": "string", "format": "date-time"},
            },
        })
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_end_has_nine_digits_after_the_point() {
        assert_eq!(
            String::from_utf8(write_batch_token("s", Timestamp(1_500))).unwrap(),
            r#"{"token":"s","expiresAt":"1970-01-01T00:00:01.500000000Z"}"#
        );
    }
}
