//! Variants (reference: api §10).

use serde_json::json;

use super::common::client::Request;
use super::common::{HASH, OTHER_ACCOUNT, OTHER_TOKEN, READ_TOKEN, TestServer};

fn create(server: &TestServer, body: &str) -> Request {
    server.call("POST", "/images/v1/variants").json(body)
}

#[tokio::test]
async fn every_account_begins_with_public() {
    let server = TestServer::start_on_disk().await;
    let public = json!({
        "id": "public",
        "options": {"fit": "scale-down", "metadata": "none", "width": 1366, "height": 768},
        "neverRequireSignedURLs": false,
    });
    let get = |path: &str| server.call("GET", path).token(READ_TOKEN);
    let list = get("/images/v1/variants").send().await.result();
    assert_eq!(list, json!({"variants": {"public": public}}));
    let one = get("/images/v1/variants/public").send().await.result();
    assert_eq!(one, json!({"variant": public}));
    assert_eq!(get("/images/v1/variants/public/flat").send().await.result(), public);
    assert_eq!(get("/images/v1/variants/%70ublic").send().await.result(), one);
    let error = server.call("DELETE", "/images/v1/variants/public").send().await.refusal(400, 5400);
    assert_eq!(error["message"], "The variant 'public' cannot be deleted");
}

#[tokio::test]
async fn a_variant_comes_back_as_it_was_given_and_stands_in_every_image_at_once() {
    let server = TestServer::start_on_disk().await;
    let id = server.uploaded(&[]).await;
    let urls = || async {
        server.call("GET", &format!("/images/v1/{id}")).send().await.result()["variants"].clone()
    };
    let url = |variant: &str| format!("http://{}/{HASH}/{id}/{variant}", server.address);

    let body = r#"{"id":"hero","options":{"width":100,"browser_ttl":7200,"unknown":1},"unknown":{}}"#;
    let hero = json!({"id": "hero", "options": {"width": 100, "browser_ttl": 7200}, "neverRequireSignedURLs": false});
    assert_eq!(create(&server, body).send().await.result(), json!({"variant": hero}));
    assert_eq!(urls().await, json!([url("hero"), url("public")]));
    let answer = create(&server, body).send().await;
    answer.refusal(409, 5409);
    assert_eq!(answer.header("x-should-retry"), Some("false"));

    let edit = |body: &str| server.call("PATCH", "/images/v1/variants/hero").json(body);
    let edited = edit(r#"{"options":{"fit":"squeeze","blur":0.5},"neverRequireSignedURLs":true}"#);
    let hero =
        json!({"id": "hero", "options": {"fit": "squeeze", "blur": 0.5}, "neverRequireSignedURLs": true});
    assert_eq!(edited.send().await.result(), json!({"variant": hero}));
    let edited = edit(r#"{"options":{}}"#).send().await.result();
    assert_eq!(edited["variant"], json!({"id": "hero", "options": {}, "neverRequireSignedURLs": true}));
    let list = server.call("GET", "/images/v1/variants").send().await.result();
    assert_eq!(list["variants"]["hero"], edited["variant"]);

    let delete = server.call("DELETE", "/images/v1/variants/hero");
    assert_eq!(delete.send().await.result(), json!({}));
    assert_eq!(urls().await, json!([url("public")]));
    assert_eq!(delete.send().await.refusal(404, 5404)["message"], "Variant not found");
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let server = TestServer::start().await;
    for name in ["nothing", "a%2Fb", "w=5", "%FF", "Public", &"a".repeat(100)] {
        let path = format!("/images/v1/variants/{name}");
        for request in [
            server.call("GET", &path),
            server.call("GET", &format!("{path}/flat")),
            server.call("PATCH", &path).json(r#"{"options":{}}"#),
            server.call("DELETE", &path),
        ] {
            assert_eq!(request.send().await.refusal(404, 5404)["message"], "Variant not found", "{name}");
        }
    }
}

#[tokio::test]
async fn wrong_bodies_say_where_and_change_nothing() {
    let server = TestServer::start().await;
    let before = server.call("GET", "/images/v1/variants").send().await.text();
    for (body, pointer) in [
        (r#"{"options":{}}"#, "/id"),
        (r#"{"id":"w=5","options":{}}"#, "/id"),
        (r#"{"id":7,"options":{}}"#, "/id"),
        (r#"{"id":"a"}"#, "/options"),
        (r#"{"id":"a","options":"fit=cover"}"#, "/options"),
        (r#"{"id":"a","options":{"width":12001}}"#, "/options/width"),
        (r#"{"id":"a","options":{"height":"5"}}"#, "/options/height"),
        (r#"{"id":"a","options":{"fit":"fill"}}"#, "/options/fit"),
        (r#"{"id":"a","options":{"metadata":true}}"#, "/options/metadata"),
        (r#"{"id":"a","options":{"blur":251}}"#, "/options/blur"),
        (r#"{"id":"a","options":{"browser_ttl":60}}"#, "/options/browser_ttl"),
        (r#"{"id":"a","options":{},"neverRequireSignedURLs":1}"#, "/neverRequireSignedURLs"),
    ] {
        let error = create(&server, body).send().await.refusal(400, 5400);
        assert_eq!(error["source"]["pointer"], pointer, "{body}");
    }
    let edit = server.call("PATCH", "/images/v1/variants/public");
    assert_eq!(edit.clone().json("{}").send().await.refusal(400, 5400)["source"]["pointer"], "/options");
    for body in ["", "[]", "id=a"] {
        let error = create(&server, body).send().await.refusal(400, 5400);
        assert_eq!(error["message"], "Invalid request body: must be a JSON object", "{body}");
        edit.clone().json(body).send().await.refusal(400, 5400);
    }
    create(&server, &" ".repeat(2_000_000)).send().await.refusal(413, 7011);
    assert_eq!(server.call("GET", "/images/v1/variants").send().await.text(), before);
}

#[tokio::test]
async fn the_hundred_and_first_is_refused() {
    let server = TestServer::start_on_disk().await;
    for index in 1..100 {
        create(&server, &format!(r#"{{"id":"v{index}","options":{{}}}}"#)).send().await.result();
    }
    let error = create(&server, r#"{"id":"more","options":{}}"#).send().await.refusal(400, 5400);
    assert_eq!(error["message"], "Too many variants: maximum 100 allowed");
    let list = server.call("GET", "/images/v1/variants").send().await.result();
    assert_eq!(list["variants"].as_object().unwrap().len(), 100);
}

#[tokio::test]
async fn they_belong_to_one_account() {
    let server = TestServer::start_on_disk().await;
    create(&server, r#"{"id":"mine","options":{}}"#).send().await.result();
    let other = |method: &str, rest: &str| {
        let path = format!("/client/v4/accounts/{OTHER_ACCOUNT}/images/v1/variants{rest}");
        server.request(method, &path).token(OTHER_TOKEN)
    };
    other("GET", "/mine").send().await.refusal(404, 5404);
    other("DELETE", "/mine").send().await.refusal(404, 5404);
    other("POST", "").json(r#"{"id":"mine","options":{"width":1}}"#).send().await.result();
    let mine = server.call("GET", "/images/v1/variants/mine/flat").send().await.result();
    assert_eq!(mine["options"], json!({}));
}
