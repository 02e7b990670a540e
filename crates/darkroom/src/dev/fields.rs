//! JSON objects that people write for tests: a name that is not known is a mistake, not something to pass over.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::RangeInclusive;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

/// The fields of an object; one that is `null` counts as one that is not there.
pub(crate) struct Fields(BTreeMap<String, Box<RawValue>>);

/// What is wrong with an object, told so that whoever wrote it can mend it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{}{expected}", field.as_ref().map(|name| format!("{name}: ")).unwrap_or_default())]
pub(crate) struct FieldError {
    /// The field; `None` for the object itself.
    pub(crate) field: Option<String>,
    /// What was expected of it.
    pub(crate) expected: String,
}

impl Fields {
    /// Reads an object that may have these fields.
    pub(crate) fn parse(json: &[u8], known: &[&str]) -> Result<Fields, FieldError> {
        let mut fields: BTreeMap<String, Box<RawValue>> = serde_json::from_slice(json)
            .map_err(|_| FieldError { field: None, expected: "expected a JSON object".to_owned() })?;
        if let Some(unknown) = fields.keys().find(|name| !known.contains(&name.as_str())) {
            let expected = format!("unknown field, expected one of {}", known.join(", "));
            // A name may be anything, and of any length.
            let name: String = unknown.chars().filter(|letter| !letter.is_control()).take(64).collect();
            return Err(FieldError { field: Some(name), expected });
        }
        fields.retain(|_, value| value.get() != "null");
        Ok(Fields(fields))
    }

    /// Returns the error for a field.
    pub(crate) fn error(&self, name: &str, expected: impl Display) -> FieldError {
        FieldError { field: Some(name.to_owned()), expected: expected.to_string() }
    }

    /// Returns a field as it was written.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.get())
    }

    /// Says whether a field is there.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Reads a string of at most so many characters.
    pub(crate) fn string(&self, name: &str, chars_max: usize) -> Result<Option<String>, FieldError> {
        let expected = || format!("expected a string of 1 to {chars_max} characters");
        match self.read::<String>(name, &expected())? {
            Some(text) if text.is_empty() || text.chars().count() > chars_max => {
                Err(self.error(name, expected()))
            }
            text => Ok(text),
        }
    }

    /// Reads a boolean.
    pub(crate) fn boolean(&self, name: &str) -> Result<Option<bool>, FieldError> {
        self.read(name, "expected true or false")
    }

    /// Reads an integer.
    pub(crate) fn integer(&self, name: &str, range: RangeInclusive<u32>) -> Result<Option<u32>, FieldError> {
        let expected = || format!("expected an integer from {} to {}", range.start(), range.end());
        match self.read::<u32>(name, &expected())? {
            Some(number) if !range.contains(&number) => Err(self.error(name, expected())),
            number => Ok(number),
        }
    }

    /// Reads a number.
    pub(crate) fn number(&self, name: &str, range: RangeInclusive<f64>) -> Result<Option<f64>, FieldError> {
        let expected = || format!("expected a number from {} to {}", range.start(), range.end());
        match self.read::<f64>(name, &expected())? {
            Some(number) if !range.contains(&number) => Err(self.error(name, expected())),
            number => Ok(number),
        }
    }

    fn read<T: DeserializeOwned>(&self, name: &str, expected: &str) -> Result<Option<T>, FieldError> {
        let read = |text| serde_json::from_str(text).map_err(|_| self.error(name, expected));
        self.text(name).map(read).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Fields, String> {
        Fields::parse(json.as_bytes(), &["times", "path"]).map_err(|error| error.to_string())
    }

    #[test]
    fn an_error_names_the_field_and_what_was_expected() {
        for json in ["", "[]", "null", "5", "{", "{}x", "\u{0}"] {
            assert_eq!(parse(json).err().as_deref(), Some("expected a JSON object"), "{json}");
        }
        let unknown = parse(r#"{"time":5}"#).err();
        assert_eq!(unknown.as_deref(), Some("time: unknown field, expected one of times, path"));
        for value in ["0", "11", "-1", "1.5", "\"5\"", "[]", "true"] {
            let fields = parse(&format!("{{\"times\":{value}}}")).unwrap();
            let error = fields.integer("times", 1..=10).unwrap_err();
            assert_eq!(error.to_string(), "times: expected an integer from 1 to 10", "{value}");
        }
        for value in ["5", "\"\"", "\"xxxxx\"", "\"\\ud800\""] {
            let fields = parse(&format!("{{\"path\":{value}}}")).unwrap();
            let error = fields.string("path", 4).unwrap_err();
            assert_eq!(error.to_string(), "path: expected a string of 1 to 4 characters", "{value}");
        }
    }

    #[test]
    fn null_is_nothing() {
        let fields = parse(r#"{"times":null}"#).unwrap();
        assert!(!fields.has("times"));
        assert_eq!(fields.integer("times", 1..=10), Ok(None));
    }
}
