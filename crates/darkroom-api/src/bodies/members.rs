//! The members of a JSON body: each read when it is asked for, so that what nobody asks for is ignored.

use std::collections::HashMap;
use std::fmt::Display;
use std::ops::RangeInclusive;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::error_codes::ApiError;

/// The members of an object. One that occurs twice has its last value.
pub(crate) struct Members<'b> {
    members: HashMap<String, &'b RawValue>,
    /// Where the object stands, as a JSON Pointer.
    place: &'static str,
}

impl<'b> Members<'b> {
    /// Reads a whole body.
    pub(crate) fn of_body(json: &'b [u8]) -> Result<Members<'b>, ApiError> {
        let members = serde_json::from_slice(json)
            .map_err(|_| ApiError::invalid("Invalid request body: must be a JSON object", None))?;
        Ok(Members { members, place: "" })
    }

    /// Takes a member that is `null` for one that is not there.
    pub(crate) fn without_nulls(mut self) -> Members<'b> {
        self.members.retain(|_, value| value.get() != "null");
        self
    }

    /// Reads the member `options` as an object; it must be there.
    pub(crate) fn options(&self) -> Result<Members<'b>, ApiError> {
        let object = self.text("options").and_then(|text| serde_json::from_str(text).ok());
        let members = object.ok_or_else(|| self.error("options", "must be an object"))?;
        Ok(Members { members, place: "/options" })
    }

    /// Returns a member as it was written.
    pub(crate) fn text(&self, name: &str) -> Option<&'b str> {
        self.members.get(name).map(|value| value.get())
    }

    /// Returns the error for a member.
    pub(crate) fn error(&self, name: &str, problem: impl Display) -> ApiError {
        let pointer = format!("{}/{name}", self.place);
        let name = pointer[1..].replace('/', ".");
        ApiError::invalid(format!("Invalid {name}: {problem}"), Some(pointer))
    }

    /// Reads a string.
    pub(crate) fn string(&self, name: &str) -> Result<Option<String>, ApiError> {
        self.read(name, "must be a string")
    }

    /// Reads a boolean.
    pub(crate) fn boolean(&self, name: &str) -> Result<Option<bool>, ApiError> {
        self.read(name, "must be a boolean")
    }

    /// Reads an integer, which clients of languages with one kind of number may write as `5.0`.
    pub(crate) fn integer(&self, name: &str, range: RangeInclusive<u32>) -> Result<Option<u32>, ApiError> {
        let expected = || format!("must be an integer from {} to {}", range.start(), range.end());
        let Some(number) = self.float(name, &expected())? else { return Ok(None) };
        // A conversion of floats to integers saturates, so that what is out of range stays out of range.
        let integer = number as u32;
        let is_meant = f64::from(integer) == number && range.contains(&integer);
        if is_meant { Ok(Some(integer)) } else { Err(self.error(name, expected())) }
    }

    /// Reads a number.
    pub(crate) fn number(&self, name: &str, range: RangeInclusive<f64>) -> Result<Option<f64>, ApiError> {
        let expected = || format!("must be a number from {} to {}", range.start(), range.end());
        match self.float(name, &expected())? {
            Some(number) if !range.contains(&number) => Err(self.error(name, expected())),
            // Zero has one sign.
            number => Ok(number.map(|number| number + 0.0)),
        }
    }

    /// Reads one of several words.
    pub(crate) fn word<T>(
        &self,
        name: &str,
        words: &[&'static str],
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, ApiError> {
        let expected = || format!("must be one of {}", words.join(", "));
        let Some(text) = self.read::<String>(name, &expected())? else { return Ok(None) };
        parse(&text).map(Some).ok_or_else(|| self.error(name, expected()))
    }

    /// Reads a number exactly: what serde_json makes of a long fraction may be a neighbour of it, and would come back as
    /// another number.
    fn float(&self, name: &str, expected: &str) -> Result<Option<f64>, ApiError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        // It is JSON already: what begins as a number is one.
        let is_number = text.starts_with(|first: char| first == '-' || first.is_ascii_digit());
        match text.parse::<f64>() {
            Ok(number) if is_number && number.is_finite() => Ok(Some(number)),
            _ => Err(self.error(name, expected)),
        }
    }

    fn read<T: DeserializeOwned>(&self, name: &str, expected: &str) -> Result<Option<T>, ApiError> {
        let read = |text| serde_json::from_str(text).map_err(|_| self.error(name, expected));
        self.text(name).map(read).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn integer(json: &str) -> Option<Option<u32>> {
        Members::of_body(json.as_bytes()).unwrap().integer("n", 1..=10).ok()
    }

    #[test]
    fn an_integer_is_told_by_its_value() {
        for (text, expected) in [("1", 1), ("10", 10), ("5.0", 5), ("1e1", 10), ("0.5e1", 5)] {
            assert_eq!(integer(&format!("{{\"n\":{text}}}")), Some(Some(expected)), "{text}");
        }
        for text in ["0", "11", "-1", "1.5", "1e400", "4294967297", "null", "\"5\"", "true", "[]", "{}"] {
            assert_eq!(integer(&format!("{{\"n\":{text}}}")), None, "{text}");
        }
        assert_eq!(integer("{}"), Some(None));
    }

    #[test]
    fn a_number_is_read_to_the_last_digit() {
        let body = Members::of_body(br#"{"n":0.10000000000000055}"#).unwrap();
        assert_eq!(body.number("n", 0.0..=1.0).unwrap(), Some(0.10000000000000055));
        for text in ["null", "\"0.5\"", "true", "[]", "1e400"] {
            let json = format!("{{\"n\":{text}}}");
            assert!(Members::of_body(json.as_bytes()).unwrap().number("n", 0.0..=1.0).is_err(), "{text}");
        }
    }

    #[test]
    fn zero_has_one_sign() {
        let body = Members::of_body(br#"{"n":-0.0}"#).unwrap();
        assert!(body.number("n", 0.0..=1.0).unwrap().unwrap().is_sign_positive());
    }
}
