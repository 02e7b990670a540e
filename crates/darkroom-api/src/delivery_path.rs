//! The URLs that images are delivered under (reference: delivery §1.1).

use darkroom_model::{AccountHash, ImageId};
use percent_encoding::percent_decode_str;

use crate::delivery_error::DeliveryError;

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
        refused("/cdn-cgi/image/w=50/a.png", DeliveryError::not_found());
    }

    #[test]
    fn an_id_that_no_image_can_have_is_not_judged_before_the_hash() {
        for path in ["/hash/../public", "/hash/%2e%2e/public", "/hash/a%2F/public", "/hash/a%00b/public"] {
            let found = DeliveryPath::parse(path).unwrap();
            assert_eq!((found.hash.as_str(), found.image_id), ("hash", None), "{path}");
        }
    }
}
