//! How closely a server keeps to the limits that the original documents.

use std::time::Duration;

use crate::Limits;

/// How closely a server keeps to the limits that the original documents.
///
/// It decides one thing: what a limit is if the operator says nothing about it. So nobody who judges a request asks for
/// the mode; they read their limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Compatibility {
    /// What Cloudflare documents as refused is refused: what passes here passes there.
    #[default]
    Strict,
    /// Limits that cost a server of one's own little are wider.
    Extended,
}

impl Compatibility {
    /// Reads what [`Compatibility::as_str`] returns; `None` if it is no mode.
    pub fn parse(text: &str) -> Option<Compatibility> {
        [Compatibility::Strict, Compatibility::Extended].into_iter().find(|mode| mode.as_str() == text)
    }

    /// Returns the name of the mode in settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Compatibility::Strict => "strict",
            Compatibility::Extended => "extended",
        }
    }

    /// Returns the limits that hold in this mode unless the operator sets them.
    pub fn limits(self) -> Limits {
        match self {
            Compatibility::Strict => Limits::default(),
            Compatibility::Extended => EXTENDED,
        }
    }
}

/// Wider than documented, and no wider than all layers below bear:
///
/// - 20 filters of 50 values are 2,000 lookups in every segment, since a bare value is text or number: measured at 2.4 µs
///   each, most of a second for ten million images, which is how long a page may hold its transaction.
/// - 200 variants, since each is a URL in every image of a page: 1,000 images then have 20 MB of URLs. A thousand
///   variants would be 100 MB for each list in progress.
/// - 100 MiB a file, so that uploads need twice the memory in all, of which slow origins may hold the same share as in
///   strict mode: 3 fetches of 100 MiB.
/// - 16 KiB of metadata, which as one part a value, the way that SDKs send it, are up to 4,096 parts.
const EXTENDED: Limits = Limits {
    filters_max: 20,
    list_values_max: 50,
    metadata_bytes_max: 16 << 10,
    file_bytes_max: 100 << 20,
    parts_max: 4_096,
    fetches_max: 3,
    upload_memory_bytes_max: 512 << 20,
    private_custom_ids: true,
    uuid_custom_ids: true,
    variants_max: 200,
    draft_life_min: Duration::from_secs(1),
    draft_life_max: Duration::from_secs(30 * 24 * 60 * 60),
    ..Limits::STRICT
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_is_read_as_it_is_written() {
        for mode in [Compatibility::Strict, Compatibility::Extended] {
            assert_eq!(Compatibility::parse(mode.as_str()), Some(mode));
        }
        for text in ["", "Strict", "lax"] {
            assert_eq!(Compatibility::parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_strict_accepts_extended_accepts() {
        let (strict, extended) = (Compatibility::Strict.limits(), Compatibility::Extended.limits());
        assert!(strict.filters_max < extended.filters_max);
        assert!(strict.list_values_max < extended.list_values_max);
        assert!(strict.metadata_bytes_max < extended.metadata_bytes_max);
        assert!(strict.file_bytes_max < extended.file_bytes_max);
        assert!(strict.parts_max < extended.parts_max);
        assert!(strict.variants_max < extended.variants_max);
        assert!(extended.draft_life_min < strict.draft_life_min);
        assert!(strict.draft_life_max < extended.draft_life_max);
    }
}
