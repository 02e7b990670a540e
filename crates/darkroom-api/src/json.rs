//! Writing JSON straight into the bytes of an answer.

/// Appends a string, quoted and escaped.
pub(crate) fn push_string(json: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(json, text).expect("a string is always JSON, and a Vec takes every byte");
}

/// Appends `"key":"text"`. The key needs no escapes.
pub(crate) fn push_member(json: &mut Vec<u8>, key: &str, text: &str) {
    push_key(json, key);
    push_string(json, text);
}

/// Appends `"key":true` or `"key":false`. The key needs no escapes.
pub(crate) fn push_flag(json: &mut Vec<u8>, key: &str, flag: bool) {
    push_key(json, key);
    json.extend_from_slice(if flag { b"true" } else { b"false" });
}

/// Appends a number that is neither infinite nor none: without a point if it is an integer.
pub(crate) fn push_number(json: &mut Vec<u8>, number: f64) {
    let text = match number.fract() == 0.0 && number.abs() < 1e15 {
        true => (number as i64).to_string(),
        false => serde_json::Number::from_f64(number)
            .map_or_else(|| "null".to_owned(), |number| number.to_string()),
    };
    json.extend_from_slice(text.as_bytes());
}

/// Appends `"key":`. The key needs no escapes.
pub(crate) fn push_key(json: &mut Vec<u8>, key: &str) {
    json.push(b'"');
    json.extend_from_slice(key.as_bytes());
    json.extend_from_slice(b"\":");
}
