//! Two accounts, one attacker: whoever may write in one account learns nothing of another and changes nothing in it.
//!
//! The table of endpoints decides what is tried, so that a new call is attacked from its first day.

use darkroom_api::endpoints::{ENDPOINTS, Endpoint};
use darkroom_model::Scope;

use super::common::client::{Answer, Form, Request};
use super::common::{ACCOUNT, HASH, OTHER_ACCOUNT, OTHER_TOKEN, READ_TOKEN, TOKEN, TestServer, pictures};

/// The hash of the other account.
const OTHER_HASH: &str = "ZWd9g1K7eljCn_KDTu_MWA";
/// The id of the victim's image.
const SECRET_ID: &str = "victims-image";
/// What stands in the victim's image, and in no other.
const SECRET_WORD: &str = "victims-word";

/// Uploads the victim's image, and a few more to page through.
async fn with_victim(server: TestServer) -> TestServer {
    let metadata = format!(r#"{{"word":"{SECRET_WORD}"}}"#);
    server.uploaded(&[("id", SECRET_ID), ("metadata", &metadata), ("creator", SECRET_WORD)]).await;
    for _ in 0..2 {
        server.uploaded(&[]).await;
    }
    server
}

/// Fills the names in an endpoint's path, with these for account and image.
fn path(endpoint: &Endpoint, account: &str, image: &str) -> String {
    let mut path = endpoint.path.replace("{account_id}", account).replace("{image_id}", image);
    while let (Some(begin), Some(end)) = (path.find('{'), path.find('}')) {
        path.replace_range(begin..=end, "public");
    }
    path
}

/// Every call that belongs to an account, as an attacker would send it.
fn attempts(server: &TestServer, account: &str, image: &str) -> Vec<(&'static Endpoint, Request)> {
    let of_accounts = ENDPOINTS.iter().filter(|endpoint| endpoint.path.contains("{account_id}"));
    of_accounts
        .map(|endpoint| {
            let path = format!("/client/v4{}", path(endpoint, account, image));
            let request = server.request(endpoint.method, &path);
            let request = match endpoint.method {
                "POST" => request.form(&Form::default().field("id", image).file("a.png", pictures::PNG)),
                "PATCH" | "PUT" => request.json(r#"{"metadata":{"word":"broken"}}"#),
                _ => request,
            };
            (endpoint, request)
        })
        .collect()
}

/// Asserts that an answer says nothing of the victim.
#[track_caller]
fn check_silent(answer: &Answer, what: &str) {
    let text = answer.text();
    for word in [SECRET_WORD, HASH, "tiny.png"] {
        assert!(!text.contains(word), "{what}: {text}");
    }
}

/// Asserts that the victim's images are as they were.
async fn check_untouched(server: &TestServer) {
    let details = server.call("GET", &format!("/images/v1/{SECRET_ID}")).send().await.result();
    assert_eq!(details["meta"]["word"], SECRET_WORD);
    let blob = server.call("GET", &format!("/images/v1/{SECRET_ID}/blob")).send().await;
    assert_eq!(blob.body, pictures::PNG);
    let page = server.call("GET", "/images/v2").send().await.result();
    assert_eq!(page["images"].as_array().map(Vec::len), Some(3));
}

#[tokio::test]
async fn a_token_opens_no_call_of_another_account() {
    let server = with_victim(TestServer::start_on_disk().await).await;
    let tried = attempts(&server, ACCOUNT, SECRET_ID);
    assert!(tried.len() >= 6, "the table names the calls of an account");
    for (endpoint, request) in tried {
        let what = format!("{} {}", endpoint.method, endpoint.path);
        let answer = request.token(OTHER_TOKEN).send().await;
        assert_eq!(answer.status, 403, "{what}: {}", answer.text());
        answer.refusal(403, 5403);
        check_silent(&answer, &what);
        // The same answer for an account that does not exist: nobody finds out which there are.
        let nowhere = request_to_nowhere(&server, endpoint).token(OTHER_TOKEN).send().await;
        assert_eq!((nowhere.status, nowhere.body), (answer.status, answer.body), "{what}");
    }
    check_untouched(&server).await;
}

/// The same call of an account that does not exist.
fn request_to_nowhere(server: &TestServer, endpoint: &Endpoint) -> Request {
    let mut attempts = attempts(server, "0123456789abcdef0123456789abcdef", SECRET_ID);
    let at = attempts.iter().position(|(known, _)| known.name == endpoint.name).unwrap();
    attempts.swap_remove(at).1
}

#[tokio::test]
async fn an_id_of_another_account_names_nothing_in_ones_own() {
    let server = with_victim(TestServer::start_on_disk().await).await;
    let own = |method: &str, path: &str| {
        let path = format!("/client/v4/accounts/{OTHER_ACCOUNT}{path}");
        server.request(method, &path).token(OTHER_TOKEN)
    };
    for (method, path) in [("GET", ""), ("GET", "/blob"), ("PATCH", ""), ("DELETE", "")] {
        let path = format!("/images/v1/{SECRET_ID}{path}");
        let request = own(method, &path);
        let request = if method == "PATCH" { request.json(r#"{"metadata":{}}"#) } else { request };
        let answer = request.send().await;
        answer.refusal(404, 5404);
        check_silent(&answer, &format!("{method} {path}"));
    }
    for query in ["", &format!("?meta.word[eq]={SECRET_WORD}"), &format!("?creator={SECRET_WORD}")] {
        let answer = own("GET", &format!("/images/v2{query}")).send().await;
        assert_eq!(answer.result()["images"], serde_json::json!([]), "{query}");
    }
    // The same id is free here, and its own image: neither can be taken for the other.
    let form = Form::default().field("id", SECRET_ID).field("metadata", r#"{"word":"own"}"#);
    let form = form.file("other.gif", pictures::GIF);
    own("POST", "/images/v1").form(&form).send().await.result();
    let delivered = |hash: &str| server.request("GET", &format!("/{hash}/{SECRET_ID}/public"));
    assert_eq!(delivered(HASH).send().await.body, pictures::PNG);
    assert_eq!(delivered(OTHER_HASH).send().await.body, pictures::GIF);
    own("PATCH", &format!("/images/v1/{SECRET_ID}")).json(r#"{"metadata":{}}"#).send().await.result();
    check_untouched(&server).await;
    own("DELETE", &format!("/images/v1/{SECRET_ID}")).send().await.result();
    check_untouched(&server).await;
    assert_ne!(delivered(OTHER_HASH).send().await.status, 200);
}

#[tokio::test]
async fn a_continuation_token_of_another_account_leads_nowhere() {
    let server = with_victim(TestServer::start_on_disk().await).await;
    let page = server.call("GET", "/images/v2?per_page=1").send().await.result();
    let continuation = page["continuation_token"].as_str().unwrap().to_owned();
    // The attacker has images too, so that the token would have somewhere to lead.
    let own = format!("/client/v4/accounts/{OTHER_ACCOUNT}/images");
    for _ in 0..2 {
        let form = Form::default().file("own.gif", pictures::GIF);
        let upload = server.request("POST", &format!("{own}/v1")).token(OTHER_TOKEN).form(&form);
        upload.send().await.result();
    }
    let next = |base: &str, token: &str| {
        let path = format!("{base}/v2?per_page=1&continuation_token={continuation}");
        server.request("GET", &path).token(token)
    };
    let answer = next(&own, OTHER_TOKEN).send().await;
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert_eq!(answer.json()["success"], false);
    check_silent(&answer, "a foreign continuation token");
    // Where it belongs, it leads on; and only for a token of that account.
    let victims = format!("/client/v4/accounts/{ACCOUNT}/images");
    assert_eq!(next(&victims, TOKEN).send().await.result()["images"].as_array().map(Vec::len), Some(1));
    next(&victims, OTHER_TOKEN).send().await.refusal(403, 5403);
}

#[tokio::test]
async fn a_token_that_may_read_changes_nothing() {
    let server = with_victim(TestServer::start_on_disk().await).await;
    let writes = attempts(&server, ACCOUNT, SECRET_ID)
        .into_iter()
        .filter(|(endpoint, _)| endpoint.scope == Some(Scope::Write));
    let mut tried = 0;
    for (endpoint, request) in writes {
        let answer = request.token(READ_TOKEN).send().await;
        assert_eq!(answer.status, 403, "{} {}: {}", endpoint.method, endpoint.path, answer.text());
        answer.refusal(403, 10000);
        tried += 1;
    }
    assert!(tried >= 3, "the table names the calls that write");
    check_untouched(&server).await;
}

#[tokio::test]
async fn a_revoked_token_opens_nothing_from_the_next_request_on() {
    let server = with_victim(TestServer::start_on_disk().await).await;
    let list = server.call("GET", "/images/v2").token(READ_TOKEN);
    list.send().await.result();
    let token = server.service().find_api_token(READ_TOKEN).await.unwrap().unwrap();
    assert!(server.service().revoke_api_token(&token.id).await.unwrap());
    list.send().await.refusal(403, 9109);
    for (endpoint, request) in attempts(&server, ACCOUNT, SECRET_ID) {
        let answer = request.token(READ_TOKEN).send().await;
        assert_eq!(answer.status, 403, "{} {}", endpoint.method, endpoint.path);
        answer.refusal(403, 9109);
    }
    // The others of the account are as they were.
    check_untouched(&server).await;
}
