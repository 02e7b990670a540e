//! Variants: named ways to deliver an image (reference: api §10).

use std::fmt;

/// The name of a variant: 1 to 99 letters, digits, `_` or `-`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct VariantName(Box<str>);

impl VariantName {
    /// The variant that every account has.
    pub fn public() -> VariantName {
        VariantName("public".into())
    }

    /// Reads a name; `None` if it is none.
    pub fn parse(text: &str) -> Option<VariantName> {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        ((1..=99).contains(&text.len()) && text.bytes().all(legal)).then(|| VariantName(text.into()))
    }

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
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
