//! The documents that are made of the tables: openapi.json and docs/api.md. `UPDATE_GENERATED=1` makes them fresh.

use darkroom_api::endpoints::{API_BASE, BATCH_BASE, BATCH_CALLS, Base, ENDPOINTS, Endpoint};
use darkroom_api::error_codes::ERROR_ROWS;
use darkroom_api::openapi;
use darkroom_model::{Limits, Scope};

/// Compares a file of the repository with what it should be.
fn check(name: &str, fresh: &str) {
    let path = format!("{}/../../{name}", env!("CARGO_MANIFEST_DIR"));
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    if committed != fresh && std::env::var_os("UPDATE_GENERATED").is_some() {
        std::fs::write(path, fresh).expect("the repository can be written");
        return;
    }
    assert!(committed == fresh, "{name} is stale: run this test with UPDATE_GENERATED=1");
}

#[test]
fn openapi_json_is_fresh() {
    let document = openapi::document(&Limits::default());
    check("openapi.json", &format!("{}\n", serde_json::to_string_pretty(&document).unwrap()));
}

#[test]
fn api_md_is_fresh() {
    check("docs/api.md", &api_md());
}

fn api_md() -> String {
    let calls: String = ENDPOINTS.iter().map(call_row).collect();
    let in_batch = ENDPOINTS.iter().filter(|endpoint| BATCH_CALLS.contains(&endpoint.name));
    let batch_calls: String = in_batch
        .map(|endpoint| {
            let path = endpoint.path.replace("/accounts/{account_id}", BATCH_BASE);
            format!("- `{} {path}`\n", endpoint.method)
        })
        .collect();
    let errors: String = ERROR_ROWS
        .iter()
        .map(|row| {
            let message = if row.message.is_empty() { "says what was expected" } else { row.message };
            format!("| {} | {} | {message} | {} |\n", row.status, row.code, row.occurs)
        })
        .collect();
    let document = openapi::PATH;
    format!(
        "# Calls and errors

Made of the tables that the server itself reads; `{document}` of every server says the same to programs, with bodies and
limits. Paths begin with `{API_BASE}`, those of the upload host at the root.

## Calls

| call | what it does | scope | errors besides the common ones |
|---|---|---|---|
{calls}
The common ones: those of credentials (6003, 9103, 9106, 9109, 10000, 5403) wherever a token is needed; 10429, 5500 and
5503 everywhere. An unknown path is 7003, another method 10405. `HEAD` asks for what `GET` does, without the body.

With a batch token in place of account and token:

{batch_calls}
## Errors

| status | code | message | when |
|--:|--:|---|---|
{errors}"
    )
}

fn call_row(endpoint: &Endpoint) -> String {
    let Endpoint { method, path, summary, .. } = endpoint;
    let scope = match (endpoint.scope, endpoint.base) {
        (Some(Scope::Read), _) => "read",
        (Some(Scope::Write), _) => "write",
        (None, Base::Api) => "any token",
        (None, Base::Root) => "none",
    };
    let mut codes: Vec<u32> = endpoint.errors.iter().map(|name| name.row().code).collect();
    codes.sort_unstable();
    codes.dedup();
    let codes: Vec<String> = codes.iter().map(u32::to_string).collect();
    format!("| `{method} {path}` | {summary} | {scope} | {} |\n", codes.join(", "))
}
