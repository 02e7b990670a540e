//! The OpenAPI 3.1 document of a server, made of the endpoint table, the error table and the schemas beside the bodies.
//!
//! Nothing is said here that those do not say: a call, an error or a field that is added there is in the document.

use std::collections::BTreeMap;

use darkroom_model::{AccountId, ImageId, Limits, SigningKeyName, VariantName};
use serde_json::{Map, Value, json};

use crate::bodies::{
    account_config, batch_token, direct_upload, edit, image, signing_keys, stats, upload, variant,
    verify_token,
};
use crate::endpoints::{
    API_BASE, BATCH_BASE, BATCH_CALLS, Base, ENDPOINTS, Endpoint, RequestBody, ResponseBody,
};
use crate::envelope::FAILURE;
use crate::error_codes::ErrorName;
use crate::schema::{EMPTY, Parameter, Schema, word};

/// Where a server shows its document.
pub const PATH: &str = "/openapi.json";

/// Everything that is referred to by name.
static COMPONENTS: &[&Schema] = &[
    &FAILURE,
    &EMPTY,
    &image::IMAGE,
    &image::ENTRY,
    &image::PAGE,
    &image::NUMBERED_PAGE,
    &upload::FORM,
    &edit::EDIT,
    &direct_upload::DRAFT,
    &direct_upload::UPLOAD_URL,
    &direct_upload::FILE_FORM,
    &stats::STATS,
    &variant::VARIANT,
    &variant::ONE_VARIANT,
    &variant::VARIANTS,
    &variant::NEW_VARIANT,
    &variant::VARIANT_EDIT,
    &signing_keys::KEYS,
    &account_config::CONFIG,
    &account_config::CONFIG_EDIT,
    &batch_token::BATCH_TOKEN,
    &verify_token::VERIFIED_TOKEN,
];

/// Returns the document of a server with these limits.
pub fn document(limits: &Limits) -> Value {
    let schemas: Map<String, Value> =
        COMPONENTS.iter().map(|schema| (schema.name.to_owned(), (schema.json)(limits))).collect();
    let mut failures = Map::new();
    let paths = paths(limits, &mut failures);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Darkroom",
            "summary": "A self-hosted image service that speaks the HTTP API of Cloudflare Images",
            "version": env!("CARGO_PKG_VERSION"),
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": failures,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "key": {"type": "apiKey", "in": "header", "name": "X-Auth-Key"},
                "batchToken": {"type": "http", "scheme": "bearer", "description": "from batch_token"},
            },
        },
    })
}

/// How a call can be made.
#[derive(Clone, Copy)]
enum Way {
    Api,
    UploadHost,
    Batch,
}

/// Returns the calls, and collects the failures that they refer to.
fn paths(limits: &Limits, failures: &mut Map<String, Value>) -> Value {
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    let mut add = |path: String, endpoint: &Endpoint, way| {
        let operations = paths.entry(path).or_default();
        operations.insert(endpoint.method.to_ascii_lowercase(), operation(endpoint, way, limits, failures));
    };
    for endpoint in ENDPOINTS {
        match endpoint.base {
            Base::Api => add(format!("{API_BASE}{}", endpoint.path), endpoint, Way::Api),
            Base::Root => add(endpoint.path.to_owned(), endpoint, Way::UploadHost),
        }
    }
    for endpoint in ENDPOINTS.iter().filter(|endpoint| BATCH_CALLS.contains(&endpoint.name)) {
        let path = endpoint.path.replace("/accounts/{account_id}", BATCH_BASE);
        add(path, endpoint, Way::Batch);
    }
    json!(paths)
}

fn operation(endpoint: &Endpoint, way: Way, limits: &Limits, failures: &mut Map<String, Value>) -> Value {
    let id = match way {
        Way::Batch => format!("batch_{}", endpoint.name.as_str()),
        _ => endpoint.name.as_str().to_owned(),
    };
    let security = match way {
        Way::Api => json!([{"token": []}, {"key": []}]),
        Way::UploadHost => json!([]),
        Way::Batch => json!([{"batchToken": []}]),
    };
    let mut operation = json!({
        "operationId": id,
        "summary": endpoint.summary,
        "security": security,
        "parameters": parameters(endpoint, way, limits),
        "responses": responses(endpoint, way, failures),
    });
    if let Some(body) = request_body(endpoint.request_body) {
        operation["requestBody"] = body;
    }
    operation
}

fn parameters(endpoint: &Endpoint, way: Way, limits: &Limits) -> Vec<Value> {
    let of_path = |name: &str| {
        let schema = match name {
            "account_id" | "account_hash" => word(AccountId::CHARS_MAX),
            "variant_id" => word(VariantName::CHARS_MAX),
            "signing_key_name" => word(SigningKeyName::CHARS_MAX),
            _ => json!({"type": "string", "minLength": 1, "maxLength": ImageId::CHARS_MAX}),
        };
        json!({"name": name, "in": "path", "required": true, "schema": schema})
    };
    let names = endpoint.path.split('{').skip(1).filter_map(|tail| Some(tail.split_once('}')?.0));
    let names = names.filter(|name| !(matches!(way, Way::Batch) && *name == "account_id"));
    names.map(of_path).chain(endpoint.parameters.iter().map(|row| of_query(row, limits))).collect()
}

fn of_query(parameter: &Parameter, limits: &Limits) -> Value {
    let Parameter { name, description, json } = parameter;
    json!({
        "name": name,
        "in": "query",
        "description": description,
        // Clients send an empty value for nothing (reference: list-v2 §1.3).
        "allowEmptyValue": true,
        "style": "form",
        "explode": true,
        "schema": json(limits),
    })
}

fn request_body(body: RequestBody) -> Option<Value> {
    let content = |media_types: &[&str], schema: &Schema| -> Value {
        let content =
            media_types.iter().map(|name| ((*name).to_owned(), json!({"schema": schema.reference()})));
        content.collect::<Map<String, Value>>().into()
    };
    const FORM: &str = "multipart/form-data";
    const JSON: &str = "application/json";
    match body {
        RequestBody::None => None,
        RequestBody::Form(schema) => Some(json!({"required": true, "content": content(&[FORM], schema)})),
        RequestBody::Json(schema) => Some(json!({"required": true, "content": content(&[JSON], schema)})),
        RequestBody::FormOrJson(schema) => Some(json!({"content": content(&[FORM, JSON], schema)})),
    }
}

fn responses(endpoint: &Endpoint, way: Way, failures: &mut Map<String, Value>) -> Value {
    let mut responses = successes(endpoint.response_body);
    let mut by_status: BTreeMap<u16, Vec<ErrorName>> = BTreeMap::new();
    let of_the_way: &[ErrorName] = match way {
        Way::Api => &[ErrorName::NoRoute, ErrorName::MethodNotAllowed],
        Way::UploadHost => &[],
        // Whatever is no call of the batch host is forbidden there.
        Way::Batch => &[ErrorName::ForbiddenEndpoint],
    };
    for name in endpoint.all_errors().chain(of_the_way.iter().copied()) {
        by_status.entry(name.row().status).or_default().push(name);
    }
    for (status, mut names) in by_status {
        names.sort_by_key(|name| name.row().code);
        let name = failure_name(status, &names, way);
        let reference = json!({"$ref": format!("#/components/responses/{name}")});
        failures.entry(name).or_insert_with(|| failure(&names, way));
        responses.insert(status.to_string(), reference);
    }
    responses.into()
}

fn successes(body: ResponseBody) -> Map<String, Value> {
    let binary = |description: &str| {
        let content = json!({"image/*": {"schema": {"type": "string", "format": "binary"}}});
        json!({"description": description, "content": content})
    };
    let successes: Vec<(&str, Value)> = match body {
        ResponseBody::Result(schema) => {
            let content = json!({"application/json": {"schema": envelope(schema)}});
            vec![("200", json!({"description": "done", "content": content}))]
        }
        ResponseBody::Bytes => vec![
            ("200", binary("the whole file")),
            ("206", binary("the range that was asked for")),
            ("304", json!({"description": "the client has it"})),
            ("416", json!({"description": "a range that the file does not have"})),
        ],
    };
    successes.into_iter().map(|(status, response)| (status.to_owned(), response)).collect()
}

fn envelope(result: &Schema) -> Value {
    json!({
        "type": "object",
        "required": ["result", "success", "errors", "messages"],
        "properties": {
            "result": result.reference(),
            "success": {"const": true},
            "errors": {"type": "array", "maxItems": 0},
            "messages": {"type": "array"},
            "result_info": {"type": "object"},
        },
    })
}

/// Names the answers that share a status, by it and their codes.
fn failure_name(status: u16, names: &[ErrorName], way: Way) -> String {
    let codes = names.iter().map(|name| format!("_{}", name.row().code));
    let text = if matches!(way, Way::UploadHost) { "_text" } else { "" };
    format!("status_{status}{}{text}", codes.collect::<String>())
}

/// Describes the answers that share a status.
fn failure(names: &[ErrorName], way: Way) -> Value {
    let rows = names.iter().map(|name| name.row());
    let told: Vec<String> = rows.clone().map(|row| format!("{}: {}", row.code, row.occurs)).collect();
    let mut headers = Map::new();
    for (name, _) in rows.flat_map(|row| row.headers) {
        headers.insert((*name).to_owned(), json!({"schema": {"type": "string"}}));
    }
    let content = match way {
        Way::UploadHost => {
            json!({"text/plain": {"schema": {"type": "string", "pattern": "^ERROR [0-9]+: "}}})
        }
        Way::Api | Way::Batch => json!({"application/json": {"schema": FAILURE.reference()}}),
    };
    json!({"description": told.join("; "), "headers": headers, "content": content})
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn references<'d>(value: &'d Value, found: &mut HashSet<&'d str>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str));
                members.values().for_each(|value| references(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }

    #[test]
    fn what_is_referred_to_is_there_and_nothing_else() {
        let document = document(&Limits::default());
        let mut referred = HashSet::new();
        references(&document, &mut referred);
        let named = |kind: &str| {
            let names = document["components"][kind].as_object().unwrap().keys();
            names.map(|name| format!("#/components/{kind}/{name}")).collect::<HashSet<_>>()
        };
        assert_eq!(named("schemas").len(), COMPONENTS.len(), "two have one name");
        let there: HashSet<String> = named("schemas").into_iter().chain(named("responses")).collect();
        assert_eq!(there.iter().map(String::as_str).collect::<HashSet<_>>(), referred);
    }

    #[test]
    fn every_call_is_there_under_a_name_of_its_own() {
        let document = document(&Limits::default());
        let paths = document["paths"].as_object().unwrap();
        let operations = paths.values().flat_map(|path| path.as_object().unwrap().values());
        let names: Vec<&str> =
            operations.map(|operation| operation["operationId"].as_str().unwrap()).collect();
        assert_eq!(names.len(), ENDPOINTS.len() + BATCH_CALLS.len());
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len());
        let list = &document["paths"]["/client/v4/accounts/{account_id}/images/v2"]["get"];
        assert_eq!(list["operationId"], "list_images_v2");
        assert_eq!(document["paths"]["/batch/images/v2"]["get"]["operationId"], "batch_list_images_v2");
    }

    #[test]
    fn limits_are_those_of_the_server() {
        let limits = Limits { filters_max: 7, per_page_max: 44, ..Limits::default() };
        let document = document(&limits);
        let list = &document["paths"]["/client/v4/accounts/{account_id}/images/v2"]["get"]["parameters"];
        let of = |name: &str| {
            let mut rows = list.as_array().unwrap().iter();
            rows.find(|row| row["name"] == name).unwrap()["schema"].clone()
        };
        assert_eq!(
            (of("meta")["maxProperties"].clone(), of("per_page")["maximum"].clone()),
            (7.into(), 44.into())
        );
    }
}
