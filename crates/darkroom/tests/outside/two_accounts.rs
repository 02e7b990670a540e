//! Two accounts, one attacker: whoever may write in one account learns nothing of another and changes nothing in it.
//!
//! What an attacker learns is told by comparison: everything is tried on a server where the victim has something of every
//! kind, and, word for word, on a server where neither the victim nor anything of his exists. The answers must be the same.
//! The table of endpoints decides what is tried, so that a new call is attacked from its first day.

use darkroom::settings::CatalogEngine;
use darkroom_api::endpoints::{API_BASE, ENDPOINTS, Endpoint, EndpointName};
use darkroom_model::{AccountHash, AccountId, Scope, SigningKeyValue, signature};
use serde_json::{Value, json};

use super::common::client::{Answer, Form, Request};
use super::common::{ACCOUNT, HASH, OTHER_ACCOUNT, OTHER_TOKEN, READ_TOKEN, TOKEN, TestServer, pictures};

/// The hash of the attacker's account.
const OTHER_HASH: &str = "ZWd9g1K7eljCn_KDTu_MWA";
/// The ids of the victim's public image and of a draft.
const IMAGE: &str = "victims-image";
const DRAFT: &str = "victims-draft";
/// What stands in the victim's image and draft, and in no others.
const SECRET_WORD: &str = "victims-word";
/// The names of a variant and of a signing key of the victim.
const VARIANT: &str = "victims-variant";
const KEY: &str = "victims-key";
/// The name of the file of every image of the victim.
const FILENAME: &str = "victims-file.png";

/// What the victim has that others might come by, or guess.
struct Loot {
    private_image: String,
    continuation_token: String,
    /// What no answer to the attacker may have in it.
    secrets: Vec<String>,
}

/// Gives the victim something of every kind.
async fn fill(server: &TestServer) -> Loot {
    let metadata = format!(r#"{{"word":"{SECRET_WORD}"}}"#);
    let words =
        |id: &str| Form::default().field("id", id).field("metadata", &metadata).field("creator", SECRET_WORD);
    let upload = async |form: Form| {
        let form = form.file(FILENAME, pictures::PNG);
        server.call("POST", "/images/v1").form(&form).send().await.result()
    };
    upload(words(IMAGE)).await;
    let private = upload(Form::default().field("requireSignedURLs", "true")).await;
    upload(Form::default()).await;
    server.call("POST", "/images/v2/direct_upload").form(&words(DRAFT)).send().await.result();
    let variant = json!({ "id": VARIANT, "options": {"width": 7}, "neverRequireSignedURLs": false });
    server.call("POST", "/images/v1/variants").json(&variant.to_string()).send().await.result();
    let keys = server.call("PUT", &format!("/images/v1/keys/{KEY}")).send().await.result();
    server.call("PATCH", "/images/v1/config").json(r#"{"browser_ttl":7777}"#).send().await.result();
    let batch = server.call("GET", "/images/v1/batch_token").send().await.result();
    let page = server.call("GET", "/images/v2?per_page=1").send().await.result();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut secrets: Vec<String> = [SECRET_WORD, FILENAME, HASH, "7777"].map(str::to_owned).into();
    secrets.extend(keys["keys"].as_array().unwrap().iter().map(|key| text(&key["value"])));
    secrets.push(text(&batch["token"]));
    Loot {
        private_image: text(&private["id"]),
        continuation_token: text(&page["continuation_token"]),
        secrets,
    }
}

/// Everything of the victim that anyone can see, with the stored tokens.
async fn snapshot(server: &TestServer, loot: &Loot) -> Vec<Value> {
    let mut seen = Vec::new();
    let images = [IMAGE, &loot.private_image, DRAFT].map(|id| format!("/images/v1/{id}"));
    let blobs = images.iter().map(|path| format!("{path}/blob"));
    let others = ["/images/v1", "/images/v2", "/images/v1/stats", "/images/v1/variants", "/images/v1/keys"];
    let others = others.into_iter().chain(["/images/v1/config"]).map(str::to_owned);
    for path in images.iter().cloned().chain(blobs).chain(others) {
        let answer = server.call("GET", &path).send().await;
        seen.push(json!([path, answer.status, answer.text()]));
    }
    for path in [IMAGE, &loot.private_image].map(|id| format!("/{HASH}/{id}/{VARIANT}")) {
        let answer = server.request("GET", &path).send().await;
        seen.push(json!([path, answer.status, answer.text()]));
    }
    let victim = AccountId::parse(ACCOUNT).unwrap();
    let tokens = server.service().api_tokens().await.unwrap();
    let mut tokens: Vec<String> = tokens
        .iter()
        .filter(|token| token.grants.iter().any(|grant| grant.account == victim))
        .map(|token| format!("{token:?}"))
        .collect();
    tokens.sort();
    seen.push(json!(tokens));
    seen
}

/// A server where the victim's account, with all that is in it, does not exist.
async fn without_victim() -> TestServer {
    TestServer::start_with(CatalogEngine::Lmdb, |settings| {
        settings.account_id = Some(AccountId::parse("0123456789abcdef0123456789abcdef").unwrap());
        settings.account_hash = Some(AccountHash::parse("AAAAAAAAAAAAAAAAAAAAAA").unwrap());
    })
    .await
}

/// Returns the path of a call below its base, once for each thing that it could name.
fn paths(endpoint: &Endpoint, account: &str, hash: &str, loot: &Loot) -> Vec<String> {
    let images = [IMAGE, DRAFT, &loot.private_image, "nobodys-image"];
    let fill = |path: &str, image: &str| {
        path.replace("{account_id}", account)
            .replace("{account_hash}", hash)
            .replace("{image_id}", image)
            .replace("{variant_id}", VARIANT)
            .replace("{signing_key_name}", KEY)
    };
    let paths = match endpoint.path.contains("{image_id}") {
        true => images.iter().map(|image| fill(endpoint.path, image)).collect(),
        false => vec![fill(endpoint.path, IMAGE)],
    };
    assert!(paths.iter().all(|path| !path.contains('{')), "no attack on the names in {}", endpoint.path);
    paths
}

/// Returns what follows the path: for listings, everything that leads to the victim's images.
fn queries(name: EndpointName, loot: &Loot) -> Vec<String> {
    match name {
        EndpointName::ListImagesV1 | EndpointName::ListImagesV2 => vec![
            String::new(),
            format!("?meta.word[eq]={SECRET_WORD}"),
            format!("?creator={SECRET_WORD}"),
            format!("?per_page=1&continuation_token={}", loot.continuation_token),
        ],
        _ => vec![String::new()],
    }
}

/// Gives a request the body with which it would do the most.
fn with_body(request: Request, name: EndpointName) -> Request {
    use EndpointName as E;
    let file = || Form::default().file("attackers-file.gif", pictures::GIF);
    match name {
        E::UploadImage => request.form(&file().field("id", IMAGE)),
        E::DirectUpload => request.form(&file()),
        E::CreateDirectUpload => request.form(&Form::default().field("id", DRAFT)),
        E::CreateDirectUploadV1 => request.json(&json!({ "id": IMAGE }).to_string()),
        E::EditImage => request.json(r#"{"metadata":{"word":"broken"},"creator":"x"}"#),
        E::CreateVariant => request.json(&json!({ "id": VARIANT, "options": {"width": 1} }).to_string()),
        E::EditVariant => request.json(r#"{"options":{},"neverRequireSignedURLs":true}"#),
        E::EditConfig => request.json(r#"{"browser_ttl":3600,"flexible_variants":true}"#),
        E::VerifyToken | E::ListImagesV1 | E::ListImagesV2 | E::ImageDetails | E::ImageBlob | E::Stats => {
            request
        }
        E::DeleteImage | E::ListVariants | E::VariantDetails | E::FlatVariant | E::DeleteVariant => request,
        E::ListKeys | E::CreateKey | E::DeleteKey | E::Config | E::BatchToken => request,
    }
}

/// What the attacker may show: of his own, and made up.
struct Credentials {
    batch_token: String,
}

/// Every way in which the attacker asks for one call.
fn attempts(server: &TestServer, endpoint: &Endpoint, of: &Credentials, loot: &Loot) -> Vec<Request> {
    let mut requests = Vec::new();
    let mut ask = |path: String, change: &dyn Fn(Request) -> Request| {
        for query in queries(endpoint.name, loot) {
            let request = server.request(endpoint.method, &format!("{path}{query}"));
            requests.push(change(with_body(request, endpoint.name)));
        }
    };
    let api_token = |request: Request| request.token(OTHER_TOKEN);
    let batch_token = |request: Request| request.token(&of.batch_token);
    if endpoint.path.starts_with("/upload/") {
        // The victim's ids below the attacker's hash; the attacker's, and ids that nobody has, below the victim's.
        paths(endpoint, "", OTHER_HASH, loot).into_iter().for_each(|path| ask(path, &|request| request));
        ask(format!("/upload/{HASH}/attackers-draft"), &|request| request);
        ask(format!("/upload/{HASH}/nobodys-image"), &api_token);
        return requests;
    }
    for account in [ACCOUNT, OTHER_ACCOUNT] {
        for path in paths(endpoint, account, "", loot) {
            let path = format!("{API_BASE}{path}");
            ask(path.clone(), &api_token);
            ask(path.clone(), &batch_token);
            ask(path.clone(), &|request| request.header("x-auth-key", OTHER_TOKEN));
            ask(path, &|request| request);
        }
    }
    // On the paths of the batch host the token says whose account is meant.
    for path in paths(endpoint, ACCOUNT, "", loot) {
        let below = path.strip_prefix(&format!("/accounts/{ACCOUNT}")).unwrap_or(&path).to_owned();
        for credentials in [&batch_token as &dyn Fn(Request) -> Request, &api_token] {
            ask(format!("/batch{below}"), credentials);
            ask(format!("/batch{path}"), credentials);
            ask(below.clone(), &|request| credentials(request).header("host", "batch.imagedelivery.net"));
        }
    }
    requests
}

/// Returns what an answer says, without what differs from one server to the next.
fn told(server: &TestServer, answer: &Answer) -> String {
    fn mask(value: &mut Value) {
        match value {
            Value::Object(members) => members.iter_mut().for_each(|(name, value)| match name.as_str() {
                // Random: those of signing keys and batch tokens, and of the attacker's own continuation token.
                "value" | "token" | "continuation_token" if value.is_string() => *value = json!("random"),
                // That of the token that the attacker verifies.
                "id" if value.as_str().is_some_and(|id| id.len() == 32) => *value = json!("random"),
                _ => mask(value),
            }),
            Value::Array(values) => values.iter_mut().for_each(mask),
            _ => {}
        }
    }
    let text = answer.text().replace(&server.address.to_string(), "ADDRESS");
    let text = match serde_json::from_str::<Value>(&text) {
        Ok(mut json) => {
            mask(&mut json);
            json.to_string()
        }
        Err(_) => text,
    };
    let headers = ["content-type", "etag", "allow", "cf-images", "x-should-retry"];
    let headers = headers.map(|name| answer.header(name).map(str::to_owned));
    format!("{} {headers:?} {text}", answer.status)
}

/// Prepares the attacker: a batch token, an image, a draft.
async fn arm(server: &TestServer) -> Credentials {
    let own = |method: &str, path: &str| {
        server.request(method, &format!("{API_BASE}/accounts/{OTHER_ACCOUNT}{path}")).token(OTHER_TOKEN)
    };
    let form = Form::default().field("id", "attackers-image").file("attackers-file.gif", pictures::GIF);
    own("POST", "/images/v1").form(&form).send().await.result();
    own("POST", "/images/v2/direct_upload").json(r#"{"id":"attackers-draft"}"#).send().await.result();
    let batch = own("GET", "/images/v1/batch_token").send().await.result();
    Credentials { batch_token: batch["token"].as_str().unwrap().to_owned() }
}

#[tokio::test]
async fn no_call_tells_whether_there_is_another_account_or_changes_it() {
    let (server, empty) = (TestServer::start_on_disk().await, without_victim().await);
    let loot = fill(&server).await;
    let (credentials, credentials_in_empty) = (arm(&server).await, arm(&empty).await);
    let before = snapshot(&server, &loot).await;
    for endpoint in ENDPOINTS {
        let tried = attempts(&server, endpoint, &credentials, &loot);
        let tried_in_empty = attempts(&empty, endpoint, &credentials_in_empty, &loot);
        assert!(!tried.is_empty());
        for (request, in_empty) in tried.iter().zip(&tried_in_empty) {
            let (answer, answer_in_empty) = (request.send().await, in_empty.send().await);
            let what = String::from_utf8_lossy(&request.bytes()).into_owned();
            assert_eq!(told(&server, &answer), told(&empty, &answer_in_empty), "{what}");
            let text = answer.text();
            for secret in &loot.secrets {
                assert!(!text.contains(secret), "{secret} in the answer {text} to {what}");
            }
            assert!(!what.contains(ACCOUNT) || answer.status >= 400, "{} to {what}", answer.status);
        }
    }
    assert_eq!(snapshot(&server, &loot).await, before);
}

#[tokio::test]
async fn an_id_in_two_accounts_is_two_images() {
    let server = TestServer::start_on_disk().await;
    let loot = fill(&server).await;
    let before = snapshot(&server, &loot).await;
    let own = |method: &str, path: &str| {
        server.request(method, &format!("{API_BASE}/accounts/{OTHER_ACCOUNT}{path}")).token(OTHER_TOKEN)
    };
    let form = Form::default().field("id", IMAGE).file("attackers-file.jpg", pictures::PHOTO);
    own("POST", "/images/v1").form(&form).send().await.result();
    let delivered = |hash: &str| server.request("GET", &format!("/{hash}/{IMAGE}/public"));
    assert_eq!(delivered(HASH).send().await.header("content-type"), Some("image/png"));
    assert_eq!(delivered(OTHER_HASH).send().await.header("content-type"), Some("image/jpeg"));
    own("PATCH", &format!("/images/v1/{IMAGE}")).json(r#"{"metadata":{}}"#).send().await.result();
    own("DELETE", &format!("/images/v1/{IMAGE}")).send().await.result();
    assert_eq!(snapshot(&server, &loot).await, before);
    assert_eq!(delivered(OTHER_HASH).send().await.status, 404);
}

#[tokio::test]
async fn what_an_account_decides_opens_no_image_of_another() {
    let server = TestServer::start_on_disk().await;
    let loot = fill(&server).await;
    let own = |method: &str, path: &str| {
        server
            .request(method, &format!("{API_BASE}/accounts/{OTHER_ACCOUNT}/images/v1{path}"))
            .token(OTHER_TOKEN)
    };
    // A key and a variant of the same names, and everything as open as it can be.
    let keys = own("PUT", &format!("/keys/{KEY}")).send().await.result();
    let keys: Vec<String> = keys["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| key["value"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(keys.len(), 2);
    let open = json!({ "id": VARIANT, "options": {}, "neverRequireSignedURLs": true }).to_string();
    own("POST", "/variants").json(&open).send().await.result();
    own("PATCH", "/variants/public").json(&open).send().await.result();
    own("PATCH", "/config").json(r#"{"flexible_variants":true}"#).send().await.result();

    let id = &loot.private_image;
    let get = async |path: &str| server.request("GET", path).send().await;
    let wrong = get(&format!("/{HASH}/{id}/public?sig={}", "0".repeat(64))).await;
    assert_eq!((wrong.status, wrong.header("cf-images")), (403, Some("err=9425")));
    for variant in ["public", VARIANT] {
        let path = format!("/{HASH}/{id}/{variant}");
        assert_eq!(get(&path).await.status, 403, "{path}");
        for (url, message) in [
            (path.clone(), path.clone()),
            (format!("/cdn-cgi/imagedelivery{path}"), path.clone()),
            (path.clone(), path.replace(HASH, OTHER_HASH)),
        ] {
            for key in &keys {
                let sig = signature::sign(&SigningKeyValue::from_stored(key), &message);
                let answer = get(&format!("{url}?sig={sig}")).await;
                assert_eq!((answer.status, answer.text()), (wrong.status, wrong.text()), "{url}");
            }
        }
        assert_eq!(get(&path.replace(HASH, OTHER_HASH)).await.header("cf-images"), Some("err=9404"));
    }
    assert_eq!(get(&format!("/{HASH}/{IMAGE}/w=5")).await.header("cf-images"), Some("err=9429"));

    // Nor does the victim's key open what is the attacker's.
    let form = Form::default().field("requireSignedURLs", "true").file("attackers-file.jpg", pictures::PHOTO);
    let private = own("POST", "").form(&form).send().await.result();
    own("DELETE", &format!("/variants/{VARIANT}")).send().await.result();
    let closed = json!({ "options": {}, "neverRequireSignedURLs": false }).to_string();
    own("PATCH", "/variants/public").json(&closed).send().await.result();
    let path = format!("/{OTHER_HASH}/{}/public", private["id"].as_str().unwrap());
    let victims = server.call("GET", "/images/v1/keys").send().await.result();
    for key in victims["keys"].as_array().unwrap() {
        let key = SigningKeyValue::from_stored(key["value"].as_str().unwrap());
        assert_eq!(get(&format!("{path}?sig={}", signature::sign(&key, &path))).await.status, 403);
    }
    let key = SigningKeyValue::from_stored(&keys[0]);
    assert_eq!(get(&format!("{path}?sig={}", signature::sign(&key, &path))).await.status, 200);
}

#[tokio::test]
async fn a_continuation_token_leads_on_where_it_belongs() {
    let server = TestServer::start_on_disk().await;
    let loot = fill(&server).await;
    let next = |token: &str| {
        let path = format!("/images/v2?per_page=1&continuation_token={}", loot.continuation_token);
        server.call("GET", &path).token(token)
    };
    assert_eq!(next(TOKEN).send().await.result()["images"].as_array().map(Vec::len), Some(1));
    next(OTHER_TOKEN).send().await.refusal(403, 5403);
}

/// Every call of the victim's account, as its owner would send it.
fn own_calls<'s>(
    server: &'s TestServer,
    loot: &'s Loot,
) -> impl Iterator<Item = (&'static Endpoint, Request)> + 's {
    ENDPOINTS.iter().filter(|endpoint| endpoint.path.contains("{account_id}")).flat_map(move |endpoint| {
        paths(endpoint, ACCOUNT, HASH, loot).into_iter().map(move |path| {
            let request = server.request(endpoint.method, &format!("{API_BASE}{path}"));
            (endpoint, with_body(request, endpoint.name))
        })
    })
}

#[tokio::test]
async fn a_token_that_may_read_changes_nothing() {
    let server = TestServer::start_on_disk().await;
    let loot = fill(&server).await;
    let before = snapshot(&server, &loot).await;
    let mut tried = 0;
    for (endpoint, request) in own_calls(&server, &loot) {
        if endpoint.scope == Some(Scope::Write) {
            let answer = request.token(READ_TOKEN).send().await;
            assert_eq!(answer.status, 403, "{} {}: {}", endpoint.method, endpoint.path, answer.text());
            answer.refusal(403, 10000);
            tried += 1;
        }
    }
    assert!(tried >= 10, "the table names the calls that write");
    assert_eq!(snapshot(&server, &loot).await, before);
}

#[tokio::test]
async fn a_revoked_token_opens_nothing_from_the_next_request_on() {
    let server = TestServer::start_on_disk().await;
    let loot = fill(&server).await;
    let list = server.call("GET", "/images/v2").token(READ_TOKEN);
    list.send().await.result();
    let token = server.service().find_api_token(READ_TOKEN).await.unwrap().unwrap();
    assert!(server.service().revoke_api_token(&token.id).await.unwrap());
    list.send().await.refusal(403, 9109);
    let before = snapshot(&server, &loot).await;
    for (_, request) in own_calls(&server, &loot) {
        request.token(READ_TOKEN).send().await.refusal(403, 9109);
    }
    assert_eq!(snapshot(&server, &loot).await, before);
}
