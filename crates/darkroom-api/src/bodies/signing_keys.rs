//! Signing keys in answers (reference: api §11).

use darkroom_model::{SigningKeyName, SigningKeyValue};
use serde_json::json;

use crate::json::{push_key, push_member};
use crate::schema::{Schema, word};

/// Returns the result of every call on keys: all of them, with their values.
pub fn write_keys<'a>(keys: impl Iterator<Item = (&'a SigningKeyName, &'a SigningKeyValue)>) -> Vec<u8> {
    let mut json = vec![b'{'];
    push_key(&mut json, "keys");
    json.push(b'[');
    for (index, (name, value)) in keys.enumerate() {
        json.extend_from_slice(if index > 0 { b",{" } else { b"{" });
        push_member(&mut json, "name", name.as_str());
        json.push(b',');
        push_member(&mut json, "value", value.expose());
        json.push(b'}');
    }
    json.extend_from_slice(b"]}");
    json
}

/// The result of every call on keys.
pub(crate) static KEYS: Schema = Schema {
    name: "SigningKeys",
    json: |_| {
        json!({
            "type": "object",
            "required": ["keys"],
            "properties": {
                "keys": {
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "type": "object",
                        "required": ["name", "value"],
                        "properties": {
                            "name": word(SigningKeyName::CHARS_MAX),
                            "value": {"type": "string", "description": "signs as it is, not decoded"},
                        },
                    },
                },
            },
        })
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_written_as_they_are() {
        let (name, value) = (SigningKeyName::default_key(), SigningKeyValue::from_stored("a/b+\"="));
        assert_eq!(
            String::from_utf8(write_keys([(&name, &value)].into_iter())).unwrap(),
            r#"{"keys":[{"name":"default","value":"a/b+\"="}]}"#
        );
    }
}
