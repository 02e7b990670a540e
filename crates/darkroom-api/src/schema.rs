//! How the OpenAPI document describes what calls carry: a JSON Schema beside each body, a row for each parameter.

use darkroom_model::Limits;
use serde_json::{Value, json};

/// The shape of a body, or of a part of one, with a name in the document.
#[derive(Clone, Copy, Debug)]
pub struct Schema {
    /// Its name among the document's components.
    pub name: &'static str,
    /// Returns it as JSON Schema (draft 2020-12), for a server with these limits.
    pub json: fn(&Limits) -> Value,
}

impl Schema {
    /// Returns what stands where the schema is meant.
    pub fn reference(&self) -> Value {
        json!({"$ref": format!("#/components/schemas/{}", self.name)})
    }
}

/// A parameter of a query.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Its name; of a parameter that stands for several (an object, form, exploded), the name of that object.
    pub name: &'static str,
    /// What it means.
    pub description: &'static str,
    /// Returns what a value must be, as JSON Schema, for a server with these limits.
    pub json: fn(&Limits) -> Value,
}

/// A result with nothing in it.
pub(crate) static EMPTY: Schema =
    Schema { name: "Empty", json: |_| json!({"type": "object", "additionalProperties": false}) };

/// Returns the schema of a name in a path: so many letters, digits, `_` or `-`.
pub(crate) fn word(chars_max: usize) -> Value {
    json!({"type": "string", "pattern": format!("^[A-Za-z0-9_-]{{1,{chars_max}}}$")})
}
