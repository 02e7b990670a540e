//! Signing keys and the configuration of an account (reference: api §11, §12).

use serde_json::{Value, json};

use super::common::client::Request;
use super::common::{OTHER_ACCOUNT, OTHER_TOKEN, READ_TOKEN, TestServer};

/// Returns the keys that an answer names, and asserts that each has a value of its own.
async fn keys(request: Request) -> Vec<(String, String)> {
    let result = request.send().await.result();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let keys = result["keys"].as_array().unwrap().iter();
    let keys: Vec<_> = keys.map(|key| (text(&key["name"]), text(&key["value"]))).collect();
    let values: std::collections::HashSet<_> = keys.iter().map(|(_, value)| value).collect();
    assert_eq!(values.len(), keys.len());
    assert!(keys.iter().all(|(_, value)| value.len() == 32), "{keys:?}");
    keys
}

fn names(keys: &[(String, String)]) -> Vec<&str> {
    keys.iter().map(|(name, _)| name.as_str()).collect()
}

#[tokio::test]
async fn keys_come_and_go_and_each_call_answers_with_all() {
    let server = TestServer::start_on_disk().await;
    let put = |name: &str| server.call("PUT", &format!("/images/v1/keys/{name}")).body("");
    let delete = |name: &str| server.call("DELETE", &format!("/images/v1/keys/{name}"));

    let first = keys(server.call("GET", "/images/v1/keys")).await;
    assert_eq!(names(&first), ["default"]);
    let two = keys(put("second-_2")).await;
    assert_eq!((names(&two), &two[0]), (vec!["default", "second-_2"], &first[0]));
    assert_eq!(keys(put("second-_2")).await, two, "a repeated call changes no value");
    assert_eq!(keys(delete("default")).await, two[1..]);
    let last = keys(delete("second-_2")).await;
    assert_eq!(names(&last), ["default"]);
    assert_ne!(last[0].1, first[0].1, "the last key is replaced by a new one");
    assert_ne!(keys(delete("default")).await, last);
    assert_eq!(delete("second-_2").send().await.refusal(404, 5404)["message"], "Key not found");
}

#[tokio::test]
async fn names_that_no_key_can_have() {
    let server = TestServer::start().await;
    for name in ["a%2Fb", "%C3%A9", "a%20b", "%FF", "a.b", &"a".repeat(21)] {
        let path = format!("/images/v1/keys/{name}");
        let error = server.call("PUT", &path).send().await.refusal(400, 5400);
        assert_eq!(
            error["message"], "Invalid signing key name: must be 1 to 20 letters, digits, '_' or '-'",
            "{name}"
        );
        server.call("DELETE", &path).send().await.refusal(404, 5404);
    }
    assert_eq!(names(&keys(server.call("GET", "/images/v1/keys")).await), ["default"]);
}

#[tokio::test]
async fn the_eleventh_key_is_refused() {
    let server = TestServer::start().await;
    let put = |name: &str| server.call("PUT", &format!("/images/v1/keys/{name}"));
    for index in 1..10 {
        put(&format!("k{index}")).send().await.result();
    }
    let error = put("more").send().await.refusal(400, 5400);
    assert_eq!(error["message"], "Too many signing keys: maximum 10 allowed");
    assert_eq!(keys(put("k1")).await.len(), 10);
}

#[tokio::test]
async fn a_token_that_reads_images_sees_no_keys_and_another_account_has_its_own() {
    let server = TestServer::start_on_disk().await;
    for (method, path) in [
        ("GET", "/images/v1/keys"),
        ("PUT", "/images/v1/keys/a"),
        ("DELETE", "/images/v1/keys/default"),
        ("PATCH", "/images/v1/config"),
        ("POST", "/images/v1/variants"),
    ] {
        server.call(method, path).token(READ_TOKEN).send().await.refusal(403, 10000);
    }
    let path = format!("/client/v4/accounts/{OTHER_ACCOUNT}/images/v1/keys");
    let theirs = keys(server.request("GET", &path).token(OTHER_TOKEN)).await;
    assert_ne!(keys(server.call("GET", "/images/v1/keys")).await, theirs);
}

#[tokio::test]
async fn a_configuration_changes_field_by_field() {
    let server = TestServer::start_on_disk().await;
    let get = || server.call("GET", "/images/v1/config").token(READ_TOKEN);
    let patch = |body: &str| server.call("PATCH", "/images/v1/config").json(body);
    let config = |flexible: bool, ttl: u32, credentials: bool| json!({"flexible_variants": flexible, "browser_ttl": ttl, "preserve_content_credentials": credentials});
    assert_eq!(get().send().await.result(), config(false, 172_800, false));
    assert_eq!(patch("{}").send().await.result(), config(false, 172_800, false));
    assert_eq!(patch(r#"{"browser_ttl":3600}"#).send().await.result(), config(false, 3_600, false));
    let body = r#"{"flexible_variants":true,"preserve_content_credentials":true,"unknown":5}"#;
    assert_eq!(patch(body).send().await.result(), config(true, 3_600, true));
    for (body, pointer) in [
        (r#"{"browser_ttl":3599}"#, json!("/browser_ttl")),
        (r#"{"browser_ttl":31536001,"flexible_variants":false}"#, json!("/browser_ttl")),
        (r#"{"flexible_variants":"true"}"#, json!("/flexible_variants")),
        (r#"{"preserve_content_credentials":null}"#, json!("/preserve_content_credentials")),
        ("[]", Value::Null),
        ("", Value::Null),
    ] {
        assert_eq!(patch(body).send().await.refusal(400, 5400)["source"]["pointer"], pointer, "{body}");
    }
    assert_eq!(get().send().await.result(), config(true, 3_600, true));
}
