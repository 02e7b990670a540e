//! What a filter means (reference: list-v2 §2.3 to §2.5, §4).

use crate::scalar::{FieldPath, Scalar, ScalarRef};
use crate::{Creator, Metadata, Number};

/// One metadata filter: a field and what its value must be.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct MetaFilter {
    /// Where to look.
    pub path: FieldPath,
    /// What must be there.
    pub predicate: Predicate,
}

/// What a value must be.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Predicate {
    /// Equal to one of these, in type and value. Bare `eq` and `in` name every type that their text can be read as.
    AnyOf(Vec<Scalar>),
    /// A number greater than this.
    Greater(Number),
    /// A number greater than or equal to this.
    GreaterOrEqual(Number),
    /// A number less than this.
    Less(Number),
    /// A number less than or equal to this.
    LessOrEqual(Number),
}

impl MetaFilter {
    /// Says whether an image with this metadata passes. A missing field, null, an array and an object never do.
    pub fn matches(&self, metadata: &Metadata) -> bool {
        metadata.get(&self.path).is_some_and(|value| self.predicate.matches(value))
    }
}

impl Predicate {
    /// Says whether a value passes. Stored values are never coerced: the string `"5"` is not the number 5.
    pub fn matches(&self, value: ScalarRef<'_>) -> bool {
        let number = |passes: &dyn Fn(Number) -> bool| match value {
            ScalarRef::Number(number) => passes(number),
            ScalarRef::String(_) | ScalarRef::Boolean(_) => false,
        };
        match self {
            Predicate::AnyOf(candidates) => candidates.iter().any(|candidate| candidate.as_ref() == value),
            Predicate::Greater(bound) => number(&|number| number > *bound),
            Predicate::GreaterOrEqual(bound) => number(&|number| number >= *bound),
            Predicate::Less(bound) => number(&|number| number < *bound),
            Predicate::LessOrEqual(bound) => number(&|number| number <= *bound),
        }
    }
}

/// Which images of an account a listing asks for: all that pass every part.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Filters {
    /// `None`: any creator or none. `Some(None)`: images whose creator is not set.
    pub creator: Option<Option<Creator>>,
    /// All of these must match.
    pub meta: Vec<MetaFilter>,
}

impl Filters {
    /// Says whether an image with this creator and metadata passes every part.
    pub fn matches(&self, creator: Option<&Creator>, metadata: Option<&Metadata>) -> bool {
        let creator_passes = self.creator.as_ref().is_none_or(|wanted| wanted.as_ref() == creator);
        creator_passes
            && self.meta.iter().all(|filter| metadata.is_some_and(|metadata| filter.matches(metadata)))
    }

    /// Returns a digest that is equal for equal questions, whatever the order in which they were written.
    pub fn digest(&self) -> [u8; 32] {
        let mut parts: Vec<Vec<u8>> = self.meta.iter().map(canonical_bytes).collect();
        parts.sort();
        parts.dedup();
        let mut hasher = blake3::Hasher::new_derive_key("darkroom listing filters v1");
        match &self.creator {
            None => hasher.update(&[0]),
            Some(None) => hasher.update(&[1]),
            Some(Some(creator)) => {
                hasher.update(&[2]).update(&(creator.as_str().len() as u64).to_be_bytes());
                hasher.update(creator.as_str().as_bytes())
            }
        };
        for part in parts {
            hasher.update(&(part.len() as u64).to_be_bytes()).update(&part);
        }
        *hasher.finalize().as_bytes()
    }
}

/// Writes a filter so that two filters have the same bytes exactly when they ask the same.
fn canonical_bytes(filter: &MetaFilter) -> Vec<u8> {
    let mut bytes = filter.path.as_str().as_bytes().to_vec();
    bytes.push(0);
    match &filter.predicate {
        Predicate::AnyOf(candidates) => {
            let mut candidates: Vec<&Scalar> = candidates.iter().collect();
            candidates.sort();
            candidates.dedup();
            bytes.push(b'=');
            for candidate in candidates {
                match candidate {
                    Scalar::String(text) => {
                        bytes.push(b's');
                        bytes.extend((text.len() as u64).to_be_bytes());
                        bytes.extend(text.as_bytes());
                    }
                    Scalar::Number(number) => {
                        bytes.push(b'n');
                        bytes.extend(number.to_bytes());
                    }
                    Scalar::Boolean(value) => bytes.extend([b'b', u8::from(*value)]),
                }
            }
        }
        Predicate::Greater(bound) => push_bound(&mut bytes, b'>', *bound),
        Predicate::GreaterOrEqual(bound) => push_bound(&mut bytes, b'g', *bound),
        Predicate::Less(bound) => push_bound(&mut bytes, b'<', *bound),
        Predicate::LessOrEqual(bound) => push_bound(&mut bytes, b'l', *bound),
    }
    bytes
}

fn push_bound(bytes: &mut Vec<u8>, operator: u8, bound: Number) {
    bytes.push(operator);
    bytes.extend(bound.to_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;

    fn filter(path: &str, predicate: Predicate) -> MetaFilter {
        MetaFilter { path: FieldPath::parse(path).unwrap(), predicate }
    }

    fn text(value: &str) -> Scalar {
        Scalar::String(value.into())
    }

    fn number(value: &str) -> Number {
        Number::parse(value).unwrap()
    }

    fn matches(json: &str, filter: &MetaFilter) -> bool {
        filter.matches(&Metadata::parse(json, &Limits::default()).unwrap())
    }

    #[test]
    fn types_are_never_mixed() {
        let five = filter("a", Predicate::AnyOf(vec![Scalar::Number(number("5"))]));
        assert!(matches(r#"{"a":5.0}"#, &five));
        assert!(!matches(r#"{"a":"5"}"#, &five));
        let truth = filter("a", Predicate::AnyOf(vec![Scalar::Boolean(true)]));
        assert!(matches(r#"{"a":true}"#, &truth));
        assert!(!matches(r#"{"a":"true"}"#, &truth));
        assert!(!matches(r#"{"a":null}"#, &truth));
    }

    #[test]
    fn ranges_are_numeric_and_their_ends_as_named() {
        let five = number("5");
        for (name, predicate, expected) in [
            ("gt", Predicate::Greater(five), [false, false, true]),
            ("gte", Predicate::GreaterOrEqual(five), [false, true, true]),
            ("lt", Predicate::Less(five), [true, false, false]),
            ("lte", Predicate::LessOrEqual(five), [true, true, false]),
        ] {
            let filter = filter("a", predicate);
            let found = ["4", "5", "6"].map(|value| matches(&format!(r#"{{"a":{value}}}"#), &filter));
            assert_eq!(found, expected, "{name}");
            assert!(!matches(r#"{"a":"5"}"#, &filter), "{name}");
        }
    }

    #[test]
    fn creator_not_set_is_a_filter_of_its_own() {
        let creator = Creator::parse("user123", &Limits::default()).unwrap();
        let unset = Filters { creator: Some(None), meta: vec![] };
        assert!(unset.matches(None, None));
        assert!(!unset.matches(creator.as_ref(), None));
        let set = Filters { creator: Some(creator.clone()), meta: vec![] };
        assert!(set.matches(creator.as_ref(), None));
        assert!(!set.matches(None, None));
    }

    #[test]
    fn the_digest_forgets_order_and_repeats_and_nothing_else() {
        let a = filter("a", Predicate::AnyOf(vec![text("x"), text("y")]));
        let a_turned = filter("a", Predicate::AnyOf(vec![text("y"), text("x"), text("y")]));
        let b = filter("b", Predicate::Less(number("5")));
        let digest = |meta: Vec<MetaFilter>| Filters { creator: None, meta }.digest();
        assert_eq!(digest(vec![a.clone(), b.clone()]), digest(vec![b.clone(), a_turned]));
        let others = [
            digest(vec![a.clone()]),
            digest(vec![a.clone(), filter("b", Predicate::LessOrEqual(number("5")))]),
            digest(vec![a.clone(), filter("b", Predicate::Less(number("6")))]),
            digest(vec![filter("a", Predicate::AnyOf(vec![text("x")])), b.clone()]),
            Filters { creator: Some(None), meta: vec![a.clone(), b.clone()] }.digest(),
            digest(vec![]),
        ];
        for other in others {
            assert_ne!(digest(vec![a.clone(), b.clone()]), other);
        }
    }
}
