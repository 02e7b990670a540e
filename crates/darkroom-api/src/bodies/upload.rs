//! The form of an upload (reference: api §3.1 to §3.3).

use bytes::Bytes;
use darkroom_model::image_id::ImageIdError;
use darkroom_model::metadata::MetadataError;
use darkroom_model::{Creator, ImageId, Limits, Metadata, SourceUrl};
use serde_json::{Value, json};

use crate::bodies::metadata_parts::{MetadataParts, part_path};
use crate::error_codes::{ApiError, echo};
use crate::schema::Schema;

/// One part of a `multipart/form-data` body.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FormPart {
    /// Its name.
    pub name: String,
    /// The file name that the client gave, as sent.
    pub filename: Option<String>,
    /// Its content.
    pub content: Bytes,
}

/// An upload, every field judged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UploadForm {
    /// What is uploaded. Whether it is an image is for others to say.
    pub source: UploadSource,
    /// Its name, without folders.
    pub filename: Option<String>,
    /// The id that the uploader chose, if any.
    pub id: Option<ImageId>,
    /// Who made it, if set.
    pub creator: Option<Creator>,
    /// Its metadata, if given.
    pub metadata: Option<Metadata>,
    /// Whether delivery needs a signature.
    pub require_signed_urls: bool,
}

/// Where the file of an upload is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum UploadSource {
    /// Here; not empty.
    File(Bytes),
    /// Where it can be fetched.
    Url(SourceUrl),
}

impl UploadForm {
    /// Reads the parts of a form, in whatever order they came. Unknown parts are ignored.
    pub fn parse(parts: Vec<FormPart>, limits: &Limits) -> Result<UploadForm, ApiError> {
        let Fields { file, url, id, creator, metadata, metadata_parts, require_signed_urls } =
            Fields::collect(parts)?;
        let (source, filename) = match (file, url) {
            (Some(file), None) => {
                let (file, filename) = parse_file(file)?;
                (UploadSource::File(file), filename)
            }
            (None, Some(url)) => parse_url(&url)?,
            _ => return Err(ApiError::invalid("Exactly one of file and url is required", None)),
        };
        Ok(UploadForm {
            id: id.map(|id| parse_id(&id, limits)).transpose()?,
            creator: creator.map_or(Ok(None), |creator| parse_creator(&creator, limits))?,
            metadata: parse_metadata(metadata, &metadata_parts, limits)?,
            require_signed_urls: require_signed_urls.map_or(Ok(false), |flag| parse_flag(&flag))?,
            filename: filename.and_then(|name| stored_filename(&name, limits)),
            source,
        })
    }
}

/// The fields of an image to come, every one judged but its end.
pub(super) struct DraftFields {
    pub(super) id: Option<ImageId>,
    pub(super) creator: Option<Creator>,
    pub(super) metadata: Option<Metadata>,
    pub(super) require_signed_urls: bool,
    pub(super) expiry: Option<String>,
}

impl DraftFields {
    /// Reads the parts of a form, in whatever order they came. A file or its URL has no meaning here.
    pub(super) fn parse(parts: Vec<FormPart>, limits: &Limits) -> Result<DraftFields, ApiError> {
        let (expiries, parts): (Vec<_>, Vec<_>) = parts
            .into_iter()
            .filter(|part| !matches!(part.name.as_str(), "file" | "url"))
            .partition(|part| part.name == "expiry");
        let Fields { id, creator, metadata, metadata_parts, require_signed_urls, .. } =
            Fields::collect(parts)?;
        if expiries.len() > 1 {
            return Err(ApiError::invalid("Duplicate form part: 'expiry'", None));
        }
        Ok(DraftFields {
            id: id.map(|id| parse_id(&id, limits)).transpose()?,
            creator: creator.map_or(Ok(None), |creator| parse_creator(&creator, limits))?,
            metadata: parse_metadata(metadata, &metadata_parts, limits)?,
            require_signed_urls: require_signed_urls.map_or(Ok(false), |flag| parse_flag(&flag))?,
            expiry: expiries.first().map(|part| text_of(part).map(str::to_owned)).transpose()?,
        })
    }
}

/// The parts that have a meaning, each at most once.
#[derive(Default)]
struct Fields {
    file: Option<FormPart>,
    url: Option<FormPart>,
    id: Option<FormPart>,
    creator: Option<FormPart>,
    metadata: Option<FormPart>,
    metadata_parts: MetadataParts,
    require_signed_urls: Option<FormPart>,
}

impl Fields {
    fn collect(parts: Vec<FormPart>) -> Result<Fields, ApiError> {
        let mut fields = Fields::default();
        for part in parts {
            let place = match part.name.as_str() {
                "file" => &mut fields.file,
                "url" => &mut fields.url,
                "id" => &mut fields.id,
                "creator" => &mut fields.creator,
                "metadata" => &mut fields.metadata,
                "requireSignedURLs" => &mut fields.require_signed_urls,
                // What becomes of a bare buffer given to the TypeScript SDK: one part a byte.
                name if name.starts_with("file[") => {
                    return Err(field_error("file", "must be sent as one part with a file name"));
                }
                _ => {
                    fields.take_metadata_part(&part)?;
                    continue;
                }
            };
            if place.is_some() {
                return Err(ApiError::invalid(format!("Duplicate form part: '{}'", part.name), None));
            }
            *place = Some(part);
        }
        Ok(fields)
    }

    fn take_metadata_part(&mut self, part: &FormPart) -> Result<(), ApiError> {
        let Some(path) = part_path(&part.name) else { return Ok(()) };
        let text = text_of(part)?.to_owned();
        let taken = path.and_then(|path| self.metadata_parts.insert(path, text));
        taken.map_err(|problem| field_error("metadata", format!("'{}': {problem}", echo(&part.name))))
    }
}

fn field_error(field: &str, problem: impl std::fmt::Display) -> ApiError {
    ApiError::invalid(format!("Invalid {field}: {problem}"), Some(format!("/{field}")))
}

/// Returns the file, and the name that was sent with it.
pub(super) fn parse_file(part: FormPart) -> Result<(Bytes, Option<String>), ApiError> {
    if part.content.is_empty() {
        return Err(field_error("file", "must not be empty"));
    }
    Ok((part.content, part.filename))
}

fn text_of(part: &FormPart) -> Result<&str, ApiError> {
    std::str::from_utf8(&part.content).map_err(|_| {
        ApiError::invalid(format!("Invalid form part '{}': not valid UTF-8", echo(&part.name)), None)
    })
}

/// Returns the URL, and how its path names the file.
fn parse_url(part: &FormPart) -> Result<(UploadSource, Option<String>), ApiError> {
    let url = SourceUrl::parse(text_of(part)?).map_err(|problem| field_error("url", problem))?;
    let filename = url.last_segment();
    Ok((UploadSource::Url(url), Some(filename)))
}

fn parse_id(part: &FormPart, limits: &Limits) -> Result<ImageId, ApiError> {
    let text =
        std::str::from_utf8(&part.content).map_err(|_| ApiError::invalid_custom_id("Must be valid UTF-8"))?;
    parse_custom_id(text, limits)
}

/// Reads an id that an uploader chose.
pub(super) fn parse_custom_id(text: &str, limits: &Limits) -> Result<ImageId, ApiError> {
    let id = match ImageId::custom(text) {
        Err(ImageIdError::Uuid) if limits.uuid_custom_ids => ImageId::parse(text),
        read => read,
    };
    id.map_err(ApiError::invalid_custom_id)
}

fn parse_creator(part: &FormPart, limits: &Limits) -> Result<Option<Creator>, ApiError> {
    Creator::parse(text_of(part)?, limits).map_err(|problem| field_error("creator", problem))
}

/// Values of the SDK spellings and a JSON text cannot be brought together.
fn parse_metadata(
    json: Option<FormPart>,
    parts: &MetadataParts,
    limits: &Limits,
) -> Result<Option<Metadata>, ApiError> {
    let json = json.filter(|part| !part.content.is_empty());
    let text = match (json, parts.is_empty()) {
        (None, true) => return Ok(None),
        (Some(part), true) => part.content,
        (None, false) => parts.to_json().into(),
        (Some(_), false) => {
            return Err(field_error("metadata", "must be either a JSON object or one part a value"));
        }
    };
    let text = std::str::from_utf8(&text).map_err(|_| metadata_error(MetadataError::NotAnObject))?;
    Metadata::parse(text, limits).map(Some).map_err(metadata_error)
}

/// Returns the error for metadata that cannot be (reference: api §1.7, §3.3).
pub(crate) fn metadata_error(problem: MetadataError) -> ApiError {
    match problem {
        MetadataError::NotAnObject => field_error("metadata", problem),
        MetadataError::TooLong(_) => {
            ApiError::invalid(format!("Metadata {problem}"), Some("/metadata".to_owned()))
        }
    }
}

fn parse_flag(part: &FormPart) -> Result<bool, ApiError> {
    match text_of(part)? {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        other => Err(field_error("requireSignedURLs", format!("'{}'", echo(other)))),
    }
}

/// Returns the last component of a path of either kind, cut to its limit; `None` if nothing is left.
pub(super) fn stored_filename(sent: &str, limits: &Limits) -> Option<String> {
    let name = sent.rsplit(['/', '\\']).next().unwrap_or(sent);
    let name: String = name.chars().take(limits.filename_chars_max).collect();
    (!name.is_empty()).then_some(name)
}

/// The form of an upload.
pub(crate) static FORM: Schema = Schema {
    name: "UploadForm",
    json: |limits| {
        json!({
            "type": "object",
            "oneOf": [{"required": ["file"]}, {"required": ["url"]}],
            "properties": {
                "file": file_shape(),
                "url": {"type": "string", "format": "uri", "description": "where the file is fetched from"},
                "id": id_shape(limits),
                "creator": {"type": "string", "maxLength": limits.creator_chars_max},
                "metadata": {
                    "type": "object",
                    "description": "one part with JSON, or a part for each value: metadata[a][b], metadata.a.b",
                },
                "requireSignedURLs": {"enum": ["true", "false", "1", "0"]},
            },
        })
    },
};

pub(super) fn file_shape() -> Value {
    json!({"type": "string", "format": "binary", "description": "PNG, JPEG, GIF, WebP, AVIF or SVG"})
}

pub(super) fn id_shape(limits: &Limits) -> Value {
    let uuid = if limits.uuid_custom_ids { "" } else { ", and may be no UUID" };
    json!({
        "type": "string",
        "minLength": 1,
        "maxLength": ImageId::CHARS_MAX,
        "description": format!("made if it is not given; of your own, it may have subpaths{uuid}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &str = "8f14e45f-ceea-4e7a-9c1b-2d3a5b6c7d12";

    fn part(name: &str, content: &[u8]) -> FormPart {
        FormPart { name: name.to_owned(), filename: None, content: Bytes::copy_from_slice(content) }
    }

    fn file(name: &str) -> FormPart {
        FormPart { filename: Some(name.to_owned()), ..part("file", b"bytes") }
    }

    /// Parses a file with these other parts.
    fn parse(parts: &[(&str, &str)]) -> Result<UploadForm, ApiError> {
        let others = parts.iter().map(|(name, content)| part(name, content.as_bytes()));
        UploadForm::parse(others.chain([file("cat.png")]).collect(), &Limits::default())
    }

    fn refused(parts: &[(&str, &str)], code: u32, message: &str, pointer: Option<&str>) {
        let error = parse(parts).unwrap_err();
        assert_eq!((error.code, error.message.as_str()), (code, message), "{parts:?}");
        assert_eq!(error.pointer.as_deref(), pointer, "{parts:?}");
    }

    fn metadata(parts: &[(&str, &str)]) -> Option<String> {
        parse(parts).unwrap().metadata.map(|metadata| metadata.as_json().to_owned())
    }

    #[test]
    fn a_file_is_all_that_is_needed() {
        let expected = UploadForm {
            source: UploadSource::File(Bytes::from_static(b"bytes")),
            filename: Some("cat.png".to_owned()),
            id: None,
            creator: None,
            metadata: None,
            require_signed_urls: false,
        };
        assert_eq!(parse(&[]), Ok(expected.clone()));
        assert_eq!(
            parse(&[("creator", ""), ("metadata", ""), ("unknown", "x"), ("files", "y")]),
            Ok(expected)
        );
    }

    #[test]
    fn order_does_not_matter() {
        let mut parts = vec![
            file("cat.png"),
            part("id", b"cats/tabby"),
            part("creator", b"me"),
            part("metadata", br#"{ "a": 5.0 }"#),
            part("requireSignedURLs", b"true"),
        ];
        let form = UploadForm::parse(parts.clone(), &Limits::default()).unwrap();
        assert_eq!(form.id.as_ref().map(ImageId::as_str), Some("cats/tabby"));
        assert_eq!(form.creator.as_ref().map(Creator::as_str), Some("me"));
        assert_eq!(form.metadata.as_ref().map(Metadata::as_json), Some(r#"{"a":5.0}"#));
        assert!(form.require_signed_urls);
        for _ in 0..parts.len() {
            parts.rotate_left(1);
            assert_eq!(UploadForm::parse(parts.clone(), &Limits::default()).as_ref(), Ok(&form));
        }
    }

    #[test]
    fn one_file_and_nothing_else_is_the_image() {
        let parse = |parts: Vec<FormPart>| UploadForm::parse(parts, &Limits::default()).unwrap_err();
        let url = || part("url", b"https://example.com/a.png");
        assert_eq!(parse(vec![]).message, "Exactly one of file and url is required");
        assert_eq!(parse(vec![url(), file("a")]).message, "Exactly one of file and url is required");
        assert_eq!(parse(vec![part("file", b"")]).message, "Invalid file: must not be empty");
        assert_eq!(parse(vec![file("a"), file("b")]).message, "Duplicate form part: 'file'");
    }

    #[test]
    fn a_url_stands_for_a_file_and_names_it() {
        let parse = |url: &str| UploadForm::parse(vec![part("url", url.as_bytes())], &Limits::default());
        for (url, filename) in [
            ("https://example.com/a/my%20cat.png?b=c.png#d", Some("my cat.png")),
            ("https://me:word@example.com/a%2Fb%5Cc.png", Some("c.png")),
            ("https://example.com/a/", None),
            ("https://example.com", None),
        ] {
            let form = parse(url).unwrap();
            assert_eq!(form.filename.as_deref(), filename, "{url}");
            assert_eq!(form.source, UploadSource::Url(SourceUrl::parse(url).unwrap()));
            assert!(!format!("{form:?}").contains("word"));
        }
        let long = parse(&format!("https://example.com/{}", "é".repeat(300))).unwrap();
        assert_eq!(long.filename, Some("é".repeat(255)));
        for (url, problem) in [
            ("", "must be an http or https URL"),
            ("file:///word", "must be an http or https URL"),
            ("http://me:word@127.1/", "its host must be a name in ASCII or an address in its usual notation"),
            ("http://me:word@a:b/", "its port must be a number from 1 to 65535"),
        ] {
            let error = parse(url).unwrap_err();
            assert_eq!(
                (error.status, error.code, error.message),
                (400, 5400, format!("Invalid url: {problem}"))
            );
            assert_eq!(error.pointer.as_deref(), Some("/url"));
        }
    }

    #[test]
    fn a_buffer_in_pieces_is_no_file() {
        refused(
            &[("file[0]", "137")],
            5400,
            "Invalid file: must be sent as one part with a file name",
            Some("/file"),
        );
    }

    #[test]
    fn parts_with_a_meaning_come_once() {
        for name in ["id", "creator", "metadata", "requireSignedURLs"] {
            refused(&[(name, "1"), (name, "1")], 5400, &format!("Duplicate form part: '{name}'"), None);
        }
        assert!(parse(&[("unknown", "1"), ("unknown", "2")]).is_ok());
    }

    #[test]
    fn ids_that_cannot_be_chosen_say_why() {
        for (id, reason) in [
            (UUID, "Must not be UUID"),
            ("a/page.html", "Must not use a non-image file name extension"),
            ("", "Must not be empty"),
            ("../a", "Must not contain the subpath '.' or '..'"),
            ("stats", "Must not be a reserved word"),
            ("a\0", "Must not contain control characters"),
        ] {
            let error = parse(&[("id", id)]).unwrap_err();
            assert_eq!((error.status, error.code), (400, 5411), "{id:?}");
            assert!(error.message.ends_with(&format!("try again: {reason}")), "{}", error.message);
        }
        let limits = Limits { uuid_custom_ids: true, ..Limits::default() };
        let parts = vec![part("id", UUID.to_uppercase().as_bytes()), file("a")];
        assert_eq!(UploadForm::parse(parts, &limits).unwrap().id.unwrap().as_str(), UUID.to_uppercase());
        // Escapes are for URLs; here `%2e` is three characters.
        assert_eq!(parse(&[("id", "%2e%2e")]).unwrap().id.unwrap().as_str(), "%2e%2e");
        let parts = vec![part("id", b"\xff"), file("a")];
        assert_eq!(UploadForm::parse(parts, &Limits::default()).unwrap_err().code, 5411);
    }

    #[test]
    fn creators_have_a_length() {
        let longest = "é".repeat(1024);
        assert_eq!(parse(&[("creator", &longest)]).unwrap().creator.unwrap().as_str(), longest);
        refused(
            &[("creator", &format!("{longest}x"))],
            5400,
            "Invalid creator: maximum 1024 characters allowed",
            Some("/creator"),
        );
    }

    #[test]
    fn flags_are_two_words_or_two_digits() {
        for (text, expected) in [("true", true), ("1", true), ("false", false), ("0", false)] {
            assert_eq!(
                parse(&[("requireSignedURLs", text)]).unwrap().require_signed_urls,
                expected,
                "{text}"
            );
        }
        for text in ["", "True", "yes", "null", "10"] {
            refused(
                &[("requireSignedURLs", text)],
                5400,
                &format!("Invalid requireSignedURLs: '{text}'"),
                Some("/requireSignedURLs"),
            );
        }
    }

    #[test]
    fn metadata_comes_as_json_or_as_parts() {
        assert_eq!(metadata(&[("metadata", r#"{"a":1,"b":[true]}"#)]).unwrap(), r#"{"a":1,"b":[true]}"#);
        assert_eq!(metadata(&[("metadata", "{}")]).unwrap(), "{}");
        assert_eq!(
            metadata(&[("metadata[a]", "1"), ("metadata[b][]", "true")]).unwrap(),
            r#"{"a":"1","b":["true"]}"#
        );
        assert_eq!(metadata(&[("metadata.a", "1"), ("metadata", "")]).unwrap(), r#"{"a":"1"}"#);
        refused(
            &[("metadata", "{}"), ("metadata[a]", "1")],
            5400,
            "Invalid metadata: must be either a JSON object or one part a value",
            Some("/metadata"),
        );
        refused(
            &[("metadata[a]", "1"), ("metadata[a][b]", "1")],
            5400,
            "Invalid metadata: 'metadata[a][b]': given twice, with different types",
            Some("/metadata"),
        );
    }

    #[test]
    fn metadata_that_is_none_is_refused() {
        for text in ["x", "[]", "5", "null", "{", " ", "{\"a\":1e400}", "{\"a\":\"\\ud800\"}"] {
            refused(
                &[("metadata", text)],
                5400,
                "Invalid metadata: must be a JSON object",
                Some("/metadata"),
            );
        }
        let long = |length: usize| "x".repeat(length);
        assert!(parse(&[("metadata", &format!("{{\"a\":\"{}\"}}", long(1016)))]).is_ok());
        assert!(parse(&[("metadata[a]", &long(1016))]).is_ok());
        for parts in [[("metadata", format!("{{\"a\":\"{}\"}}", long(1017)))], [("metadata[a]", long(1017))]]
        {
            let parts = parts.each_ref().map(|(name, text)| (*name, text.as_str()));
            refused(&parts, 5400, "Metadata must not exceed 1024 bytes", Some("/metadata"));
        }
    }

    #[test]
    fn text_is_utf_8() {
        for name in ["creator", "requireSignedURLs", "metadata[a]"] {
            let error =
                UploadForm::parse(vec![part(name, b"\xff"), file("a")], &Limits::default()).unwrap_err();
            assert_eq!(error.message, format!("Invalid form part '{name}': not valid UTF-8"));
        }
        let error =
            UploadForm::parse(vec![part("metadata", b"\xff"), file("a")], &Limits::default()).unwrap_err();
        assert_eq!(error.message, "Invalid metadata: must be a JSON object");
    }

    #[test]
    fn file_names_lose_their_folders() {
        let long = "é".repeat(300);
        for (sent, stored) in [
            ("cat.png", Some("cat.png")),
            ("../../etc/cat.png", Some("cat.png")),
            ("C:\\cats\\cat.png", Some("cat.png")),
            ("cats/", None),
            ("", None),
            (&long, Some(&long[..510])),
        ] {
            let form = UploadForm::parse(vec![file(sent)], &Limits::default()).unwrap();
            assert_eq!(form.filename.as_deref(), stored, "{sent:?}");
        }
        assert_eq!(UploadForm::parse(vec![part("file", b"x")], &Limits::default()).unwrap().filename, None);
    }
}
