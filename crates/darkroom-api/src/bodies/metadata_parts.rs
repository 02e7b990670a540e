//! Metadata as the official SDKs send it in a form: one part a value (reference: api §3.3).
//!
//! | | TypeScript | Python |
//! |---|---|---|
//! | member | `metadata[k]` | `metadata.k` |
//! | nested member | `metadata[n][x]` | `metadata.n.x` |
//! | element of an array | `metadata[arr][]` | `metadata.arr[]` |
//!
//! Types are lost on the way, so every value stays a string; nothing is guessed. An array of arrays or of objects
//! cannot be told apart from another one in these spellings, and is refused: its sender can send JSON.

use crate::json::push_string;

/// Most levels that a name may have; JSON metadata has the same bound (reference: api §1.7).
const LEVELS_MAX: usize = 100;

/// Where a part belongs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PartPath {
    /// Names of members, outermost first; at least one.
    pub keys: Vec<String>,
    /// Whether the value is an element of an array there.
    pub is_element: bool,
}

/// Why parts do not add up to an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MetadataPartsError {
    /// A name that none of the spellings can read.
    #[error("the name can not be read")]
    BadName,
    /// An array whose elements are no single values.
    #[error("arrays of arrays and of objects must be sent as JSON")]
    NestedArray,
    /// Too many levels.
    #[error("nested too deeply")]
    TooDeep,
    /// A member that is given as a value, an array or an object, and as another of these.
    #[error("given twice, with different types")]
    Conflict,
}

/// Reads the name of a form part; `None` if it has nothing to do with metadata, or is `metadata` itself.
pub fn part_path(name: &str) -> Option<Result<PartPath, MetadataPartsError>> {
    let rest = name.strip_prefix("metadata")?;
    match rest.as_bytes().first()? {
        b'[' => Some(bracket_path(rest)),
        b'.' => Some(dot_path(&rest[1..])),
        _ => None,
    }
}

/// Reads `[a][b][]`.
fn bracket_path(mut rest: &str) -> Result<PartPath, MetadataPartsError> {
    let mut path = PartPath { keys: Vec::new(), is_element: false };
    while !rest.is_empty() {
        let (key, after) = rest
            .strip_prefix('[')
            .and_then(|inside| inside.split_once(']'))
            .ok_or(MetadataPartsError::BadName)?;
        match key {
            _ if path.is_element => return Err(MetadataPartsError::NestedArray),
            "" if path.keys.is_empty() => return Err(MetadataPartsError::BadName),
            "" => path.is_element = true,
            key => path.keys.push(key.to_owned()),
        }
        rest = after;
    }
    path.bounded()
}

/// Reads `a.b[]`. A dot always separates: a key that has one cannot be told apart.
fn dot_path(rest: &str) -> Result<PartPath, MetadataPartsError> {
    let (names, is_element) = match rest.strip_suffix("[]") {
        Some(names) => (names, true),
        None => (rest, false),
    };
    if names.contains("[]") {
        return Err(MetadataPartsError::NestedArray);
    }
    PartPath { keys: names.split('.').map(str::to_owned).collect(), is_element }.bounded()
}

impl PartPath {
    fn bounded(self) -> Result<PartPath, MetadataPartsError> {
        let levels = self.keys.len() + usize::from(self.is_element);
        if levels > LEVELS_MAX { Err(MetadataPartsError::TooDeep) } else { Ok(self) }
    }
}

/// An object that parts are put into one by one, members in the order in which they first came.
#[derive(Clone, Debug, Default)]
pub struct MetadataParts {
    members: Members,
}

type Members = Vec<(String, Node)>;

#[derive(Clone, Debug)]
enum Node {
    Text(String),
    Array(Vec<String>),
    Object(Members),
}

impl MetadataParts {
    /// Says whether nothing has been put in.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Puts a value in its place. A value given twice keeps its place and takes the new text, as in JSON.
    pub fn insert(&mut self, path: PartPath, text: String) -> Result<(), MetadataPartsError> {
        let mut keys = path.keys;
        let Some(last) = keys.pop() else { return Err(MetadataPartsError::BadName) };
        let mut members = &mut self.members;
        for key in keys {
            match member(members, key, || Node::Object(Members::new())) {
                Node::Object(inner) => members = inner,
                Node::Text(_) | Node::Array(_) => return Err(MetadataPartsError::Conflict),
            }
        }
        match (member(members, last, || empty_leaf(path.is_element)), path.is_element) {
            (Node::Text(value), false) => *value = text,
            (Node::Array(elements), true) => elements.push(text),
            _ => return Err(MetadataPartsError::Conflict),
        }
        Ok(())
    }

    /// Returns the object as JSON.
    pub fn to_json(&self) -> Vec<u8> {
        let mut json = Vec::new();
        write_object(&mut json, &self.members);
        json
    }
}

/// Returns the member with this key, made if there is none.
fn member(members: &mut Members, key: String, make: impl FnOnce() -> Node) -> &mut Node {
    let place = members.iter().position(|(known, _)| *known == key).unwrap_or_else(|| {
        members.push((key, make()));
        members.len() - 1
    });
    &mut members[place].1
}

fn empty_leaf(is_element: bool) -> Node {
    if is_element { Node::Array(Vec::new()) } else { Node::Text(String::new()) }
}

fn write_object(json: &mut Vec<u8>, members: &Members) {
    json.push(b'{');
    for (index, (key, node)) in members.iter().enumerate() {
        if index > 0 {
            json.push(b',');
        }
        push_string(json, key);
        json.push(b':');
        match node {
            Node::Text(text) => push_string(json, text),
            Node::Array(elements) => write_array(json, elements),
            Node::Object(members) => write_object(json, members),
        }
    }
    json.push(b'}');
}

fn write_array(json: &mut Vec<u8>, elements: &[String]) {
    json.push(b'[');
    for (index, element) in elements.iter().enumerate() {
        if index > 0 {
            json.push(b',');
        }
        push_string(json, element);
    }
    json.push(b']');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(parts: &[(&str, &str)]) -> Result<String, MetadataPartsError> {
        let mut metadata = MetadataParts::default();
        for (name, text) in parts {
            metadata.insert(part_path(name).expect("a part of metadata")?, (*text).to_owned())?;
        }
        Ok(String::from_utf8(metadata.to_json()).unwrap())
    }

    fn check(parts: &[(&str, &str)], expected: Result<&str, MetadataPartsError>) {
        assert_eq!(build(parts), expected.map(str::to_owned), "{parts:?}");
    }

    #[test]
    fn both_spellings_build_the_same_object() {
        let expected =
            r#"{"status":"active","priority":"5","region":{"name":"eu","zone":{"id":"3"}},"tags":["a","b"]}"#;
        check(
            &[
                ("metadata[status]", "active"),
                ("metadata[priority]", "5"),
                ("metadata[region][name]", "eu"),
                ("metadata[region][zone][id]", "3"),
                ("metadata[tags][]", "a"),
                ("metadata[tags][]", "b"),
            ],
            Ok(expected),
        );
        check(
            &[
                ("metadata.status", "active"),
                ("metadata.priority", "5"),
                ("metadata.region.name", "eu"),
                ("metadata.region.zone.id", "3"),
                ("metadata.tags[]", "a"),
                ("metadata.tags[]", "b"),
            ],
            Ok(expected),
        );
    }

    #[test]
    fn members_keep_the_place_where_they_first_came() {
        check(
            &[("metadata[b][x]", "1"), ("metadata[a]", "2"), ("metadata.b.y", "3")],
            Ok(r#"{"b":{"x":"1","y":"3"},"a":"2"}"#),
        );
        check(
            &[("metadata[a]", "1"), ("metadata[b]", "2"), ("metadata[a]", "3")],
            Ok(r#"{"a":"3","b":"2"}"#),
        );
    }

    #[test]
    fn keys_are_taken_as_they_are() {
        check(&[("metadata[tag.name]", "1")], Ok(r#"{"tag.name":"1"}"#));
        check(&[("metadata[a[b]", "1")], Ok(r#"{"a[b":"1"}"#));
        check(&[("metadata[first name]", "\"\u{1}")], Ok(r#"{"first name":"\"\u0001"}"#));
        check(&[("metadata.a[b]", "1")], Ok(r#"{"a[b]":"1"}"#));
        check(&[("metadata.", "1")], Ok(r#"{"":"1"}"#));
        check(&[("metadata[é][0]", "1")], Ok(r#"{"é":{"0":"1"}}"#));
    }

    #[test]
    fn a_member_has_one_type() {
        let conflict = Err(MetadataPartsError::Conflict);
        check(&[("metadata[a]", "1"), ("metadata[a][b]", "2")], conflict);
        check(&[("metadata[a][b]", "2"), ("metadata[a]", "1")], conflict);
        check(&[("metadata[a][]", "1"), ("metadata[a]", "2")], conflict);
        check(&[("metadata[a]", "1"), ("metadata[a][]", "2")], conflict);
        check(&[("metadata.a[]", "1"), ("metadata.a.b", "2")], conflict);
        check(&[("metadata.a.b", "1"), ("metadata.a[]", "2")], conflict);
    }

    #[test]
    fn names_that_cannot_be_read_are_refused() {
        for name in [
            "metadata[",
            "metadata[]",
            "metadata[][a]",
            "metadata[a]b",
            "metadata[a",
            "metadata[a]]",
            "metadata[a[b]]",
        ] {
            check(&[(name, "1")], Err(MetadataPartsError::BadName));
        }
        for name in ["metadata[a][][]", "metadata[a][][b]", "metadata.a[][]", "metadata.a[].b"] {
            check(&[(name, "1")], Err(MetadataPartsError::NestedArray));
        }
    }

    #[test]
    fn other_parts_are_none_of_metadata() {
        for name in ["metadata", "metadata]", "metadataX", "Metadata[a]", "meta[a]", "", "xmetadata.a"] {
            assert_eq!(part_path(name), None, "{name:?}");
        }
    }

    #[test]
    fn levels_are_bounded() {
        let brackets = |levels: usize| format!("metadata{}", "[a]".repeat(levels));
        let dots = |levels: usize| format!("metadata{}", ".a".repeat(levels));
        for name in [brackets(100), dots(100), brackets(99) + "[]", dots(99) + "[]"] {
            assert!(build(&[(&name, "1")]).is_ok(), "{name}");
        }
        for name in [brackets(101), dots(101), brackets(100) + "[]", dots(100) + "[]", dots(60_000)] {
            check(&[(&name, "1")], Err(MetadataPartsError::TooDeep));
        }
    }
}
