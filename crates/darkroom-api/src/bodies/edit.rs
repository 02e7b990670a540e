//! The body of an edit (reference: api §6).

use darkroom_model::{Creator, Edit, Limits, Metadata};
use serde_json::json;

use crate::bodies::members::Members;
use crate::bodies::upload::metadata_error;
use crate::error_codes::ApiError;
use crate::schema::Schema;

/// Reads the JSON body of an edit. What is not named stays; unknown members are ignored; a member that occurs twice
/// has its last value.
pub fn parse_edit(json: &[u8], limits: &Limits) -> Result<Edit, ApiError> {
    let body = Members::of_body(json)?;
    Ok(Edit {
        metadata: body.text("metadata").map(|text| parse_metadata(text, limits)).transpose()?,
        creator: parse_creator(&body, limits)?,
        require_signed_urls: body.boolean("requireSignedURLs")?,
    })
}

/// `null` empties, as `{}` does.
pub(super) fn parse_metadata(text: &str, limits: &Limits) -> Result<Metadata, ApiError> {
    let text = if text == "null" { "{}" } else { text };
    Metadata::parse(text, limits).map_err(metadata_error)
}

/// `null` clears, as `""` does.
pub(super) fn parse_creator(
    body: &Members<'_>,
    limits: &Limits,
) -> Result<Option<Option<Creator>>, ApiError> {
    let text = match body.text("creator") {
        None => return Ok(None),
        Some("null") => None,
        Some(_) => body.string("creator")?,
    };
    let creator = Creator::parse(&text.unwrap_or_default(), limits);
    creator.map(Some).map_err(|problem| body.error("creator", problem))
}

/// The body of an edit.
pub(crate) static EDIT: Schema = Schema {
    name: "ImageEdit",
    json: |limits| {
        json!({
            "type": "object",
            "properties": {
                "metadata": {"type": ["object", "null"], "description": "replaces the whole; null empties"},
                "creator": {
                    "type": ["string", "null"],
                    "maxLength": limits.creator_chars_max,
                    "description": "empty or null clears",
                },
                "requireSignedURLs": {"type": "boolean"},
            },
        })
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Edit, ApiError> {
        parse_edit(json.as_bytes(), &Limits::default())
    }

    fn refused(json: &str, message: &str, pointer: Option<&str>) {
        let error = parse(json).unwrap_err();
        assert_eq!((error.status, error.code), (400, 5400), "{json}");
        assert_eq!((error.message.as_str(), error.pointer.as_deref()), (message, pointer), "{json}");
    }

    fn creator(json: &str) -> Option<Option<String>> {
        parse(json).unwrap().creator.map(|creator| creator.map(|creator| creator.as_str().to_owned()))
    }

    fn metadata(json: &str) -> Option<String> {
        parse(json).unwrap().metadata.map(|metadata| metadata.as_json().to_owned())
    }

    #[test]
    fn what_is_not_named_stays() {
        for json in ["{}", " { } ", r#"{"unknown":[1,{"x":null}],"id":"new"}"#] {
            assert_eq!(parse(json), Ok(Edit::default()), "{json}");
        }
    }

    #[test]
    fn metadata_is_replaced_as_written() {
        assert_eq!(
            metadata(r#"{"metadata":{ "a": 5.0, "big": 9007199254740993 }}"#).unwrap(),
            r#"{"a":5.0,"big":9007199254740993}"#
        );
        assert_eq!(metadata(r#"{"metadata":{}}"#).unwrap(), "{}");
        assert_eq!(metadata(r#"{"metadata":null}"#).unwrap(), "{}");
    }

    #[test]
    fn a_creator_is_set_or_cleared() {
        assert_eq!(creator(r#"{"creator":"a\u0062"}"#), Some(Some("ab".to_owned())));
        assert_eq!(creator(r#"{"creator":""}"#), Some(None));
        assert_eq!(creator(r#"{"creator":null}"#), Some(None));
    }

    #[test]
    fn privacy_is_a_boolean() {
        assert_eq!(parse(r#"{"requireSignedURLs":true}"#).unwrap().require_signed_urls, Some(true));
        assert_eq!(parse(r#"{"requireSignedURLs": false }"#).unwrap().require_signed_urls, Some(false));
        for value in ["null", "1", "\"true\"", "[]"] {
            refused(
                &format!("{{\"requireSignedURLs\":{value}}}"),
                "Invalid requireSignedURLs: must be a boolean",
                Some("/requireSignedURLs"),
            );
        }
    }

    #[test]
    fn wrong_types_say_where() {
        for value in ["5", "true", "[]", "{}", "\"\\ud800\""] {
            refused(
                &format!("{{\"creator\":{value}}}"),
                "Invalid creator: must be a string",
                Some("/creator"),
            );
        }
        refused(
            &format!("{{\"creator\":\"{}\"}}", "x".repeat(1025)),
            "Invalid creator: maximum 1024 characters allowed",
            Some("/creator"),
        );
        for value in ["5", "\"{}\"", "[]", "{\"a\":1e400}"] {
            refused(
                &format!("{{\"metadata\":{value}}}"),
                "Invalid metadata: must be a JSON object",
                Some("/metadata"),
            );
        }
        refused(
            &format!("{{\"metadata\":{{\"a\":\"{}\"}}}}", "x".repeat(1017)),
            "Metadata must not exceed 1024 bytes",
            Some("/metadata"),
        );
    }

    #[test]
    fn what_is_no_object_is_refused() {
        let nested = format!("{{\"x\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(parse(&nested), Ok(Edit::default()));
        for json in ["", "x", "[]", "null", "5", "{", "{}x", "{\"creator\"}", "file=1"] {
            refused(json, "Invalid request body: must be a JSON object", None);
        }
        assert!(parse_edit(b"{\"creator\":\"\xff\"}", &Limits::default()).is_err());
    }

    #[test]
    fn a_repeated_member_has_its_last_value() {
        assert_eq!(creator(r#"{"creator":"a","creator":"b"}"#), Some(Some("b".to_owned())));
    }
}
