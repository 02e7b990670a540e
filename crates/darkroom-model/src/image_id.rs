//! Image ids (reference: api §1.6).

use std::fmt;

/// The id of an image: a lower-case UUID that the service made, or a custom id that the uploader chose.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ImageId(Box<str>);

/// Why a text is no image id; the text of the reason as the API gives it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ImageIdError {
    /// No character at all.
    #[error("Must not be empty")]
    Empty,
    /// More than [`ImageId::CHARS_MAX`] characters or [`ImageId::BYTES_MAX`] bytes.
    #[error("Must not be longer than 1024 characters")]
    TooLong,
    /// A slash at the beginning or the end.
    #[error("Must not start or end with a slash")]
    OuterSlash,
    /// Two slashes in a row.
    #[error("Must not contain an empty subpath")]
    EmptySegment,
    /// `.` or `..` as a subpath.
    #[error("Must not contain the subpath '.' or '..'")]
    DotSegment,
    /// U+0000 or another control character.
    #[error("Must not contain control characters")]
    ControlCharacter,
    /// Only generated ids are UUIDs.
    #[error("Must not be UUID")]
    Uuid,
    /// A word that is an endpoint of the API.
    #[error("Must not be a reserved word")]
    Reserved,
    /// An extension such as `.html` or `.pdf`.
    #[error("Must not use a non-image file name extension")]
    Extension,
}

const RESERVED: [&str; 6] = ["stats", "keys", "variants", "config", "batch_token", "direct_upload"];

const NON_IMAGE_EXTENSIONS: [&str; 15] = [
    "html", "htm", "js", "mjs", "css", "json", "xml", "txt", "pdf", "zip", "mp4", "webm", "mp3", "woff",
    "woff2",
];

impl ImageId {
    /// Most characters (Unicode scalar values) of an id.
    pub const CHARS_MAX: usize = 1024;
    /// Most bytes of an id in UTF-8.
    pub const BYTES_MAX: usize = 4096;

    /// Reads an id that an image may have, generated or custom.
    pub fn parse(text: &str) -> Result<ImageId, ImageIdError> {
        if text.is_empty() {
            return Err(ImageIdError::Empty);
        }
        if text.len() > Self::BYTES_MAX || text.chars().count() > Self::CHARS_MAX {
            return Err(ImageIdError::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(ImageIdError::ControlCharacter);
        }
        if text.starts_with('/') || text.ends_with('/') {
            return Err(ImageIdError::OuterSlash);
        }
        for segment in text.split('/') {
            match segment {
                "" => return Err(ImageIdError::EmptySegment),
                "." | ".." => return Err(ImageIdError::DotSegment),
                _ => {}
            }
        }
        if RESERVED.contains(&text) {
            return Err(ImageIdError::Reserved);
        }
        Ok(ImageId(text.into()))
    }

    /// Reads an id that an uploader may choose.
    pub fn custom(text: &str) -> Result<ImageId, ImageIdError> {
        let id = ImageId::parse(text)?;
        if is_uuid(text) {
            return Err(ImageIdError::Uuid);
        }
        let name = text.rsplit('/').next().unwrap_or(text);
        if let Some((_, extension)) = name.rsplit_once('.')
            && NON_IMAGE_EXTENSIONS.iter().any(|refused| extension.eq_ignore_ascii_case(refused))
        {
            return Err(ImageIdError::Extension);
        }
        Ok(id)
    }

    /// Makes a generated id (a version 4 UUID) from random bytes.
    pub fn generated(mut random: [u8; 16]) -> ImageId {
        random[6] = random[6] & 0x0f | 0x40;
        random[8] = random[8] & 0x3f | 0x80;
        let hex: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        ImageId([&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-").into())
    }

    /// Says whether an uploader chose the id. An image with a custom id cannot be private.
    pub fn is_custom(&self) -> bool {
        !is_uuid(&self.0)
    }

    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ImageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn custom_ids_are_paths_of_any_characters() {
        for text in [
            "a",
            "cats/tabby",
            "a/b/c.png",
            "100%",
            "naïve café",
            "user.123",
            "a b",
            "...",
            "a/..b",
            "logo.PNG",
        ] {
            assert!(ImageId::custom(text).is_ok(), "{text:?}");
        }
    }

    #[test]
    fn what_cannot_be_an_id_says_why() {
        for (text, reason) in [
            ("", ImageIdError::Empty),
            ("/a", ImageIdError::OuterSlash),
            ("a/", ImageIdError::OuterSlash),
            ("a//b", ImageIdError::EmptySegment),
            ("..", ImageIdError::DotSegment),
            ("a/../b", ImageIdError::DotSegment),
            ("a/.", ImageIdError::DotSegment),
            ("a\0b", ImageIdError::ControlCharacter),
            ("a\nb", ImageIdError::ControlCharacter),
            ("a\u{85}b", ImageIdError::ControlCharacter),
            ("stats", ImageIdError::Reserved),
            ("8f14e45f-ceea-4e7a-9c1b-2d3a5b6c7d12", ImageIdError::Uuid),
            ("8F14E45F-CEEA-4E7A-9C1B-2D3A5B6C7D12", ImageIdError::Uuid),
            ("a/page.html", ImageIdError::Extension),
            ("page.PDF", ImageIdError::Extension),
        ] {
            assert_eq!(ImageId::custom(text), Err(reason), "{text:?}");
        }
    }

    #[test]
    fn length_is_counted_in_characters_and_in_bytes() {
        assert!(ImageId::custom(&"é".repeat(1024)).is_ok());
        assert!(ImageId::custom(&"𝄞".repeat(1024)).is_ok());
        assert_eq!(ImageId::custom(&"a".repeat(1025)), Err(ImageIdError::TooLong));
    }

    #[test]
    fn generated_ids_are_version_4_uuids() {
        let id = ImageId::generated([0xff; 16]);
        assert_eq!(id.as_str(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert!(!id.is_custom());
        assert!(ImageId::parse(id.as_str()).is_ok());
        assert!(ImageId::custom("tabby").unwrap().is_custom());
    }
}
