//! The token for the batch host, and what it opens there (reference: api §15).

use darkroom_model::Timestamp;

use super::common::client::{Form, Request};
use super::common::{HASH, READ_TOKEN, TOKEN, TestServer, pictures};

async fn batch_token(server: &TestServer, api_token: &str) -> String {
    let answer = server.call("GET", "/images/v1/batch_token").token(api_token).send().await;
    answer.result()["token"].as_str().unwrap().to_owned()
}

/// Begins a request to a path of the batch host, in both ways that there are.
fn both(server: &TestServer, method: &str, path: &str) -> [Request; 2] {
    let below = server.request(method, &format!("/batch{path}"));
    let at_root = server.request(method, path).header("host", "batch.imagedelivery.net");
    [below, at_root]
}

#[tokio::test]
async fn a_token_lasts_an_hour() {
    let server = TestServer::start_on_disk().await;
    let answer = server.call("GET", "/images/v1/batch_token").send().await.result();
    assert_eq!(answer["expiresAt"], "2026-01-01T01:00:00.000000000Z");
    let token = answer["token"].as_str().unwrap();
    assert!(token.len() >= 32, "{token}");
    let list = || server.request("GET", "/batch/images/v2").token(token);
    server.clock.set(Timestamp::parse("2026-01-01T00:59:59.999Z").unwrap());
    list().send().await.result();
    server.clock.set(Timestamp::parse("2026-01-01T01:00:00.000Z").unwrap());
    list().send().await.refusal(403, 9109);
}

#[tokio::test]
async fn the_calls_of_the_batch_host_do_what_those_of_the_api_do() {
    let server = TestServer::start_on_disk().await;
    let token = batch_token(&server, TOKEN).await;
    for index in [0, 1] {
        let call = |method: &str, path: &str| both(&server, method, path)[index].clone().token(&token);
        let form = Form::default().field("id", "cats/tabby").file("tiny.png", pictures::PNG);
        let uploaded = call("POST", "/images/v1").form(&form).send().await.result();
        let url = format!("http://{}/{HASH}/cats/tabby/public", server.address);
        assert_eq!(uploaded["variants"], serde_json::json!([url]), "images are not at the batch host");
        assert_eq!(call("GET", "/images/v1/cats%2Ftabby").send().await.result(), uploaded);
        let edit = call("PATCH", "/images/v1/cats%2Ftabby").json(r#"{"creator":"ann"}"#);
        assert_eq!(edit.send().await.result()["creator"], "ann");
        let list = call("GET", "/images/v2?creator=ann").send().await.result();
        assert_eq!(list["images"].as_array().map(Vec::len), Some(1));
        call("GET", "/images/v2?per_page=0").send().await.refusal(400, 5400);
        let seen = server.call("GET", "/images/v1/cats%2Ftabby").send().await.result();
        assert_eq!(seen["creator"], "ann");
        call("DELETE", "/images/v1/cats%2Ftabby").send().await.result();
        call("GET", "/images/v1/cats%2Ftabby").send().await.refusal(404, 5404);
    }
}

#[tokio::test]
async fn everything_else_is_forbidden_there() {
    let server = TestServer::start().await;
    let token = batch_token(&server, TOKEN).await;
    for (method, path) in [
        ("GET", "/images/v1"),
        ("GET", "/images/v1/stats"),
        ("GET", "/images/v1/variants"),
        ("PUT", "/images/v1/keys/a"),
        ("GET", "/images/v1/config"),
        ("GET", "/images/v1/batch_token"),
        ("GET", "/images/v1/a/blob"),
        ("POST", "/images/v2"),
        ("GET", "/client/v4/user/tokens/verify"),
        ("GET", "/anything"),
    ] {
        for request in both(&server, method, path) {
            let answer = request.token(&token).send().await;
            assert_eq!(
                (answer.status, answer.text().as_str()),
                (
                    403,
                    r#"{"result":null,"success":false,"errors":[{"code":"103","message":"forbidden endpoint"}],"messages":[]}"#
                ),
                "{method} {path}"
            );
        }
    }
}

#[tokio::test]
async fn each_token_opens_its_own_paths_and_no_others() {
    let server = TestServer::start_on_disk().await;
    let token = batch_token(&server, TOKEN).await;
    for request in both(&server, "GET", "/images/v2") {
        request.clone().send().await.refusal(400, 9106);
        request.clone().token("nobody-knows-this-one").send().await.refusal(403, 9109);
        request.token(TOKEN).send().await.refusal(403, 10000);
    }
    for path in ["/images/v2", "/images/v1/stats", "/images/v1/batch_token", "/images/v1/keys"] {
        server.call("GET", path).token(&token).send().await.refusal(403, 10000);
    }
    let verify = server.request("GET", "/client/v4/user/tokens/verify").token(&token);
    verify.send().await.refusal(403, 10000);
}

#[tokio::test]
async fn a_token_that_may_read_makes_no_token_that_may_write() {
    let server = TestServer::start_on_disk().await;
    server.uploaded(&[("id", "a")]).await;
    let token = batch_token(&server, READ_TOKEN).await;
    server.request("GET", "/batch/images/v1/a").token(&token).send().await.result();
    server.request("DELETE", "/batch/images/v1/a").token(&token).send().await.refusal(403, 10000);
    server.call("GET", "/images/v1/a").send().await.result();
}
