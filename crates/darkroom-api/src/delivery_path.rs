//! The URLs that images are delivered under, and the errors of their own kind (reference: delivery §1.1, §2).

use darkroom_model::{AccountHash, ImageId};
use percent_encoding::percent_decode_str;

/// A hosted URL's path, taken apart: `/{hash}/{id…}/{variant or options}`, or the same below
/// `/cdn-cgi/imagedelivery`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeliveryPath {
    /// Whose image.
    pub hash: AccountHash,
    /// Which image; `None` if the text between is an id that no image can have. It is then as missing as any other,
    /// which is found out after the hash is known.
    pub image_id: Option<ImageId>,
    /// In which form.
    pub rendering: Rendering,
}

/// The last segment of a path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Rendering {
    /// A variant's name, decoded. It may be no legal name, and then no account has it.
    Variant(String),
    /// A list of options, as sent: options are split before they are decoded.
    Options(String),
}

impl DeliveryPath {
    /// Takes apart the raw path of a URL.
    pub fn parse(raw_path: &str) -> Result<DeliveryPath, DeliveryError> {
        let hosted = match raw_path.strip_prefix("/cdn-cgi/") {
            Some(own) if own.starts_with("image/") => {
                return Err(DeliveryError::not_implemented("transformation of remote images"));
            }
            Some(own) => own.strip_prefix("imagedelivery/"),
            None => raw_path.strip_prefix('/'),
        };
        let hosted = hosted.ok_or_else(DeliveryError::not_found)?;
        if hosted.split('/').any(str::is_empty) {
            return Err(DeliveryError::not_found());
        }
        let (hash, rest) = hosted.split_once('/').ok_or_else(DeliveryError::not_found)?;
        let (image_id, last) = rest.rsplit_once('/').ok_or_else(DeliveryError::not_found)?;
        let (hash, image_id, variant) = (decode(hash)?, decode(image_id)?, decode(last)?);
        let rendering = match last.contains('=') {
            true => Rendering::Options(last.to_owned()),
            false => Rendering::Variant(variant),
        };
        let hash = AccountHash::parse(&hash).map_err(|_| DeliveryError::unknown_account())?;
        let image_id = ImageId::parse(&image_id).ok();
        Ok(DeliveryPath { hash, image_id, rendering })
    }
}

/// Decodes once; unlike in a query, a `%` that begins no escape is an error.
fn decode(raw: &str) -> Result<String, DeliveryError> {
    let is_hex = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
    let bytes = raw.as_bytes();
    let stray = (0..bytes.len())
        .any(|at| bytes[at] == b'%' && !(is_hex(bytes.get(at + 1)) && is_hex(bytes.get(at + 2))));
    if stray {
        return Err(DeliveryError::invalid_text());
    }
    match percent_decode_str(raw).decode_utf8() {
        Ok(text) => Ok(text.into_owned()),
        Err(_) => Err(DeliveryError::invalid_text()),
    }
}

/// Why an image is not delivered. Written as plain text, its code also in the header `cf-images`.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("ERROR {code}: {message}")]
pub struct DeliveryError {
    /// HTTP status.
    pub status: u16,
    /// Code in the body and in the header.
    pub code: u32,
    /// Text after the code.
    pub message: String,
}

impl DeliveryError {
    fn new(status: u16, code: u32, message: impl Into<String>) -> DeliveryError {
        DeliveryError { status, code, message: message.into() }
    }

    /// 404: the path is no image's.
    pub fn not_found() -> DeliveryError {
        DeliveryError::new(404, 9431, "Not found")
    }

    /// 403: the path cannot be decoded.
    pub fn invalid_text() -> DeliveryError {
        DeliveryError::new(403, 9426, "The URL of imagedelivery.net has invalid text part")
    }

    /// 403: no account has this hash.
    pub fn unknown_account() -> DeliveryError {
        DeliveryError::new(403, 9427, "Image access denied with incorrect account id")
    }

    /// 404: the account has no such image.
    pub fn image_missing() -> DeliveryError {
        DeliveryError::new(
            404,
            9404,
            "Could not fetch the image — the server returned HTTP error 404 Not Found",
        )
    }

    /// 403: the account has no such variant.
    pub fn unknown_variant() -> DeliveryError {
        DeliveryError::denied("This account doesn't have variant with this name")
    }

    /// 400: the list of options asks for nothing, or for what there is not.
    pub fn invalid_options(reason: impl std::fmt::Display) -> DeliveryError {
        DeliveryError::new(400, 9401, format!("Missing or invalid resizing parameters: {reason}"))
    }

    /// 403: the account allows no option lists.
    pub fn options_not_enabled() -> DeliveryError {
        DeliveryError::new(403, 9429, "Flexible variants are not enabled for the account")
    }

    /// 403: a private image has no option lists.
    pub fn options_on_private_image() -> DeliveryError {
        DeliveryError::denied("Flexible variants can not be used for private images")
    }

    /// 403: the image is private and the URL is not signed.
    pub fn signature_missing() -> DeliveryError {
        DeliveryError::denied("check failed: The URL signature is missing")
    }

    /// 403: the image is private and the URL's signature is not one of the account's.
    pub fn signature_mismatch() -> DeliveryError {
        DeliveryError::denied(
            "check failed: Malformed data found: The URL signature does not match. Expecting SHA-256 HMAC of the path without domain nor query string",
        )
    }

    /// 403: the image is private and the URL's signature counts no more.
    pub fn signature_expired() -> DeliveryError {
        DeliveryError::denied("check failed: The URL signature has expired")
    }

    fn denied(reason: &str) -> DeliveryError {
        DeliveryError::new(403, 9425, format!("Image access denied: {reason}"))
    }

    /// 405: images are only read.
    pub fn method_not_allowed() -> DeliveryError {
        DeliveryError::new(405, 5405, "Method not allowed")
    }

    /// 500: a fault of the server.
    pub fn internal() -> DeliveryError {
        DeliveryError::new(500, 9523, "Could not resize the image: internal error while processing the image")
    }

    /// 501: documented, but not built yet.
    pub fn not_implemented(what: &str) -> DeliveryError {
        DeliveryError::new(501, 5501, format!("Not implemented: {what}"))
    }

    /// 503: the server starts, stops, or has too much to do.
    pub fn unavailable() -> DeliveryError {
        DeliveryError::new(503, 9522, "The service in this colo is too busy")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(raw_path: &str, id: &str, rendering: Rendering) {
        for prefix in ["", "/cdn-cgi/imagedelivery"] {
            let path = format!("{prefix}/Vi7wi5KSItxGFsWRG2Us6Q/{raw_path}");
            let found = DeliveryPath::parse(&path).unwrap();
            assert_eq!(found.hash.as_str(), "Vi7wi5KSItxGFsWRG2Us6Q");
            let found_id = found.image_id.as_ref().map(ImageId::as_str);
            assert_eq!((found_id, found.rendering), (Some(id), rendering.clone()), "{path}");
        }
    }

    fn variant(name: &str) -> Rendering {
        Rendering::Variant(name.to_owned())
    }

    fn options(text: &str) -> Rendering {
        Rendering::Options(text.to_owned())
    }

    #[test]
    fn what_lies_between_hash_and_rendering_is_the_id() {
        check("a/public", "a", variant("public"));
        check("a/b/c.png/public", "a/b/c.png", variant("public"));
        check("100%25/w=50", "100%", options("w=50"));
        check("a%2Fb/public", "a/b", variant("public"));
        check("na%C3%AFve/pub%6Cic", "naïve", variant("public"));
        check("naïve/public", "naïve", variant("public"));
        check("%252e/public", "%2e", variant("public"));
        check("a+b/public", "a+b", variant("public"));
    }

    #[test]
    fn options_are_left_as_sent() {
        check("a/w=50,background=%23ff0000", "a", options("w=50,background=%23ff0000"));
        check("a/w%3D50", "a", variant("w=50"));
        check("a=b/public", "a=b", variant("public"));
    }

    fn refused(raw_path: &str, error: DeliveryError) {
        assert_eq!(DeliveryPath::parse(raw_path), Err(error), "{raw_path}");
    }

    #[test]
    fn other_paths_are_not_found() {
        for path in [
            "",
            "/",
            "hash/a/public",
            "/hash",
            "/hash/a",
            "/hash/a/",
            "//a/public",
            "/hash//public",
            "/hash/a//public",
            "/hash/a/public/",
            "/cdn-cgi/other/hash/a/public",
            "/cdn-cgi/imagedelivery",
            "/cdn-cgi/imagedelivery/",
            "/cdn-cgi/imagedelivery/hash/a",
        ] {
            refused(path, DeliveryError::not_found());
        }
    }

    #[test]
    fn text_that_cannot_be_decoded_is_refused() {
        for path in [
            "/hash/%/public",
            "/hash/a%2/public",
            "/hash/%zz/public",
            "/hash/%FF/public",
            "/%C3/a/public",
            "/hash/a/%E2%82",
            "/hash/a/w=%",
            "/hash/100%/public",
            "/hash/%é/public",
        ] {
            refused(path, DeliveryError::invalid_text());
        }
    }

    #[test]
    fn names_that_nobody_has_are_missing() {
        refused("/ha%20sh/a/public", DeliveryError::unknown_account());
        refused("/ha.sh/a/public", DeliveryError::unknown_account());
        refused(
            "/cdn-cgi/image/w=50/a.png",
            DeliveryError::not_implemented("transformation of remote images"),
        );
    }

    #[test]
    fn an_id_that_no_image_can_have_is_not_judged_before_the_hash() {
        for path in ["/hash/../public", "/hash/%2e%2e/public", "/hash/a%2F/public", "/hash/a%00b/public"] {
            let found = DeliveryPath::parse(path).unwrap();
            assert_eq!((found.hash.as_str(), found.image_id), ("hash", None), "{path}");
        }
    }

    #[test]
    fn errors_are_plain_text() {
        assert_eq!(
            DeliveryError::unknown_variant().to_string(),
            "ERROR 9425: Image access denied: This account doesn't have variant with this name"
        );
    }
}
