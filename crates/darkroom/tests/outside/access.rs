//! Who may ask, in which order the checks come, and what is not there at all (reference: api §1.1, §1.2).

use super::common::client::{Answer, Request};
use super::common::{ACCOUNT, OTHER_ACCOUNT, OTHER_TOKEN, READ_TOKEN, TOKEN, TestServer};

/// Requests that are wrong in every way that comes after authorisation.
fn wrong_otherwise(server: &TestServer, account: &str) -> Vec<Request> {
    let path = |rest: &str| format!("/client/v4/accounts/{account}{rest}");
    vec![
        server.request("GET", &path("/images/v2?per_page=0")),
        server.request("GET", &path("/images/v1/nothing")),
        server.request("GET", &path("/images/v1/%2e%2e")),
        server.request("GET", &path("/images/v1/nothing/blob")),
        server.request("PATCH", &path("/images/v1/nothing")).body("no json"),
        server.request("DELETE", &path("/images/v1/nothing")),
        server.request("POST", &path("/images/v1")).body("no form"),
        server.request("POST", &path("/images/v1")).header("content-length", "99999999999"),
        server.request("GET", &path("/images/v1/stats")),
        server.request("PUT", &path("/images/v1/keys/default")),
    ]
}

/// Asserts that every wrong request is refused in this way, because this comes first.
async fn check_first(requests: Vec<Request>, change: impl Fn(Request) -> Request, check: impl Fn(&Answer)) {
    for request in requests {
        check(&change(request).send().await);
    }
}

#[tokio::test]
async fn without_credentials_nothing_else_is_looked_at() {
    let server = TestServer::start().await;
    for account in [ACCOUNT, "unknown"] {
        let email = |request: Request| request.header("x-auth-email", "ann@example.com");
        check_first(wrong_otherwise(&server, account), email, |answer| {
            let error = answer.refusal(400, 9106);
            assert_eq!(error["message"], "Missing X-Auth-Key, X-Auth-Email or Authorization headers");
        })
        .await;
    }
}

#[tokio::test]
async fn malformed_credentials_say_which() {
    let server = TestServer::start().await;
    let basic = |request: Request| request.header("authorization", "Basic YTpi");
    check_first(wrong_otherwise(&server, ACCOUNT), basic, |answer| {
        let error = answer.refusal(400, 6003);
        assert_eq!(
            error["error_chain"],
            serde_json::json!([{"code": 6111, "message": "Invalid format for Authorization header"}])
        );
    })
    .await;
    let key = |request: Request| request.header("x-auth-key", "not a key");
    check_first(wrong_otherwise(&server, ACCOUNT), key, |answer| {
        let error = answer.refusal(400, 6003);
        assert_eq!(
            error["error_chain"],
            serde_json::json!([{"code": 6103, "message": "Invalid format for X-Auth-Key header"}])
        );
    })
    .await;
}

#[tokio::test]
async fn unknown_tokens_are_refused_before_accounts_are_looked_at() {
    let server = TestServer::start().await;
    for account in [ACCOUNT, "unknown"] {
        let unknown = |request: Request| request.token("nobody-knows-this-one");
        check_first(wrong_otherwise(&server, account), unknown, |answer| {
            assert_eq!(answer.refusal(403, 9109)["message"], "Invalid access token");
        })
        .await;
    }
}

#[tokio::test]
async fn an_account_that_is_not_the_tokens_is_refused_whether_it_exists_or_not() {
    let server = TestServer::start().await;
    for (account, token) in [(OTHER_ACCOUNT, TOKEN), ("unknown", TOKEN), (ACCOUNT, OTHER_TOKEN)] {
        check_first(
            wrong_otherwise(&server, account),
            |request| request.token(token),
            |answer| {
                let error = answer.refusal(403, 5403);
                assert_eq!(error["source"]["pointer"], "/path/account_id");
            },
        )
        .await;
    }
}

#[tokio::test]
async fn a_token_that_may_read_may_not_write() {
    let server = TestServer::start().await;
    let writes = wrong_otherwise(&server, ACCOUNT).split_off(4);
    let writes: Vec<Request> = [&writes[..4], &writes[5..]].concat();
    check_first(
        writes,
        |request| request.token(READ_TOKEN),
        |answer| {
            assert_eq!(answer.refusal(403, 10000)["message"], "Authentication error");
        },
    )
    .await;
    let stats = server.call("GET", "/images/v1/stats").token(READ_TOKEN);
    stats.send().await.result();
}

#[tokio::test]
async fn a_key_carries_a_token_and_authorization_is_preferred() {
    let server = TestServer::start().await;
    let path = format!("/client/v4/accounts/{ACCOUNT}/images/v2");
    let list = |headers: &[(&str, &str)]| {
        let request = server.request("GET", &path);
        headers.iter().fold(request, |request, (name, value)| request.header(name, value))
    };
    let bearer = format!("bEARER {TOKEN}");
    list(&[("x-auth-key", TOKEN), ("x-auth-email", "whoever")]).send().await.result();
    list(&[("x-auth-key", "unknown-key-it-is"), ("authorization", &bearer)]).send().await.result();
    list(&[("x-auth-key", "unknown-key-it-is")]).send().await.refusal(403, 9103);
    list(&[("x-auth-key", TOKEN), ("authorization", "Bearer unknown-token")]).send().await.refusal(403, 9109);
}

#[tokio::test]
async fn a_token_can_be_verified() {
    let server = TestServer::start().await;
    let verify = || server.request("GET", "/client/v4/user/tokens/verify");
    let answer = verify().token(READ_TOKEN).send().await;
    let result = answer.result();
    assert_eq!((result["status"].as_str(), result["id"].as_str().map(str::len)), (Some("active"), Some(32)));
    assert_eq!(
        answer.json()["messages"],
        serde_json::json!([{"code": 10000, "message": "This API Token is valid and active"}])
    );
    let unknown = verify().token("nobody-knows-this-one").send().await.refusal(401, 1000);
    assert_eq!(unknown["message"], "Invalid API Token");
    verify().send().await.refusal(400, 9106);
    verify().header("authorization", "Token x").send().await.refusal(400, 6003);
    let post = server.request("POST", "/client/v4/user/tokens/verify").token(TOKEN).send().await;
    post.refusal(405, 10405);
    assert_eq!(post.header("allow"), Some("GET"));
}

#[tokio::test]
async fn unknown_paths_below_the_base_are_no_routes() {
    let server = TestServer::start().await;
    for path in [
        "/client/v4".to_owned(),
        "/client/v4/".to_owned(),
        "/client/v4/zones".to_owned(),
        "/client/v4/accounts".to_owned(),
        format!("/client/v4/accounts/{ACCOUNT}/images"),
        format!("/client/v4/accounts/{ACCOUNT}/images/v3"),
        format!("/client/v4/accounts/{ACCOUNT}/images/v2/"),
        format!("/client/v4/accounts/{ACCOUNT}/images/v2/x"),
        format!("/client/v4/accounts/{ACCOUNT}//images/v2"),
        format!("/client/v4//accounts/{ACCOUNT}/images/v2"),
        "/client/v4/accounts/not%20an%20account/images/v2".to_owned(),
    ] {
        let error = server.request("GET", &path).token(TOKEN).send().await.refusal(404, 7003);
        assert_eq!(error["message"], "No route for the URI", "{path}");
    }
}

#[tokio::test]
async fn wrong_methods_are_told_the_right_ones() {
    let server = TestServer::start().await;
    for (method, path, allowed) in [
        ("POST", "/images/v2", "GET"),
        ("BREW", "/images/v2", "GET"),
        ("PUT", "/images/v1", "POST, GET"),
        ("POST", "/images/v1/an-image", "GET, PATCH, DELETE"),
        ("DELETE", "/images/v1/an-image/blob", "GET"),
        ("OPTIONS", "/images/v1/an-image", "GET, PATCH, DELETE"),
    ] {
        let answer = server.call(method, path).send().await;
        let error = answer.refusal(405, 10405);
        assert_eq!(error["message"], "Method not allowed for this authentication scheme");
        assert_eq!(answer.header("allow"), Some(allowed), "{method} {path}");
    }
    // The upload host has a code of its own, and no envelope.
    let answer = server.request("GET", "/upload/Vi7wi5KSItxGFsWRG2Us6Q/some-image").send().await;
    assert_eq!((answer.status, answer.text()), (405, "ERROR 5405: Method not allowed".into()));
    assert_eq!(answer.header("allow"), Some("POST, OPTIONS"));
}

#[tokio::test]
async fn bulk_import_is_no_call() {
    let server = TestServer::start().await;
    for (method, path) in
        [("GET", "/images/v2/sourcingkit/sources"), ("POST", "/images/v2/sourcingkit/migrations")]
    {
        server.call(method, path).send().await.refusal(404, 7003);
    }
}
