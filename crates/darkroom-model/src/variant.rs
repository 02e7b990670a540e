//! Variants: named ways to deliver an image (reference: api §10).

use std::fmt;

use serde::{Deserialize, Serialize};

/// The name of a variant: 1 to 99 letters, digits, `_` or `-`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct VariantName(Box<str>);

impl VariantName {
    /// Longest name, in characters.
    pub const CHARS_MAX: usize = 99;

    /// The variant that every account has.
    pub fn public() -> VariantName {
        VariantName("public".into())
    }

    /// Reads a name; `None` if it is none.
    pub fn parse(text: &str) -> Option<VariantName> {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        ((1..=VariantName::CHARS_MAX).contains(&text.len()) && text.bytes().all(legal))
            .then(|| VariantName(text.into()))
    }

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A named way to deliver images (reference: api §10.1).
#[derive(Clone, PartialEq, Debug)]
pub struct Variant {
    /// Its name, which URLs end with.
    pub name: VariantName,
    /// How images are delivered.
    pub options: VariantOptions,
    /// Whether it needs no signature even for private images.
    pub never_require_signed_urls: bool,
}

/// A change of a variant.
#[derive(Clone, PartialEq, Debug)]
pub struct VariantEdit {
    /// The new options; they replace the old ones as a whole.
    pub options: VariantOptions,
    /// Whether it needs no signature; `None` leaves it.
    pub never_require_signed_urls: Option<bool>,
}

/// The options of a variant, exactly those that were given (reference: api §10.1).
#[derive(Clone, PartialEq, Debug, Default)]
pub struct VariantOptions {
    /// How the image is fitted into width and height.
    pub fit: Option<Fit>,
    /// Width in pixels, 1 to [`VariantOptions::SIDE_MAX`].
    pub width: Option<u32>,
    /// Height in pixels, 1 to [`VariantOptions::SIDE_MAX`].
    pub height: Option<u32>,
    /// Which metadata of the file is kept.
    pub metadata: Option<KeptMetadata>,
    /// Radius of a blur, 0 to 250.
    pub blur: Option<f64>,
    /// How long browsers keep it, in seconds; see [`crate::AccountConfig::BROWSER_TTL`].
    pub browser_ttl: Option<u32>,
}

impl VariantOptions {
    /// Largest width and height.
    pub const SIDE_MAX: u32 = 12_000;
    /// Largest radius of a blur.
    pub const BLUR_MAX: f64 = 250.0;
}

/// How an image is fitted into a size (reference: delivery §6).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are those of the wire")]
pub enum Fit {
    ScaleDown,
    ScaleUp,
    Contain,
    Cover,
    Crop,
    AspectCrop,
    Pad,
    Squeeze,
}

impl Fit {
    /// Every way.
    pub const ALL: [Fit; 8] = [
        Fit::ScaleDown,
        Fit::ScaleUp,
        Fit::Contain,
        Fit::Cover,
        Fit::Crop,
        Fit::AspectCrop,
        Fit::Pad,
        Fit::Squeeze,
    ];

    /// Returns the name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Fit::ScaleDown => "scale-down",
            Fit::ScaleUp => "scale-up",
            Fit::Contain => "contain",
            Fit::Cover => "cover",
            Fit::Crop => "crop",
            Fit::AspectCrop => "aspect-crop",
            Fit::Pad => "pad",
            Fit::Squeeze => "squeeze",
        }
    }

    /// Reads what [`Fit::as_str`] returns.
    pub fn parse(text: &str) -> Option<Fit> {
        Fit::ALL.into_iter().find(|fit| fit.as_str() == text)
    }
}

/// Which metadata of a file is kept (reference: api §10.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are those of the wire")]
pub enum KeptMetadata {
    Keep,
    Copyright,
    None,
}

impl KeptMetadata {
    /// Every choice.
    pub const ALL: [KeptMetadata; 3] = [KeptMetadata::Keep, KeptMetadata::Copyright, KeptMetadata::None];

    /// Returns the name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            KeptMetadata::Keep => "keep",
            KeptMetadata::Copyright => "copyright",
            KeptMetadata::None => "none",
        }
    }

    /// Reads what [`KeptMetadata::as_str`] returns.
    pub fn parse(text: &str) -> Option<KeptMetadata> {
        KeptMetadata::ALL.into_iter().find(|kept| kept.as_str() == text)
    }
}

impl Variant {
    /// The variant that every account has, as it is made (reference: api §10.1).
    pub fn public() -> Variant {
        let options = VariantOptions {
            fit: Some(Fit::ScaleDown),
            width: Some(1366),
            height: Some(768),
            metadata: Some(KeptMetadata::None),
            ..VariantOptions::default()
        };
        Variant { name: VariantName::public(), options, never_require_signed_urls: false }
    }
}

impl fmt::Display for VariantName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_be_taken_for_options_or_a_path() {
        for text in ["", "a=b", "a,b", "a/b", "a%20", "é", &"a".repeat(100)] {
            assert_eq!(VariantName::parse(text), None, "{text:?}");
        }
        assert_eq!(VariantName::parse("public"), Some(VariantName::public()));
    }
}
