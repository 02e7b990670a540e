//! The envelope around every JSON answer (reference: api §1.3).

use serde_json::json;

use crate::error_codes::{ApiError, ErrorName};
use crate::json::{push_key, push_member};
use crate::schema::Schema;

/// Returns the body of a success, around a result that is already JSON.
pub fn success(result_json: impl AsRef<[u8]>) -> Vec<u8> {
    wrap_success(result_json.as_ref(), b"[]")
}

/// Returns the body of a success that also says something.
pub fn success_with_message(result_json: impl AsRef<[u8]>, code: u32, message: &str) -> Vec<u8> {
    let mut messages = Vec::new();
    messages.extend_from_slice(format!("[{{\"code\":{code},").as_bytes());
    push_member(&mut messages, "message", message);
    messages.extend_from_slice(b"}]");
    wrap_success(result_json.as_ref(), &messages)
}

/// Returns the body of a success whose result is one page of several: `result_info` says which.
pub fn success_with_info(result_json: impl AsRef<[u8]>, result_info_json: impl AsRef<[u8]>) -> Vec<u8> {
    let mut json = success(result_json);
    // The closing brace comes last.
    json.pop();
    json.push(b',');
    push_key(&mut json, "result_info");
    json.extend_from_slice(result_info_json.as_ref());
    json.push(b'}');
    json
}

fn wrap_success(result_json: &[u8], messages_json: &[u8]) -> Vec<u8> {
    let mut json = Vec::with_capacity(result_json.len() + messages_json.len() + 64);
    json.extend_from_slice(b"{\"result\":");
    json.extend_from_slice(result_json);
    json.extend_from_slice(b",\"success\":true,\"errors\":[],\"messages\":");
    json.extend_from_slice(messages_json);
    json.push(b'}');
    json
}

/// Returns the body of a failure.
pub fn failure(error: &ApiError) -> Vec<u8> {
    let mut json = Vec::new();
    json.extend_from_slice(b"{\"result\":null,\"success\":false,\"errors\":[");
    write_error(&mut json, error);
    json.extend_from_slice(b"],\"messages\":[]}");
    json
}

fn write_error(json: &mut Vec<u8>, error: &ApiError) {
    // One code is a text, on the batch host (reference: errors §1).
    let quote = if error.code == ErrorName::ForbiddenEndpoint.row().code { "\"" } else { "" };
    json.extend_from_slice(format!("{{\"code\":{quote}{}{quote},", error.code).as_bytes());
    push_member(json, "message", &error.message);
    if let Some(url) = error.documentation_url {
        json.push(b',');
        push_member(json, "documentation_url", url);
    }
    if let Some(pointer) = &error.pointer {
        json.push(b',');
        push_key(json, "source");
        json.push(b'{');
        push_member(json, "pointer", pointer);
        json.push(b'}');
    }
    if !error.error_chain.is_empty() {
        json.push(b',');
        write_error_chain(json, &error.error_chain);
    }
    json.push(b'}');
}

fn write_error_chain(json: &mut Vec<u8>, chain: &[(u32, &str)]) {
    push_key(json, "error_chain");
    json.push(b'[');
    for (index, (code, message)) in chain.iter().enumerate() {
        let comma = if index > 0 { "," } else { "" };
        json.extend_from_slice(format!("{comma}{{\"code\":{code},").as_bytes());
        push_member(json, "message", message);
        json.push(b'}');
    }
    json.push(b']');
}

/// The body of a failure.
pub(crate) static FAILURE: Schema = Schema {
    name: "Failure",
    json: |_| {
        let item = json!({
            "type": "object",
            "required": ["code", "message"],
            "properties": {
                "code": {"anyOf": [{"type": "integer"}, {"const": ErrorName::ForbiddenEndpoint.row().code.to_string()}]},
                "message": {"type": "string"},
                "documentation_url": {"type": "string", "format": "uri"},
                "source": {
                    "type": "object",
                    "required": ["pointer"],
                    "properties": {"pointer": {"type": "string", "format": "json-pointer"}},
                },
                "error_chain": {"type": "array", "items": {"type": "object", "required": ["code", "message"]}},
            },
        });
        json!({
            "type": "object",
            "required": ["result", "success", "errors", "messages"],
            "properties": {
                "result": {"type": "null"},
                "success": {"const": false},
                "errors": {"type": "array", "minItems": 1, "items": item},
                "messages": {"type": "array", "maxItems": 0},
            },
        })
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: Vec<u8>, expected: &str) {
        let body = String::from_utf8(body).unwrap();
        assert_eq!(body, expected);
        assert!(serde_json::from_str::<serde_json::Value>(&body).is_ok());
    }

    #[test]
    fn results_are_wrapped_as_they_are() {
        check(success("{}"), r#"{"result":{},"success":true,"errors":[],"messages":[]}"#);
        check(
            success_with_message("{}", 10000, "a \"b\""),
            r#"{"result":{},"success":true,"errors":[],"messages":[{"code":10000,"message":"a \"b\""}]}"#,
        );
    }

    #[test]
    fn a_page_of_several_says_which() {
        check(
            success_with_info("{}", "{\"page\":1}"),
            r#"{"result":{},"success":true,"errors":[],"messages":[],"result_info":{"page":1}}"#,
        );
    }

    #[test]
    fn the_code_of_the_batch_host_is_a_text() {
        check(
            failure(&ApiError::forbidden_endpoint()),
            r#"{"result":null,"success":false,"errors":[{"code":"103","message":"forbidden endpoint"}],"messages":[]}"#,
        );
    }

    #[test]
    fn a_failure_says_what_and_where() {
        check(
            failure(&ApiError::image_not_found()),
            r#"{"result":null,"success":false,"errors":[{"code":5404,"message":"Image not found"}],"messages":[]}"#,
        );
        let error = ApiError {
            documentation_url: Some("https://example.com/"),
            ..ApiError::invalid("'\u{1}'", Some("/query/a\"b".into()))
        };
        check(
            failure(&error),
            r#"{"result":null,"success":false,"errors":[{"code":5400,"message":"'\u0001'","documentation_url":"https://example.com/","source":{"pointer":"/query/a\"b"}}],"messages":[]}"#,
        );
        check(
            failure(&ApiError::malformed_authorization()),
            r#"{"result":null,"success":false,"errors":[{"code":6003,"message":"Invalid request headers","error_chain":[{"code":6111,"message":"Invalid format for Authorization header"}]}],"messages":[]}"#,
        );
    }
}
