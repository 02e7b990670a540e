//! The image types that uploads may have (reference: api §3.2).

use serde::{Deserialize, Serialize};

/// The type of an original, decided by its bytes and never by what the uploader declared.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum MediaType {
    /// `image/jpeg`
    Jpeg,
    /// `image/png`
    Png,
    /// `image/gif`
    Gif,
    /// `image/webp`
    WebP,
    /// `image/avif`
    Avif,
    /// `image/svg+xml`
    Svg,
}

impl MediaType {
    /// Every type.
    pub const ALL: [MediaType; 6] =
        [MediaType::Jpeg, MediaType::Png, MediaType::Gif, MediaType::WebP, MediaType::Avif, MediaType::Svg];

    /// Returns the value of `Content-Type`.
    pub fn as_str(self) -> &'static str {
        match self {
            MediaType::Jpeg => "image/jpeg",
            MediaType::Png => "image/png",
            MediaType::Gif => "image/gif",
            MediaType::WebP => "image/webp",
            MediaType::Avif => "image/avif",
            MediaType::Svg => "image/svg+xml",
        }
    }

    /// Reads what [`MediaType::as_str`] returns.
    pub fn parse(text: &str) -> Option<MediaType> {
        MediaType::ALL.into_iter().find(|media_type| media_type.as_str() == text)
    }
}
