//! The configuration of an account (reference: api §12).

use darkroom_model::{AccountConfig, AccountConfigEdit};
use serde_json::{Value, json};

use crate::bodies::members::Members;
use crate::error_codes::ApiError;
use crate::json::{push_flag, push_key, push_number};
use crate::schema::Schema;

/// Reads the JSON body that changes the configuration. What is not named stays; unknown members are ignored.
pub fn parse_config_edit(json: &[u8]) -> Result<AccountConfigEdit, ApiError> {
    let body = Members::of_body(json)?;
    Ok(AccountConfigEdit {
        flexible_variants: body.boolean("flexible_variants")?,
        browser_ttl: body.integer("browser_ttl", AccountConfig::BROWSER_TTL)?,
        preserve_content_credentials: body.boolean("preserve_content_credentials")?,
    })
}

/// Returns the configuration as a result, whole.
pub fn write_config(config: &AccountConfig) -> Vec<u8> {
    let mut json = vec![b'{'];
    push_key(&mut json, "browser_ttl");
    push_number(&mut json, f64::from(config.browser_ttl));
    json.push(b',');
    push_flag(&mut json, "flexible_variants", config.flexible_variants);
    json.push(b',');
    push_flag(&mut json, "preserve_content_credentials", config.preserve_content_credentials);
    json.push(b'}');
    json
}

/// The whole configuration, as it is answered.
pub(crate) static CONFIG: Schema = Schema {
    name: "Config",
    json: |_| {
        let properties = properties();
        let required: Vec<&str> =
            properties.as_object().into_iter().flatten().map(|(name, _)| &**name).collect();
        json!({"type": "object", "required": required, "properties": properties})
    },
};

/// The body that changes it.
pub(crate) static CONFIG_EDIT: Schema =
    Schema { name: "ConfigEdit", json: |_| json!({"type": "object", "properties": properties()}) };

fn properties() -> Value {
    json!({
        "browser_ttl": {
            "type": "integer",
            "minimum": AccountConfig::BROWSER_TTL.start(),
            "maximum": AccountConfig::BROWSER_TTL.end(),
            "description": "how long browsers keep what is delivered, in seconds",
        },
        "flexible_variants": {"type": "boolean", "description": "whether delivery URLs may carry options"},
        "preserve_content_credentials": {"type": "boolean"},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_named_stays() {
        for json in ["{}", r#"{"unknown":{"x":[1]}}"#] {
            assert_eq!(parse_config_edit(json.as_bytes()), Ok(AccountConfigEdit::default()), "{json}");
        }
        let edit = parse_config_edit(br#"{"flexible_variants":true,"browser_ttl":31536000}"#).unwrap();
        assert_eq!((edit.flexible_variants, edit.browser_ttl), (Some(true), Some(31_536_000)));
        assert_eq!(edit.preserve_content_credentials, None);
    }

    #[test]
    fn wrong_types_and_times_say_where() {
        for (name, value) in [
            ("flexible_variants", "1"),
            ("flexible_variants", "null"),
            ("browser_ttl", "3599"),
            ("browser_ttl", "31536001"),
            ("browser_ttl", "\"3600\""),
            ("preserve_content_credentials", "\"true\""),
        ] {
            let error = parse_config_edit(format!(r#"{{"{name}":{value}}}"#).as_bytes()).unwrap_err();
            assert_eq!((error.status, error.code), (400, 5400), "{name} {value}");
            assert_eq!(error.pointer, Some(format!("/{name}")), "{value}");
        }
        for json in ["", "[]", "5"] {
            assert_eq!(parse_config_edit(json.as_bytes()).unwrap_err().pointer, None, "{json}");
        }
    }

    #[test]
    fn it_is_written_whole() {
        assert_eq!(
            String::from_utf8(write_config(&AccountConfig::default())).unwrap(),
            r#"{"browser_ttl":172800,"flexible_variants":false,"preserve_content_credentials":false}"#
        );
    }
}
