//! A token for the batch host in an answer (reference: api §15).

use darkroom_model::Timestamp;

use crate::json::push_member;

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
