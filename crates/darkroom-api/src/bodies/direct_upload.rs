//! Direct creator uploads: what asks for a one-time URL, what answers with it, and what is sent to it
//! (reference: api §13, §14).

use bytes::Bytes;
use darkroom_model::{AccountHash, Creator, ImageId, Limits, Metadata, Timestamp};
use serde_json::json;

use crate::bodies::edit;
use crate::bodies::image::encoded_id;
use crate::bodies::members::Members;
use crate::bodies::upload::{self, DraftFields, FormPart, parse_custom_id, parse_file, stored_filename};
use crate::error_codes::{ApiError, in_words};
use crate::json::push_member;
use crate::schema::Schema;

/// A one-time URL that is asked for, every field judged but for how far ahead its end is.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DirectUpload {
    /// The id that the application chose, if any.
    pub id: Option<ImageId>,
    /// Who will have made the image, if set.
    pub creator: Option<Creator>,
    /// Its metadata, if given.
    pub metadata: Option<Metadata>,
    /// Whether delivery will need a signature.
    pub require_signed_urls: bool,
    /// Until when the file may arrive, if said.
    pub expires_at: Option<Timestamp>,
}

impl DirectUpload {
    /// Reads the parts of a form, in whatever order they came; it may have none. Unknown parts are ignored.
    pub fn parse_form(parts: Vec<FormPart>, limits: &Limits) -> Result<DirectUpload, ApiError> {
        let DraftFields { id, creator, metadata, require_signed_urls, expiry } =
            DraftFields::parse(parts, limits)?;
        let expires_at = expiry.as_deref().filter(|text| !text.is_empty()).map(parse_expiry).transpose()?;
        Ok(DirectUpload { id, creator, metadata, require_signed_urls, expires_at })
    }

    /// Reads any other body: a JSON object, whatever its type is said to be, or nothing. A member that is `null` is not
    /// given; unknown members are ignored; a member that occurs twice has its last value.
    pub fn parse_json(json: &[u8], limits: &Limits) -> Result<DirectUpload, ApiError> {
        if json.trim_ascii().is_empty() {
            return Ok(DirectUpload::default());
        }
        let body = Members::of_body(json)?.without_nulls();
        let id = body.string("id")?;
        let expiry = body.string("expiry")?;
        Ok(DirectUpload {
            id: id.map(|id| parse_custom_id(&id, limits)).transpose()?,
            creator: edit::parse_creator(&body, limits)?.flatten(),
            metadata: body.text("metadata").map(|text| edit::parse_metadata(text, limits)).transpose()?,
            require_signed_urls: body.boolean("requireSignedURLs")?.unwrap_or(false),
            expires_at: expiry.as_deref().map(parse_expiry).transpose()?,
        })
    }
}

fn parse_expiry(text: &str) -> Result<Timestamp, ApiError> {
    let message = "Invalid expiry: must be a date and time as in RFC 3339";
    Timestamp::parse_rfc3339(text).ok_or_else(|| ApiError::invalid(message, Some("/expiry".to_owned())))
}

/// Appends the answer: the reserved id, and where its file goes. `base` is scheme and host, without a slash at the end.
pub fn write_direct_upload(json: &mut Vec<u8>, id: &ImageId, base: &str, account_hash: &AccountHash) {
    let url = format!("{base}/upload/{account_hash}/{}", encoded_id(id.as_str()));
    json.push(b'{');
    push_member(json, "id", id.as_str());
    json.push(b',');
    push_member(json, "uploadURL", &url);
    json.push(b'}');
}

/// The form that is sent to a one-time URL.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DirectUploadForm {
    /// The file; not empty. Whether it is an image is for others to say.
    pub file: Bytes,
    /// Its name, without folders.
    pub filename: Option<String>,
}

impl DirectUploadForm {
    /// Reads the parts of a form. What is not the file is ignored: whoever uploads decides nothing else.
    pub fn parse(parts: Vec<FormPart>, limits: &Limits) -> Result<DirectUploadForm, ApiError> {
        let mut files = parts.into_iter().filter(|part| part.name == "file");
        let file = match (files.next(), files.next()) {
            (Some(file), None) => file,
            (Some(_), Some(_)) => return Err(ApiError::invalid("Duplicate form part: 'file'", None)),
            (None, _) => return Err(ApiError::invalid("Missing file", None)),
        };
        let (file, filename) = parse_file(file)?;
        Ok(DirectUploadForm { file, filename: filename.and_then(|name| stored_filename(&name, limits)) })
    }
}

/// What asks for a one-time URL, as a form or as JSON.
pub(crate) static DRAFT: Schema = Schema {
    name: "DirectUpload",
    json: |limits| {
        let (min, max) = (in_words(limits.draft_life_min), in_words(limits.draft_life_max));
        json!({
            "type": "object",
            "properties": {
                "id": upload::id_shape(limits),
                "creator": {"type": "string", "maxLength": limits.creator_chars_max},
                "metadata": {"type": "object"},
                "requireSignedURLs": {"type": "boolean"},
                "expiry": {
                    "type": "string",
                    "format": "date-time",
                    "description": format!("until when the file may arrive: {min} to {max} from now"),
                },
            },
        })
    },
};

/// The answer with a one-time URL.
pub(crate) static UPLOAD_URL: Schema = Schema {
    name: "UploadURL",
    json: |_| {
        json!({
            "type": "object",
            "required": ["id", "uploadURL"],
            "properties": {
                "id": {"type": "string"},
                "uploadURL": {"type": "string", "format": "uri"},
            },
        })
    },
};

/// The form that is sent to a one-time URL.
pub(crate) static FILE_FORM: Schema = Schema {
    name: "FileForm",
    json: |_| {
        json!({
            "type": "object",
            "required": ["file"],
            "properties": {"file": upload::file_shape()},
        })
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    fn part(name: &str, content: &str) -> FormPart {
        FormPart { name: name.into(), filename: None, content: Bytes::copy_from_slice(content.as_bytes()) }
    }

    fn of_form(parts: &[(&str, &str)]) -> Result<DirectUpload, ApiError> {
        let parts = parts.iter().map(|(name, content)| part(name, content)).collect();
        DirectUpload::parse_form(parts, &Limits::default())
    }

    fn of_json(json: &str) -> Result<DirectUpload, ApiError> {
        DirectUpload::parse_json(json.as_bytes(), &Limits::default())
    }

    #[track_caller]
    fn refused(result: Result<DirectUpload, ApiError>, code: u32, message: &str, pointer: Option<&str>) {
        let error = result.unwrap_err();
        assert_eq!((error.status, error.code), (400, code));
        assert_eq!((error.message.as_str(), error.pointer.as_deref()), (message, pointer));
    }

    #[test]
    fn nothing_need_be_said() {
        for json in ["", " \r\n", "{}", r#"{"unknown":[1],"id":null,"creator":null,"expiry":null}"#] {
            assert_eq!(of_json(json), Ok(DirectUpload::default()), "{json:?}");
        }
        for parts in [&[][..], &[("unknown", "x"), ("creator", ""), ("metadata", ""), ("expiry", "")]] {
            assert_eq!(of_form(parts), Ok(DirectUpload::default()), "{parts:?}");
        }
    }

    #[test]
    fn both_kinds_of_body_say_the_same() {
        let limits = Limits::default();
        let expected = DirectUpload {
            id: Some(ImageId::custom("a/b").unwrap()),
            creator: Creator::parse("me", &limits).unwrap(),
            metadata: Metadata::parse(r#"{"a":5.0}"#, &limits).ok(),
            require_signed_urls: true,
            expires_at: Timestamp::parse("2026-01-01T00:00:00.000Z"),
        };
        assert_eq!(
            of_json(
                r#" {"id":"a/b","creator":"me","metadata":{ "a": 5.0 },"requireSignedURLs":true,"expiry":"2026-01-01T01:00:00+01:00"}"#
            ),
            Ok(expected.clone())
        );
        let parts = [
            ("expiry", "2026-01-01T00:00:00Z"),
            ("requireSignedURLs", "true"),
            ("metadata", r#"{"a":5.0}"#),
            ("creator", "me"),
            ("id", "a/b"),
        ];
        assert_eq!(of_form(&parts), Ok(expected));
        let spelled = of_form(&[("metadata[a]", "1")]).unwrap();
        assert_eq!(spelled.metadata.unwrap().as_json(), r#"{"a":"1"}"#);
    }

    #[test]
    fn what_cannot_be_says_where() {
        let message = "Invalid expiry: must be a date and time as in RFC 3339";
        for expiry in ["soon", "2026-01-01", "2026-01-01T00:00:00", "1767225600"] {
            refused(of_form(&[("expiry", expiry)]), 5400, message, Some("/expiry"));
            refused(of_json(&format!("{{\"expiry\":\"{expiry}\"}}")), 5400, message, Some("/expiry"));
        }
        refused(of_json(r#"{"expiry":5}"#), 5400, "Invalid expiry: must be a string", Some("/expiry"));
        refused(of_json(r#"{"id":5}"#), 5400, "Invalid id: must be a string", Some("/id"));
        refused(of_json(r#"{"creator":5}"#), 5400, "Invalid creator: must be a string", Some("/creator"));
        let message = "Invalid requireSignedURLs: must be a boolean";
        refused(of_json(r#"{"requireSignedURLs":"true"}"#), 5400, message, Some("/requireSignedURLs"));
        let message = "Invalid metadata: must be a JSON object";
        refused(of_json(r#"{"metadata":"{}"}"#), 5400, message, Some("/metadata"));
        refused(of_form(&[("metadata", "5")]), 5400, message, Some("/metadata"));
        refused(of_form(&[("id", "a"), ("id", "b")]), 5400, "Duplicate form part: 'id'", None);
        let message = "Invalid request body: must be a JSON object";
        for json in ["[]", "expiry=2026", "null", "{", "{}{}"] {
            refused(of_json(json), 5400, message, None);
        }
        for id in ["", "/a", "stats", "8f14e45f-ceea-4e7a-9c1b-2d3a5b6c7d12"] {
            assert_eq!(of_form(&[("id", id)]).unwrap_err().code, 5411, "{id}");
            assert_eq!(of_json(&format!("{{\"id\":\"{id}\"}}")).unwrap_err().code, 5411, "{id}");
        }
    }

    #[test]
    fn the_url_encodes_what_a_path_cannot_have() {
        let hash = AccountHash::parse("hash").unwrap();
        for (id, path) in [("a/b.png", "a/b.png"), ("100% é?", "100%25%20%C3%A9%3F")] {
            let mut json = Vec::new();
            write_direct_upload(&mut json, &ImageId::parse(id).unwrap(), "http://host", &hash);
            let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
            let url = format!("http://host/upload/hash/{path}");
            assert_eq!(json, serde_json::json!({"id": id, "uploadURL": url}));
        }
    }

    #[test]
    fn only_the_file_counts_at_the_url() {
        let file = || FormPart { filename: Some("C:\\a.png".into()), ..part("file", "bytes") };
        let parse = |parts| DirectUploadForm::parse(parts, &Limits::default());
        let form = parse(vec![part("id", "other"), file(), part("creator", "other")]).unwrap();
        assert_eq!((form.filename.as_deref(), &form.file[..]), (Some("a.png"), &b"bytes"[..]));
        let message = |parts| parse(parts).unwrap_err().message;
        assert_eq!(message(vec![]), "Missing file");
        assert_eq!(message(vec![part("url", "https://example.com/a.png")]), "Missing file");
        assert_eq!(message(vec![file(), file()]), "Duplicate form part: 'file'");
        assert_eq!(message(vec![part("file", "")]), "Invalid file: must not be empty");
    }
}
