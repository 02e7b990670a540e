//! Usage of an account in an answer (reference: api §9).

use serde_json::json;

use crate::schema::Schema;

/// How many images an account may have as long as no limit is configured.
const ALLOWED: u64 = 100_000;

/// Returns the result of the call: how many images there are, and how many there may be.
pub fn write_stats(images: u64) -> Vec<u8> {
    format!("{{\"count\":{{\"current\":{images},\"allowed\":{ALLOWED}}}}}").into_bytes()
}

/// The result of the call.
pub(crate) static STATS: Schema = Schema {
    name: "Stats",
    json: |_| {
        let number = json!({"type": "integer", "minimum": 0});
        json!({
            "type": "object",
            "required": ["count"],
            "properties": {
                "count": {
                    "type": "object",
                    "required": ["current", "allowed"],
                    "properties": {"current": number, "allowed": number},
                },
            },
        })
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_there_is_stands_beside_what_there_may_be() {
        assert_eq!(write_stats(7), br#"{"count":{"current":7,"allowed":100000}}"#);
    }
}
