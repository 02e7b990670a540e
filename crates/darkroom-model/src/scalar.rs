//! What a filter can name (a field path) and what it can find there (a scalar value).

use std::fmt;

use crate::Number;

/// A filterable field path: one to five names of letters, digits and underscores, joined by dots, at most 100
/// characters in all (reference: list-v2 §2.1, §2.2). Metadata under any other name is stored but not filterable.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FieldPath(Box<str>);

/// Why a text is no [`FieldPath`], in the order in which the problems are reported.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FieldPathError {
    /// More names than [`FieldPath::LEVELS_MAX`]; how many there were.
    TooDeep(usize),
    /// More characters than [`FieldPath::CHARS_MAX`]; how many there were.
    TooLong(usize),
    /// A name that is empty or holds another character than a letter, a digit or an underscore.
    BadName,
}

impl FieldPath {
    /// Most names in a path.
    pub const LEVELS_MAX: usize = 5;
    /// Most characters in a path, dots included.
    pub const CHARS_MAX: usize = 100;

    /// Reads a dotted path.
    pub fn parse(text: &str) -> Result<FieldPath, FieldPathError> {
        let levels = text.split('.').count();
        if levels > Self::LEVELS_MAX {
            return Err(FieldPathError::TooDeep(levels));
        }
        let chars = text.chars().count();
        if chars > Self::CHARS_MAX {
            return Err(FieldPathError::TooLong(chars));
        }
        if !text.split('.').all(is_name) {
            return Err(FieldPathError::BadName);
        }
        Ok(FieldPath(text.into()))
    }

    /// Returns the dotted path.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the names, outermost first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.split('.')
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Says whether a key can be one name of a field path.
pub(crate) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// A value that a filter can match: a string, a number or a boolean; never null, an array or an object.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Scalar {
    /// Compared by code point: no case folding, no normalisation.
    String(Box<str>),
    /// Compared by exact value.
    Number(Number),
    /// `true` or `false`.
    Boolean(bool),
}

/// A borrowed [`Scalar`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ScalarRef<'a> {
    /// See [`Scalar::String`].
    String(&'a str),
    /// See [`Scalar::Number`].
    Number(Number),
    /// See [`Scalar::Boolean`].
    Boolean(bool),
}

impl Scalar {
    /// Borrows the value.
    pub fn as_ref(&self) -> ScalarRef<'_> {
        match self {
            Scalar::String(text) => ScalarRef::String(text),
            Scalar::Number(number) => ScalarRef::Number(*number),
            Scalar::Boolean(value) => ScalarRef::Boolean(*value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_at_most_five_names() {
        let path = FieldPath::parse("first.second.third.fourth.fifth").unwrap();
        assert_eq!(path.as_str(), "first.second.third.fourth.fifth");
        assert_eq!(path.names().count(), 5);
        assert_eq!(FieldPath::parse("a.b.c.d.e.f"), Err(FieldPathError::TooDeep(6)));
    }

    #[test]
    fn a_path_has_at_most_100_characters() {
        assert!(FieldPath::parse(&"a".repeat(100)).is_ok());
        assert_eq!(FieldPath::parse(&"a".repeat(101)), Err(FieldPathError::TooLong(101)));
    }

    #[test]
    fn names_are_letters_digits_and_underscores() {
        for text in ["", "a..b", ".a", "a.", "first-name", "a b", "naïve", "a[b", "<field>"] {
            assert_eq!(FieldPath::parse(text), Err(FieldPathError::BadName), "{text:?}");
        }
        for text in ["a", "A_1", "0", "_", "a.b"] {
            assert!(FieldPath::parse(text).is_ok(), "{text:?}");
        }
    }
}
