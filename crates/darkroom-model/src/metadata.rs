//! Metadata: a JSON object that an image carries, kept as written (reference: api §1.7).

use std::collections::HashMap;

use serde_json::value::RawValue;

use crate::scalar::{FieldPath, Scalar, ScalarRef, is_name};
use crate::{Limits, Number};

/// The metadata of an image: a JSON object in compact form, keys in the order given, numbers as written.
///
/// A key that occurs twice keeps its first place and its last value, as `JSON.parse` does.
///
/// ```
/// use darkroom_model::{Limits, Metadata};
/// let metadata = Metadata::parse(r#"{ "a": 5.0, "b": [1], "a": 1e2 }"#, &Limits::default()).unwrap();
/// assert_eq!(metadata.as_json(), r#"{"a":1e2,"b":[1]}"#);
/// ```
#[derive(Clone, Debug)]
pub struct Metadata {
    json: Box<str>,
    root: Node,
}

impl PartialEq for Metadata {
    fn eq(&self, other: &Metadata) -> bool {
        self.json == other.json
    }
}

impl Eq for Metadata {}

/// Why a text is not metadata.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MetadataError {
    /// Not JSON, not an object, a number beyond a double, a lone surrogate, or nested too deeply.
    #[error("must be a JSON object")]
    NotAnObject,
    /// The compact form is longer than the limit, in bytes.
    #[error("must not exceed {0} bytes")]
    TooLong(usize),
}

/// Most levels of nesting that metadata may have (reference: api §1.7).
const DEPTH_MAX: usize = 100;

impl Metadata {
    /// Reads a JSON text and measures its compact form.
    pub fn parse(text: &str, limits: &Limits) -> Result<Metadata, MetadataError> {
        let metadata = Metadata::read(text).ok_or(MetadataError::NotAnObject)?;
        if metadata.json.len() > limits.metadata_bytes_max {
            return Err(MetadataError::TooLong(limits.metadata_bytes_max));
        }
        Ok(metadata)
    }

    /// Reads what [`Metadata::as_json`] gave, without judging its length: limits may have changed since.
    pub fn from_stored(json: &str) -> Option<Metadata> {
        Metadata::read(json)
    }

    /// Returns the compact JSON text.
    pub fn as_json(&self) -> &str {
        &self.json
    }

    /// Returns the scalar at a path; `None` if there is none, or if what is there is null, an array or an object.
    pub fn get(&self, path: &FieldPath) -> Option<ScalarRef<'_>> {
        let mut node = &self.root;
        for name in path.names() {
            let Node::Object(members) = node else { return None };
            node = &members.iter().find(|(key, _)| &**key == name)?.1;
        }
        match node {
            Node::Scalar(scalar) => Some(scalar.as_ref()),
            Node::Object(_) | Node::Opaque => None,
        }
    }

    /// Returns every filterable field with its value.
    pub fn fields(&self) -> Vec<(FieldPath, Scalar)> {
        let mut fields = Vec::new();
        collect_fields(&self.root, "", &mut fields);
        fields
    }

    fn read(text: &str) -> Option<Metadata> {
        let raw: &RawValue = serde_json::from_str(text).ok()?;
        let mut json = String::new();
        let root = Node::read(raw, 1, &mut json)?;
        matches!(root, Node::Object(_)).then_some(Metadata { json: json.into(), root })
    }
}

fn collect_fields(node: &Node, path: &str, fields: &mut Vec<(FieldPath, Scalar)>) {
    let Node::Object(members) = node else { return };
    for (key, value) in members.iter().filter(|(key, _)| is_name(key)) {
        let path = if path.is_empty() { key.to_string() } else { format!("{path}.{key}") };
        // Deeper or longer paths cannot be named by a filter, and neither can what lies below them.
        let Ok(field) = FieldPath::parse(&path) else { continue };
        match value {
            Node::Scalar(scalar) => fields.push((field, scalar.clone())),
            Node::Object(_) => collect_fields(value, &path, fields),
            Node::Opaque => {}
        }
    }
}

/// A JSON value as far as filters can see it.
#[derive(Clone, Debug)]
enum Node {
    Object(Vec<(Box<str>, Node)>),
    Scalar(Scalar),
    /// Null or an array, of which no filter can match anything.
    Opaque,
}

impl Node {
    /// Reads one value and appends its compact form to `json`.
    fn read(raw: &RawValue, depth: usize, json: &mut String) -> Option<Node> {
        let text = raw.get();
        match text.as_bytes().first()? {
            b'{' | b'[' if depth > DEPTH_MAX => None,
            b'{' => Node::read_object(text, depth, json).map(Node::Object),
            b'[' => {
                let items: Vec<&RawValue> = serde_json::from_str(text).ok()?;
                json.push('[');
                for (index, item) in items.into_iter().enumerate() {
                    if index > 0 {
                        json.push(',');
                    }
                    Node::read(item, depth + 1, json)?;
                }
                json.push(']');
                Some(Node::Opaque)
            }
            b'"' => {
                let value: String = serde_json::from_str(text).ok()?;
                push_string(&value, json);
                Some(Node::Scalar(Scalar::String(value.into())))
            }
            b't' | b'f' => {
                json.push_str(text);
                Some(Node::Scalar(Scalar::Boolean(text == "true")))
            }
            b'n' => {
                json.push_str(text);
                Some(Node::Opaque)
            }
            _ => {
                json.push_str(text);
                Number::parse(text).map(|number| Node::Scalar(Scalar::Number(number)))
            }
        }
    }

    fn read_object(text: &str, depth: usize, json: &mut String) -> Option<Vec<(Box<str>, Node)>> {
        let Pairs(pairs) = serde_json::from_str(text).ok()?;
        let mut places: HashMap<String, usize> = HashMap::new();
        let mut members: Vec<(String, &RawValue)> = Vec::new();
        for (key, value) in pairs {
            match places.get(&key) {
                Some(&place) => members[place].1 = value,
                None => {
                    places.insert(key.clone(), members.len());
                    members.push((key, value));
                }
            }
        }
        let mut nodes = Vec::with_capacity(members.len());
        json.push('{');
        for (index, (key, value)) in members.into_iter().enumerate() {
            if index > 0 {
                json.push(',');
            }
            push_string(&key, json);
            json.push(':');
            nodes.push((key.into(), Node::read(value, depth + 1, json)?));
        }
        json.push('}');
        Some(nodes)
    }
}

/// Appends a string as JSON.
fn push_string(text: &str, json: &mut String) {
    json.push_str(&serde_json::to_string(text).expect("a string is always JSON"));
}

/// The members of an object in the order written, repeated keys included.
struct Pairs<'a>(Vec<(String, &'a RawValue)>);

impl<'de> serde::Deserialize<'de> for Pairs<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Pairs<'de>, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Pairs<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Pairs<'de>, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Metadata, MetadataError> {
        Metadata::parse(text, &Limits::default())
    }

    fn get<'a>(metadata: &'a Metadata, path: &str) -> Option<ScalarRef<'a>> {
        metadata.get(&FieldPath::parse(path).unwrap())
    }

    #[test]
    fn numbers_stay_as_written_and_whitespace_goes() {
        let metadata =
            parse(" { \"n\" : 1E+05 , \"m\" : -0.0 , \"s\" : \"\\u0041\\/\" , \"a\":[ 1 , null ] } ")
                .unwrap();
        assert_eq!(metadata.as_json(), r#"{"n":1E+05,"m":-0.0,"s":"A/","a":[1,null]}"#);
    }

    #[test]
    fn a_repeated_key_keeps_its_place_and_its_last_value() {
        let metadata = parse(r#"{"a":1,"b":2,"a":{"c":3}}"#).unwrap();
        assert_eq!(metadata.as_json(), r#"{"a":{"c":3},"b":2}"#);
        assert_eq!(get(&metadata, "a.c"), Number::parse("3").map(ScalarRef::Number));
        assert_eq!(get(&metadata, "a"), None);
    }

    #[test]
    fn what_is_not_an_object_is_refused() {
        for text in [
            "",
            "[]",
            "5",
            "null",
            "\"x\"",
            "{",
            "{\"a\":1}x",
            "{a:1}",
            "{\"a\":1e400}",
            "{\"a\":01}",
            "{\"a\":\"\\ud800\"}",
            "{\"a\":[1e999]}",
            "{\"\\udc00\":1}",
            "{\"a\":\"\u{1}\"}",
        ] {
            assert_eq!(parse(text).unwrap_err(), MetadataError::NotAnObject, "{text:?}");
        }
    }

    #[test]
    fn one_hundred_levels_are_accepted_and_one_more_is_not() {
        let nested =
            |levels: usize| format!("{}{}", "{\"a\":".repeat(levels - 1) + "{}", "}".repeat(levels - 1));
        assert!(parse(&nested(100)).is_ok());
        assert_eq!(parse(&nested(101)).unwrap_err(), MetadataError::NotAnObject);
        assert!(parse(&format!("{{\"a\":{}{}}}", "[".repeat(99), "]".repeat(99))).is_ok());
        assert!(parse(&format!("{{\"a\":{}{}}}", "[".repeat(100), "]".repeat(100))).is_err());
    }

    #[test]
    fn the_compact_form_is_measured() {
        let text = |length: usize| format!("{{ \"a\": \"{}\" }}", "x".repeat(length));
        assert_eq!(parse(&text(1016)).unwrap().as_json().len(), 1024);
        assert_eq!(parse(&text(1017)).unwrap_err(), MetadataError::TooLong(1024));
    }

    #[test]
    fn only_scalars_under_legal_names_are_fields() {
        let metadata = parse(
            r#"{"s":"x","n":5,"b":true,"z":null,"a":[4],"o":{"p":{"q":1}},"tag.name":1,"first-name":2,"":3,
                "l1":{"l2":{"l3":{"l4":{"l5":"deep","l6":{"l7":1}}}}}}"#,
        )
        .unwrap();
        let paths: Vec<String> = metadata.fields().iter().map(|(path, _)| path.to_string()).collect();
        assert_eq!(paths, ["s", "n", "b", "o.p.q", "l1.l2.l3.l4.l5"]);
        for (path, scalar) in metadata.fields() {
            assert_eq!(metadata.get(&path), Some(scalar.as_ref()));
        }
        for path in ["z", "a", "o", "o.p", "tag.name", "a.0"] {
            assert_eq!(get(&metadata, path), None, "{path}");
        }
    }

    #[test]
    fn what_is_stored_is_read_back_as_it_was() {
        let metadata = parse(r#"{"a":{"b":"naïve \" \\ \u0000"},"c":[{"d":1.50}]}"#).unwrap();
        assert_eq!(Metadata::from_stored(metadata.as_json()).unwrap(), metadata);
        assert_ne!(Metadata::from_stored("{}").unwrap(), metadata);
    }
}
