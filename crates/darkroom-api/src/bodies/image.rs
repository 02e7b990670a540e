//! An image in an answer (reference: list-v2 §5).
//!
//! Nothing is parsed to write one: metadata is stored as the JSON text that goes out.

use darkroom_model::{AccountHash, Entry, ImageId, ImageView, VariantName};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};
use serde_json::{Value, json};

use crate::json::{push_key, push_member, push_string};
use crate::schema::Schema;

/// What may stand unencoded in the path of a URL (RFC 3986 §3.3), and the slashes between subpaths.
const PATH: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@')
    .remove(b'/');

/// What the URLs in `variants` are made of.
#[derive(Clone, Copy, Debug)]
pub struct ImageUrls<'a> {
    /// Scheme and host, such as `http://127.0.0.1:3535`, without a slash at the end.
    pub base: &'a str,
    /// The account's name in URLs.
    pub account_hash: &'a AccountHash,
    /// The account's variants, sorted by name: one URL each, in this order.
    pub variants: &'a [VariantName],
}

/// Appends an image.
pub fn write_image(json: &mut Vec<u8>, image: &ImageView<'_>, urls: &ImageUrls<'_>) {
    write_members(json, image, urls);
    json.push(b'}');
}

/// Appends an image or draft, with `draft: true` as long as it is one (reference: api §5).
pub fn write_entry(json: &mut Vec<u8>, entry: &Entry, urls: &ImageUrls<'_>) {
    write_members(json, &entry.view(), urls);
    if matches!(entry, Entry::Draft(_)) {
        json.extend_from_slice(b",\"draft\":true");
    }
    json.push(b'}');
}

fn write_members(json: &mut Vec<u8>, image: &ImageView<'_>, urls: &ImageUrls<'_>) {
    json.push(b'{');
    push_member(json, "id", image.id);
    if let Some(filename) = image.filename {
        json.push(b',');
        push_member(json, "filename", filename);
    }
    if let Some(creator) = image.creator {
        json.push(b',');
        push_member(json, "creator", creator);
    }
    if let Some(metadata_json) = image.metadata_json {
        json.push(b',');
        push_key(json, "meta");
        json.extend_from_slice(metadata_json.as_bytes());
    }
    json.push(b',');
    push_key(json, "requireSignedURLs");
    json.extend_from_slice(if image.require_signed_urls { b"true" } else { b"false" });
    json.push(b',');
    push_member(json, "uploaded", &image.uploaded.to_string());
    json.push(b',');
    write_variants(json, image.id, urls);
}

/// Returns an id as it stands in the path of a URL.
pub(super) fn encoded_id(id: &str) -> PercentEncode<'_> {
    utf8_percent_encode(id, &PATH)
}

fn write_variants(json: &mut Vec<u8>, id: &str, urls: &ImageUrls<'_>) {
    let path = format!("{}/{}/{}", urls.base, urls.account_hash, encoded_id(id));
    push_key(json, "variants");
    json.push(b'[');
    for (index, variant) in urls.variants.iter().enumerate() {
        if index > 0 {
            json.push(b',');
        }
        push_string(json, &format!("{path}/{variant}"));
    }
    json.push(b']');
}

/// Appends the result of a listing: its images, and the token if more follow.
pub fn write_page<'a>(
    json: &mut Vec<u8>,
    images: impl IntoIterator<Item = ImageView<'a>>,
    continuation_token: Option<&str>,
    urls: &ImageUrls<'_>,
) {
    json.push(b'{');
    push_key(json, "continuation_token");
    match continuation_token {
        Some(token) => push_string(json, token),
        None => json.extend_from_slice(b"null"),
    }
    json.push(b',');
    write_images(json, images, urls);
    json.push(b'}');
}

/// Appends the result of a listing whose pages have numbers (reference: api §4).
pub fn write_numbered_page<'a>(
    json: &mut Vec<u8>,
    images: impl IntoIterator<Item = ImageView<'a>>,
    urls: &ImageUrls<'_>,
) {
    json.push(b'{');
    write_images(json, images, urls);
    json.push(b'}');
}

fn write_images<'a>(
    json: &mut Vec<u8>,
    images: impl IntoIterator<Item = ImageView<'a>>,
    urls: &ImageUrls<'_>,
) {
    push_key(json, "images");
    json.push(b'[');
    for (index, image) in images.into_iter().enumerate() {
        if index > 0 {
            json.push(b',');
        }
        write_image(json, &image, urls);
    }
    json.push(b']');
}

/// An image, as it is answered (reference: list-v2 §5).
pub(crate) static IMAGE: Schema = Schema { name: "Image", json: |_| shape() };

/// An image or draft, as its details are answered (reference: api §5).
pub(crate) static ENTRY: Schema = Schema {
    name: "ImageOrDraft",
    json: |_| {
        let mut shape = shape();
        shape["properties"]["draft"] =
            json!({"const": true, "description": "there as long as its file has not arrived"});
        shape
    },
};

/// A page of list v2.
pub(crate) static PAGE: Schema = Schema {
    name: "Page",
    json: |limits| {
        json!({
            "type": "object",
            "required": ["continuation_token", "images"],
            "properties": {
                "continuation_token": {
                    "type": ["string", "null"],
                    "description": "gets the next page; null on the last one",
                },
                "images": {"type": "array", "maxItems": limits.page_max, "items": IMAGE.reference()},
            },
        })
    },
};

/// A page of list v1.
pub(crate) static NUMBERED_PAGE: Schema = Schema {
    name: "NumberedPage",
    json: |limits| {
        json!({
            "type": "object",
            "required": ["images"],
            "properties": {
                "images": {"type": "array", "maxItems": limits.per_page_max, "items": IMAGE.reference()},
            },
        })
    },
};

fn shape() -> Value {
    json!({
        "type": "object",
        "required": ["id", "requireSignedURLs", "uploaded", "variants"],
        "properties": {
            "id": {"type": "string", "minLength": 1, "maxLength": ImageId::CHARS_MAX},
            "filename": {"type": "string"},
            "creator": {"type": "string"},
            "meta": {"type": "object"},
            "requireSignedURLs": {"type": "boolean"},
            "uploaded": {"type": "string", "format": "date-time"},
            "variants": {"type": "array", "items": {"type": "string", "format": "uri"}},
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use darkroom_model::Timestamp;

    fn written(image: &ImageView<'_>, variants: &[&str]) -> String {
        let variants: Vec<VariantName> =
            variants.iter().map(|name| VariantName::parse(name).unwrap()).collect();
        let account_hash = AccountHash::parse("hash").unwrap();
        let urls = ImageUrls { base: "http://host", account_hash: &account_hash, variants: &variants };
        let mut json = Vec::new();
        write_image(&mut json, image, &urls);
        String::from_utf8(json).unwrap()
    }

    fn bare(id: &str) -> ImageView<'_> {
        ImageView {
            id,
            creator: None,
            filename: None,
            metadata_json: None,
            require_signed_urls: false,
            uploaded: Timestamp(0),
        }
    }

    #[test]
    fn what_is_not_set_is_left_out() {
        assert_eq!(
            written(&bare("a"), &[]),
            r#"{"id":"a","requireSignedURLs":false,"uploaded":"1970-01-01T00:00:00.000Z","variants":[]}"#
        );
    }

    #[test]
    fn what_is_set_is_written_and_metadata_copied() {
        let image = ImageView {
            creator: Some("me \"&\" you"),
            filename: Some("cat.png"),
            metadata_json: Some(r#"{"n":5.0,"big":1e2}"#),
            require_signed_urls: true,
            ..bare("cats/tabby")
        };
        assert_eq!(
            written(&image, &["hero", "public"]),
            r#"{"id":"cats/tabby","filename":"cat.png","creator":"me \"&\" you","meta":{"n":5.0,"big":1e2},"requireSignedURLs":true,"uploaded":"1970-01-01T00:00:00.000Z","variants":["http://host/hash/cats/tabby/hero","http://host/hash/cats/tabby/public"]}"#
        );
    }

    #[test]
    fn ids_are_encoded_in_urls_but_for_their_slashes() {
        for (id, path) in [
            ("a/b.png", "a/b.png"),
            ("100%", "100%25"),
            ("a b", "a%20b"),
            ("a?b#c", "a%3Fb%23c"),
            ("é", "%C3%A9"),
            ("a\"\\b", "a%22%5Cb"),
            ("a+b=c,d", "a+b=c,d"),
        ] {
            let json = written(&bare(id), &["public"]);
            assert!(json.contains(&format!("\"http://host/hash/{path}/public\"")), "{json}");
        }
    }

    #[test]
    fn a_page_says_whether_more_follow() {
        let account_hash = AccountHash::parse("hash").unwrap();
        let urls = ImageUrls { base: "http://host", account_hash: &account_hash, variants: &[] };
        let page = |images: &[&str], token| {
            let mut json = Vec::new();
            write_page(&mut json, images.iter().map(|id| bare(id)), token, &urls);
            let page: serde_json::Value = serde_json::from_slice(&json).unwrap();
            let ids = page["images"].as_array().unwrap().iter().map(|image| image["id"].clone()).collect();
            (page["continuation_token"].clone(), serde_json::Value::Array(ids))
        };
        assert_eq!(page(&[], None), (serde_json::Value::Null, serde_json::json!([])));
        assert_eq!(page(&["a", "b"], Some("t")), ("t".into(), serde_json::json!(["a", "b"])));
    }
}
