//! Variants, in requests and answers (reference: api §10).

use darkroom_model::{AccountConfig, Fit, KeptMetadata, Variant, VariantEdit, VariantName, VariantOptions};
use serde_json::{Value, json};

use crate::bodies::members::Members;
use crate::error_codes::ApiError;
use crate::json::{push_flag, push_key, push_member, push_number, push_string};
use crate::schema::{Schema, word};

/// Reads the JSON body that makes a variant. Of the options any may be left out; unknown members are ignored.
pub fn parse_new_variant(json: &[u8]) -> Result<Variant, ApiError> {
    let body = Members::of_body(json)?;
    let name = body.string("id")?.and_then(|text| VariantName::parse(&text));
    Ok(Variant {
        name: name.ok_or_else(|| body.error("id", "must be 1 to 99 letters, digits, '_' or '-'"))?,
        options: parse_options(&body.options()?)?,
        never_require_signed_urls: body.boolean("neverRequireSignedURLs")?.unwrap_or(false),
    })
}

/// Reads the JSON body that changes a variant: its options must be there, and replace the old ones as a whole.
pub fn parse_variant_edit(json: &[u8]) -> Result<VariantEdit, ApiError> {
    let body = Members::of_body(json)?;
    Ok(VariantEdit {
        options: parse_options(&body.options()?)?,
        never_require_signed_urls: body.boolean("neverRequireSignedURLs")?,
    })
}

fn parse_options(options: &Members<'_>) -> Result<VariantOptions, ApiError> {
    let side = 1..=VariantOptions::SIDE_MAX;
    Ok(VariantOptions {
        fit: options.word("fit", &Fit::ALL.map(Fit::as_str), Fit::parse)?,
        width: options.integer("width", side.clone())?,
        height: options.integer("height", side)?,
        metadata: options.word(
            "metadata",
            &KeptMetadata::ALL.map(KeptMetadata::as_str),
            KeptMetadata::parse,
        )?,
        blur: options.number("blur", 0.0..=VariantOptions::BLUR_MAX)?,
        browser_ttl: options.integer("browser_ttl", AccountConfig::BROWSER_TTL)?,
    })
}

/// Returns the result of the calls that answer with one variant.
pub fn write_variant(variant: &Variant) -> Vec<u8> {
    let mut json = vec![b'{'];
    push_key(&mut json, "variant");
    push_variant(&mut json, variant);
    json.push(b'}');
    json
}

/// Returns the result of the call that answers with one variant alone.
pub fn write_flat_variant(variant: &Variant) -> Vec<u8> {
    let mut json = Vec::new();
    push_variant(&mut json, variant);
    json
}

/// Returns the result of the call that lists them: an object with a member for each, named by it.
pub fn write_variants<'a>(variants: impl Iterator<Item = &'a Variant>) -> Vec<u8> {
    let mut json = vec![b'{'];
    push_key(&mut json, "variants");
    json.push(b'{');
    for (index, variant) in variants.enumerate() {
        if index > 0 {
            json.push(b',');
        }
        push_key(&mut json, variant.name.as_str());
        push_variant(&mut json, variant);
    }
    json.extend_from_slice(b"}}");
    json
}

fn push_variant(json: &mut Vec<u8>, variant: &Variant) {
    json.push(b'{');
    push_member(json, "id", variant.name.as_str());
    json.push(b',');
    push_key(json, "options");
    push_options(json, &variant.options);
    json.push(b',');
    push_flag(json, "neverRequireSignedURLs", variant.never_require_signed_urls);
    json.push(b'}');
}

/// Appends the options that are set, and no defaults: what was stored comes back.
fn push_options(json: &mut Vec<u8>, options: &VariantOptions) {
    let VariantOptions { fit, width, height, metadata, blur, browser_ttl } = options;
    let begin = json.len();
    let mut word = |name, word: Option<&str>| {
        if let Some(word) = word {
            json.push(b',');
            push_key(json, name);
            push_string(json, word);
        }
    };
    word("fit", fit.map(Fit::as_str));
    word("metadata", metadata.map(KeptMetadata::as_str));
    let sides = [("width", width), ("height", height), ("browser_ttl", browser_ttl)];
    let integers = sides.map(|(name, number)| (name, number.map(f64::from)));
    for (name, number) in integers.into_iter().chain([("blur", *blur)]) {
        if let Some(number) = number {
            json.push(b',');
            push_key(json, name);
            push_number(json, number);
        }
    }
    match json.get_mut(begin) {
        Some(comma) => *comma = b'{',
        None => json.push(b'{'),
    }
    json.push(b'}');
}

/// A variant, as it is answered.
pub(crate) static VARIANT: Schema = Schema {
    name: "Variant",
    json: |_| {
        json!({
            "type": "object",
            "required": ["id", "options", "neverRequireSignedURLs"],
            "properties": properties(),
        })
    },
};

/// The result of the calls that answer with one variant.
pub(crate) static ONE_VARIANT: Schema = Schema {
    name: "OneVariant",
    json: |_| {
        json!({
            "type": "object",
            "required": ["variant"],
            "properties": {"variant": VARIANT.reference()},
        })
    },
};

/// The result of the call that lists them.
pub(crate) static VARIANTS: Schema = Schema {
    name: "Variants",
    json: |_| {
        json!({
            "type": "object",
            "required": ["variants"],
            "properties": {
                "variants": {
                    "type": "object",
                    "description": "a member for each, named by it",
                    "additionalProperties": VARIANT.reference(),
                },
            },
        })
    },
};

/// The body that makes one.
pub(crate) static NEW_VARIANT: Schema = Schema {
    name: "NewVariant",
    json: |_| json!({"type": "object", "required": ["id", "options"], "properties": properties()}),
};

/// The body that changes one.
pub(crate) static VARIANT_EDIT: Schema = Schema {
    name: "VariantEdit",
    json: |_| {
        let mut properties = properties();
        // The path names it; what the body says is ignored.
        properties.as_object_mut().map(|members| members.remove("id"));
        json!({"type": "object", "required": ["options"], "properties": properties})
    },
};

fn properties() -> Value {
    let side = json!({"type": "integer", "minimum": 1, "maximum": VariantOptions::SIDE_MAX});
    json!({
        "id": word(VariantName::CHARS_MAX),
        "neverRequireSignedURLs": {"type": "boolean"},
        "options": {
            "type": "object",
            "properties": {
                "fit": {"enum": Fit::ALL.map(Fit::as_str)},
                "width": side,
                "height": side,
                "metadata": {"enum": KeptMetadata::ALL.map(KeptMetadata::as_str)},
                "blur": {"type": "number", "minimum": 0, "maximum": VariantOptions::BLUR_MAX},
                "browser_ttl": {
                    "type": "integer",
                    "minimum": AccountConfig::BROWSER_TTL.start(),
                    "maximum": AccountConfig::BROWSER_TTL.end(),
                },
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes a variant of a body and returns it as it is answered.
    fn stored(json: &str) -> String {
        String::from_utf8(write_flat_variant(&parse_new_variant(json.as_bytes()).unwrap())).unwrap()
    }

    fn refused(json: &str, message: &str, pointer: Option<&str>) {
        let error = parse_new_variant(json.as_bytes()).unwrap_err();
        assert_eq!((error.status, error.code), (400, 5400), "{json}");
        assert_eq!((error.message.as_str(), error.pointer.as_deref()), (message, pointer), "{json}");
    }

    #[test]
    fn what_was_given_comes_back_and_no_defaults() {
        assert_eq!(
            stored(r#"{"id":"hero","options":{}}"#),
            r#"{"id":"hero","options":{},"neverRequireSignedURLs":false}"#
        );
        assert_eq!(
            stored(
                r#"{"id":"h-_1","unknown":1,"neverRequireSignedURLs":true,"options":{"blur":20.50,"fit":"aspect-crop","width":12000.0,
                "height":1,"metadata":"keep","browser_ttl":3600,"quality":1}}"#
            ),
            r#"{"id":"h-_1","options":{"fit":"aspect-crop","metadata":"keep","width":12000,"height":1,"browser_ttl":3600,"blur":20.5},"neverRequireSignedURLs":true}"#
        );
        for blur in ["0", "250", "0.001"] {
            let body = format!(r#"{{"id":"a","options":{{"blur":{blur}}}}}"#);
            assert!(stored(&body).contains(&format!(r#""options":{{"blur":{blur}}}"#)), "{blur}");
        }
        for fit in Fit::ALL {
            let body = format!(r#"{{"id":"a","options":{{"fit":"{}"}}}}"#, fit.as_str());
            assert!(stored(&body).contains(fit.as_str()));
        }
    }

    #[test]
    fn a_name_must_be_one() {
        let problem = "Invalid id: must be 1 to 99 letters, digits, '_' or '-'";
        for id in ["", "a/b", "w=5", "a,b", "é", &"a".repeat(100)] {
            refused(&format!(r#"{{"id":"{id}","options":{{}}}}"#), problem, Some("/id"));
        }
        refused(r#"{"options":{}}"#, problem, Some("/id"));
        refused(r#"{"id":5,"options":{}}"#, "Invalid id: must be a string", Some("/id"));
        assert!(
            parse_new_variant(format!(r#"{{"id":"{}","options":{{}}}}"#, "a".repeat(99)).as_bytes()).is_ok()
        );
    }

    #[test]
    fn options_say_which_of_them_is_wrong() {
        for json in [r#"{"id":"a"}"#, r#"{"id":"a","options":[]}"#, r#"{"id":"a","options":null}"#] {
            refused(json, "Invalid options: must be an object", Some("/options"));
        }
        let side = "must be an integer from 1 to 12000";
        let ttl = "must be an integer from 3600 to 31536000";
        let blur = "must be a number from 0 to 250";
        let fit = "must be one of scale-down, scale-up, contain, cover, crop, aspect-crop, pad, squeeze";
        for (name, value, problem) in [
            ("width", "0", side),
            ("width", "12001", side),
            ("width", "\"5\"", side),
            ("height", "-1", side),
            ("height", "1.5", side),
            ("height", "null", side),
            ("browser_ttl", "3599", ttl),
            ("browser_ttl", "31536001", ttl),
            ("blur", "-0.1", blur),
            ("blur", "250.1", blur),
            ("blur", "\"a\"", blur),
            ("fit", "\"Cover\"", fit),
            ("fit", "5", fit),
            ("metadata", "\"all\"", "must be one of keep, copyright, none"),
        ] {
            refused(
                &format!(r#"{{"id":"a","options":{{"{name}":{value}}}}}"#),
                &format!("Invalid options.{name}: {problem}"),
                Some(&format!("/options/{name}")),
            );
        }
        refused(
            r#"{"id":"a","options":{},"neverRequireSignedURLs":"yes"}"#,
            "Invalid neverRequireSignedURLs: must be a boolean",
            Some("/neverRequireSignedURLs"),
        );
        for json in ["", "[]", "null", "x", "{"] {
            refused(json, "Invalid request body: must be a JSON object", None);
        }
    }

    #[test]
    fn an_edit_replaces_options_and_leaves_the_rest() {
        let edit = parse_variant_edit(br#"{"options":{"width":5},"id":"other"}"#).unwrap();
        let options = VariantOptions { width: Some(5), ..VariantOptions::default() };
        assert_eq!(edit, VariantEdit { options, never_require_signed_urls: None });
        let edit = parse_variant_edit(br#"{"options":{},"neverRequireSignedURLs":false}"#).unwrap();
        assert_eq!(edit.never_require_signed_urls, Some(false));
        assert_eq!(parse_variant_edit(b"{}").unwrap_err().pointer.as_deref(), Some("/options"));
    }

    #[test]
    fn a_list_is_an_object_by_name() {
        let public = Variant::public();
        let one = r#"{"id":"public","options":{"fit":"scale-down","metadata":"none","width":1366,"height":768},"neverRequireSignedURLs":false}"#;
        assert_eq!(String::from_utf8(write_variant(&public)).unwrap(), format!(r#"{{"variant":{one}}}"#));
        let hero = Variant { name: VariantName::parse("hero").unwrap(), ..public.clone() };
        assert_eq!(
            String::from_utf8(write_variants([&hero, &public].into_iter())).unwrap(),
            format!(r#"{{"variants":{{"hero":{},"public":{one}}}}}"#, one.replace("public", "hero"))
        );
        assert_eq!(write_variants([].into_iter()), br#"{"variants":{}}"#);
    }
}
