//! Terms: what postings are looked up by.

use darkroom_model::{MetaFilter, Predicate, Scalar, ScalarRef};

use crate::record::Record;

/// A term: a filterable field with a scalar value, a creator ("not set" included), or being an image at all, as a 128-bit keyed hash of its
/// length-prefixed parts. Two terms with one hash are told apart by the records they lead to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Term(pub(crate) u128);

/// A numeric field, whose values are kept in columns: the keyed hash of its path. Two fields of one hash would hide
/// each other's values; at 128 bits of a key that nobody knows, no account ever has two.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct NumericField(pub(crate) u128);

/// Turns fields and values into terms.
#[derive(Clone)]
pub(crate) struct TermHasher {
    key: [u8; 32],
    /// Bits of a term that count: 128, or fewer where a test wants terms to collide.
    bits: u32,
}

/// What one image is found by.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct ImageTerms {
    pub(crate) terms: Vec<Term>,
    pub(crate) numbers: Vec<(NumericField, darkroom_model::Number)>,
}

impl TermHasher {
    pub(crate) fn new(key: [u8; 32]) -> TermHasher {
        TermHasher { key, bits: 128 }
    }

    /// Returns a hasher whose terms collide often.
    #[cfg(test)]
    pub(crate) fn with_bits(self, bits: u32) -> TermHasher {
        TermHasher { bits, ..self }
    }

    /// Returns the term of a field with a value.
    pub(crate) fn field(&self, path: &str, value: ScalarRef<'_>) -> Term {
        match value {
            ScalarRef::String(text) => self.term(b's', path, text.as_bytes()),
            ScalarRef::Number(number) => self.term(b'n', path, &number.to_bytes()),
            ScalarRef::Boolean(value) => self.term(b'b', path, &[u8::from(value)]),
        }
    }

    /// Returns the term of a creator, or of "not set".
    pub(crate) fn creator(&self, creator: Option<&str>) -> Term {
        match creator {
            Some(creator) => self.term(b'c', "", creator.as_bytes()),
            None => self.term(b'u', "", b""),
        }
    }

    /// Returns the term that every image has: by it images are counted.
    pub(crate) fn everything(&self) -> Term {
        self.term(b'e', "", b"")
    }

    /// Returns the key of a field's columns.
    pub(crate) fn numeric_field(&self, path: &str) -> NumericField {
        NumericField(self.hash(b'f', path, b""))
    }

    /// Returns what an image is found by.
    pub(crate) fn image_terms(&self, record: &Record<'_>) -> ImageTerms {
        let mut terms = vec![self.everything(), self.creator(record.view().creator)];
        let mut numbers = Vec::new();
        for (path, value) in record.fields() {
            terms.push(self.field(path, value));
            if let ScalarRef::Number(number) = value {
                numbers.push((self.numeric_field(path), number));
            }
        }
        terms.sort_unstable();
        terms.dedup();
        ImageTerms { terms, numbers }
    }

    /// Returns the terms whose union a filter asks for; `None` if it asks for a range.
    pub(crate) fn filter_terms(&self, filter: &MetaFilter) -> Option<Vec<Term>> {
        let Predicate::AnyOf(values) = &filter.predicate else { return None };
        let mut terms: Vec<Term> =
            values.iter().map(Scalar::as_ref).map(|value| self.field(filter.path.as_str(), value)).collect();
        terms.sort_unstable();
        terms.dedup();
        Some(terms)
    }

    fn term(&self, kind: u8, path: &str, value: &[u8]) -> Term {
        Term(self.hash(kind, path, value) >> (128 - self.bits))
    }

    fn hash(&self, kind: u8, path: &str, value: &[u8]) -> u128 {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        let lengths = [(path.len() as u64).to_be_bytes(), (value.len() as u64).to_be_bytes()];
        hasher.update(&[kind]).update(&lengths[0]).update(&lengths[1]).update(path.as_bytes()).update(value);
        let mut first_half = [0; 16];
        first_half.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        u128::from_be_bytes(first_half)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use darkroom_model::Number;

    #[test]
    fn field_type_and_value_all_count() {
        let hasher = TermHasher::new([7; 32]);
        let number = |text| ScalarRef::Number(Number::parse(text).unwrap());
        let mut terms = vec![
            hasher.field("a", ScalarRef::String("5")),
            hasher.field("a", number("5")),
            hasher.field("a", number("6")),
            hasher.field("b", number("5")),
            hasher.field("a", ScalarRef::Boolean(true)),
            hasher.field("a", ScalarRef::String("true")),
            hasher.field("as", ScalarRef::String("")),
            hasher.field("a", ScalarRef::String("s")),
            hasher.everything(),
            hasher.creator(None),
            hasher.creator(Some("a")),
            Term(hasher.numeric_field("a").0),
            TermHasher::new([8; 32]).creator(None),
            TermHasher::new([8; 32]).everything(),
        ];
        assert_eq!(hasher.field("a", number("5")), hasher.field("a", number("5.0")));
        let count = terms.len();
        terms.sort();
        terms.dedup();
        assert_eq!(terms.len(), count);
    }
    #[test]
    fn a_term_has_the_bits_that_count() {
        let highest_bit = |hasher: TermHasher| {
            let terms = (0..64).map(|i| hasher.creator(Some(&i.to_string())).0);
            128 - terms.fold(0, |all, term| all | term).leading_zeros()
        };
        let hasher = TermHasher::new([7; 32]);
        assert_eq!(highest_bit(hasher.clone()), 128);
        assert_eq!(highest_bit(hasher.with_bits(5)), 5);
    }
}
