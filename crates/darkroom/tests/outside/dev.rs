//! `darkroom dev` as an application's tests see it: clock, ids, seed, reset.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use darkroom::commands::dev::{RunningDev, start};
use darkroom::dev::{ACCOUNT_HASH, ACCOUNT_ID, API_TOKEN, DevOptions};
use darkroom::settings::{Listen, Settings};
use darkroom_model::{SigningKeyValue, Timestamp, signature};
use serde_json::{Value, json};

use super::common::TestServer;
use super::common::client::{Form, Request};
use super::common::pictures::{GIF, PNG};

/// A server for tests that runs in this one.
pub(crate) struct Dev(RunningDev);

impl Dev {
    pub(crate) async fn start() -> Dev {
        Dev::start_with(DevOptions::default()).await
    }

    pub(crate) async fn start_with(options: DevOptions) -> Dev {
        let render_program = Some(env!("CARGO_BIN_EXE_darkroom").into());
        Dev(start(settings(), DevOptions { render_program, ..options }).await.unwrap())
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.0.addresses()[0]
    }

    /// Begins a call of `darkroom dev` itself.
    pub(crate) fn dev(&self, method: &str, call: &str) -> Request {
        Request::new(self.address(), method, &format!("/dev/{call}"))
    }

    /// Makes such a call, which must succeed, and returns its result.
    pub(crate) async fn told(&self, call: &str, body: Value) -> Value {
        self.dev("POST", call).json(&body.to_string()).send().await.result()
    }

    /// Begins a call of the API, below the account.
    pub(crate) fn call(&self, method: &str, path: &str) -> Request {
        let path = format!("/client/v4/accounts/{ACCOUNT_ID}{path}");
        Request::new(self.address(), method, &path).token(API_TOKEN)
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> Request {
        Request::new(self.address(), method, path)
    }

    pub(crate) fn upload(&self) -> Request {
        self.call("POST", "/images/v1").form(&Form::default().file("tiny.png", PNG))
    }

    async fn uploaded(&self) -> Value {
        self.upload().send().await.result()
    }

    pub(crate) async fn images(&self) -> Vec<Value> {
        let list = self.call("GET", "/images/v2?sort_order=asc").send().await.result();
        list["images"].as_array().unwrap().clone()
    }
}

fn settings() -> Settings {
    Settings { listen: Listen::Named(vec!["127.0.0.1:0".parse().unwrap()]), ..Settings::default() }
}

fn fixed() -> DevOptions {
    let clock = Timestamp::parse("2026-01-01T00:00:00.000Z");
    DevOptions { clock, ids: Some("a word".to_owned()), ..DevOptions::default() }
}

fn seeded(folder: &Path) -> DevOptions {
    DevOptions { seed: Some(folder.to_owned()), ..fixed() }
}

#[tokio::test]
async fn the_account_is_known_and_the_answer_is_as_in_serve() {
    let dev = Dev::start().await;
    let verified = dev.request("GET", "/client/v4/user/tokens/verify").token(API_TOKEN).send().await.result();
    assert_eq!(verified["status"], "active");
    let image = dev.uploaded().await;
    let url = image["variants"][0].as_str().unwrap();
    let path = url.split_once(ACCOUNT_HASH).unwrap().1;
    let delivered = dev.request("GET", &format!("/{ACCOUNT_HASH}{path}")).send().await;
    assert_eq!((delivered.status, delivered.header("content-type")), (200, Some("image/png")));
    let line: Value = serde_json::from_str(&dev.0.ready_line()).unwrap();
    let origin = url.split_once(&format!("/{ACCOUNT_HASH}/")).unwrap().0;
    assert_eq!(
        line,
        json!({
            "url": origin,
            "base_url": format!("{origin}/client/v4"),
            "account_id": ACCOUNT_ID,
            "account_hash": ACCOUNT_HASH,
            "api_token": API_TOKEN,
        })
    );
}

#[tokio::test]
async fn in_serve_the_calls_of_dev_are_unknown_paths() {
    let server = TestServer::start().await;
    for path in ["/dev/reset", "/dev/clock", "/dev/ids", "/dev/faults", "/dev/requests", "/dev"] {
        for method in ["GET", "POST", "DELETE"] {
            let unknown = path.replace("dev", "vde");
            let answer = server.request(method, path).json("{}").send().await;
            let expected = server.request(method, &unknown).json("{}").send().await;
            assert_eq!((answer.status, answer.text()), (expected.status, expected.text()), "{method} {path}");
            assert!(answer.status >= 400);
        }
    }
}

#[tokio::test]
async fn the_clock_decides_when_things_were_uploaded_and_expire() {
    let dev = Dev::start_with(fixed()).await;
    assert_eq!(dev.uploaded().await["uploaded"], "2026-01-01T00:00:00.000Z");
    let expected = json!({ "now": "2026-01-01T01:00:00.500Z", "runs": false });
    assert_eq!(dev.told("clock", json!({ "advance_seconds": 3600.5 })).await, expected);
    assert_eq!(dev.dev("GET", "clock").send().await.result(), expected);
    assert_eq!(dev.uploaded().await["uploaded"], "2026-01-01T01:00:00.500Z");

    // A one-time URL lives for half an hour unless it is told otherwise.
    let draft = dev.call("POST", "/images/v2/direct_upload").form(&Form::default()).send().await.result();
    let path = draft["uploadURL"].as_str().unwrap().splitn(4, '/').nth(3).unwrap().to_owned();
    let send = || dev.request("POST", &format!("/{path}")).form(&Form::default().file("a.png", PNG));
    dev.told("clock", json!({ "now": "2026-01-01T01:31:00Z" })).await;
    assert_eq!(send().send().await.status, 410);
    // What the sweep would have removed by now is removed.
    dev.told("clock", json!({ "advance_seconds": 2 * 86_400 })).await;
    assert_eq!(send().send().await.status, 404);
    assert_eq!(dev.told("clock", json!({ "runs": true })).await["runs"], true);
}

#[tokio::test]
async fn signed_urls_and_batch_tokens_expire_by_the_clock() {
    let dev = Dev::start_with(fixed()).await;
    let form = Form::default().field("requireSignedURLs", "true").file("a.png", PNG);
    let image = dev.call("POST", "/images/v1").form(&form).send().await.result();
    let keys = dev.call("GET", "/images/v1/keys").send().await.result();
    let key = SigningKeyValue::from_stored(keys["keys"][0]["value"].as_str().unwrap());
    let path = format!("/{ACCOUNT_HASH}/{}/public", image["id"].as_str().unwrap());
    let until_one = format!("{path}?exp=1767229200");
    let signed = format!("{until_one}&sig={}", signature::sign(&key, &until_one));
    let batch = dev.call("GET", "/images/v1/batch_token").send().await.result();
    let list = dev.request("GET", "/batch/images/v2").token(batch["token"].as_str().unwrap());
    let statuses = async || [dev.request("GET", &signed).send().await.status, list.send().await.status];
    assert_eq!(statuses().await, [200, 200]);
    dev.told("clock", json!({ "advance_seconds": 3601 })).await;
    assert_eq!(statuses().await, [403, 403]);
}

#[tokio::test]
async fn ids_follow_from_their_seed() {
    let ids = async |dev: &Dev| [dev.uploaded().await, dev.uploaded().await].map(|image| image["id"].clone());
    let (one, other) = (Dev::start_with(fixed()).await, Dev::start_with(fixed()).await);
    let first = ids(&one).await;
    assert_eq!(ids(&other).await, first);
    assert_eq!(other.told("ids", json!({ "seed": "another word" })).await, json!({ "seed": "another word" }));
    assert_ne!(ids(&other).await, first);
    other.told("reset", json!({})).await;
    assert_eq!(ids(&other).await, first);
    let chance = other.told("ids", json!({ "seed": null })).await;
    assert_eq!(
        (chance, other.dev("GET", "ids").send().await.result()),
        (json!({ "seed": null }), json!({ "seed": null }))
    );
}

fn write_seed(folder: &Path) {
    fs::create_dir(folder.join("birds")).unwrap();
    fs::write(folder.join("cat.png"), PNG).unwrap();
    fs::write(
        folder.join("cat.png.json"),
        r#"{"id":"cat","creator":"me","metadata":{"lives":9},"uploaded":"2025-12-24T18:00:00+01:00"}"#,
    )
    .unwrap();
    fs::write(folder.join("birds/owl.gif"), GIF).unwrap();
    fs::write(
        folder.join("birds/owl.gif.json"),
        r#"{"requireSignedURLs":true,"uploaded":"2025-12-24T16:00:00Z"}"#,
    )
    .unwrap();
}

#[tokio::test]
async fn a_seed_is_there_from_the_start_and_after_a_reset() {
    let folder = tempfile::tempdir().unwrap();
    write_seed(folder.path());
    let dev = Dev::start_with(seeded(folder.path())).await;
    // What was read is not read again.
    drop(folder);
    let begun = dev.images().await;
    let [owl, cat] = &begun[..] else { panic!("{begun:?}") };
    assert_eq!((&owl["filename"], &owl["requireSignedURLs"]), (&json!("owl.gif"), &json!(true)));
    assert_eq!(owl["uploaded"], "2025-12-24T16:00:00.000Z");
    assert_eq!(
        (&cat["id"], &cat["creator"], &cat["meta"]),
        (&json!("cat"), &json!("me"), &json!({"lives": 9}))
    );
    assert_eq!(cat["uploaded"], "2025-12-24T17:00:00.000Z");
    assert_eq!(dev.uploaded().await["uploaded"], "2026-01-01T00:00:00.000Z");

    dev.call("DELETE", "/images/v1/cat").send().await.result();
    dev.told("clock", json!({ "advance_seconds": 60 })).await;
    dev.told("faults", json!({ "status": 500, "call": "stats" })).await;
    dev.told("reset", json!({})).await;
    assert_eq!(dev.images().await, begun);
    assert_eq!(dev.dev("GET", "clock").send().await.result()["now"], "2026-01-01T00:00:00.000Z");
    assert_eq!(dev.dev("GET", "faults").send().await.result(), json!({ "faults": [] }));
}

#[tokio::test]
async fn a_seed_that_cannot_be_uploaded_is_no_start() {
    let check = async |sidecar: &str, image: &[u8], expected: &str| {
        let folder = tempfile::tempdir().unwrap();
        write_seed(folder.path());
        fs::write(folder.path().join("dog.png"), image).unwrap();
        fs::write(folder.path().join("dog.png.json"), sidecar).unwrap();
        let error = start(settings(), seeded(folder.path())).await.err().unwrap().to_string();
        assert_eq!(error, format!("seed '{}/dog.png': {expected}", folder.path().display()));
    };
    let duplicate = "Resource already exists. Verify the resource information and try again.";
    check(r#"{"id":"cat"}"#, PNG, duplicate).await;
    check(
        "{}",
        b"no image",
        "Uploaded image must have image/jpeg, image/png, image/webp, image/gif or image/svg+xml content-type",
    )
    .await;
    check("{}", &PNG[..20], "images.create: bad image format").await;
    check(
        r#"{"uploaded":"2027-01-01T00:00:00Z"}"#,
        PNG,
        "uploaded: expected no later than the clock at the start, 2026-01-01T00:00:00.000Z",
    )
    .await;
    check(
        r#"{"uploaded":"2025-01-01T00:00:00Z"}"#,
        PNG,
        "uploaded: expected no earlier than the image before it, 2025-12-24T17:00:00.000Z",
    )
    .await;
}

/// Uploads and resets at the same time: no request fails, each list begins with the whole seed, and what was
/// acknowledged before a reset is gone after it.
#[tokio::test(flavor = "multi_thread")]
async fn resets_between_requests_leave_no_mixture() {
    let folder = tempfile::tempdir().unwrap();
    write_seed(folder.path());
    let dev = Arc::new(Dev::start_with(DevOptions { ids: None, ..seeded(folder.path()) }).await);
    let names = async |dev: &Dev| {
        let images = dev.images().await.into_iter();
        images.map(|image| image["filename"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let begun = ["owl.gif", "cat.png"];
    let writers: Vec<_> = (0..4)
        .map(|_| {
            let dev = Arc::clone(&dev);
            tokio::spawn(async move {
                for _ in 0..25 {
                    assert_eq!(dev.upload().send().await.status, 200);
                    assert_eq!(names(&dev).await[..2], begun);
                }
            })
        })
        .collect();
    for _ in 0..20 {
        let path = format!("/images/v1/{}", dev.uploaded().await["id"].as_str().unwrap());
        assert_eq!(dev.call("GET", &path).send().await.status, 200);
        dev.told("reset", json!({})).await;
        assert_eq!(dev.call("GET", &path).send().await.status, 404);
    }
    for writer in writers {
        writer.await.unwrap();
    }
    dev.uploaded().await;
    let reset = || {
        let dev = Arc::clone(&dev);
        tokio::spawn(async move { dev.told("reset", json!({})).await })
    };
    for reset in [reset(), reset(), reset(), reset()] {
        reset.await.unwrap();
    }
    assert_eq!(names(&dev).await, begun);
}

#[tokio::test]
async fn an_original_on_its_way_during_a_reset_arrives_whole() {
    let dev = Dev::start().await;
    let large = super::common::pictures::png_of_bytes(8 << 20);
    let form = Form::default().field("id", "large").file("large.png", &large);
    dev.call("POST", "/images/v1").form(&form).send().await.result();
    let request = dev.call("GET", "/images/v1/large/blob").bytes();
    let mut stream = tokio::net::TcpStream::connect(dev.address()).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stream, &request).await.unwrap();
    // The first bytes are there, the rest waits for room in the socket.
    stream.readable().await.unwrap();
    dev.told("reset", json!({})).await;
    let answer = super::common::client::read_to_end(&mut stream).await;
    assert!(answer.ends_with(&large));
    assert_eq!(dev.call("GET", "/images/v1/large").send().await.status, 404);
}

#[tokio::test]
async fn what_was_asked_wrongly_is_refused_with_its_field() {
    let dev = Dev::start_with(fixed()).await;
    let moment = "expected a moment such as 2026-01-01T00:00:00Z";
    for (call, body, expected, pointer) in [
        ("clock", "", "expected a JSON object".to_owned(), None),
        ("clock", "{}", "expected at least one of now, advance_seconds, runs".to_owned(), None),
        ("clock", r#"{"now":"soon"}"#, format!("now: {moment}"), Some("/now")),
        ("clock", r#"{"now":5}"#, "now: expected a string of 1 to 64 characters".to_owned(), Some("/now")),
        (
            "clock",
            r#"{"now":"2026-01-01T00:00:00Z","advance_seconds":1}"#,
            "advance_seconds: expected without now".to_owned(),
            Some("/advance_seconds"),
        ),
        (
            "clock",
            r#"{"advance_seconds":-31556952000}"#,
            "advance_seconds: expected a moment from 1970-01-01T00:00:00.000Z to 9999-12-31T23:59:59.999Z"
                .to_owned(),
            Some("/advance_seconds"),
        ),
        (
            "clock",
            r#"{"advance_seconds":1e300}"#,
            "advance_seconds: expected a number from -31556952000 to 31556952000".to_owned(),
            Some("/advance_seconds"),
        ),
        ("clock", r#"{"runs":"yes"}"#, "runs: expected true or false".to_owned(), Some("/runs")),
        (
            "clock",
            r#"{"Now":"2026-01-01T00:00:00Z"}"#,
            "Now: unknown field, expected one of now, advance_seconds, runs".to_owned(),
            Some("/Now"),
        ),
        ("ids", r#"{"seed":7}"#, "seed: expected a string of 1 to 256 characters".to_owned(), Some("/seed")),
        ("ids", "[]", "expected a JSON object".to_owned(), None),
    ] {
        let refusal = dev.dev("POST", call).json(body).send().await.refusal(400, 5400);
        assert_eq!(refusal["message"], format!("Invalid request body: {expected}"), "{body}");
        assert_eq!(refusal["source"]["pointer"].as_str(), pointer, "{body}");
    }
    assert_eq!(dev.dev("GET", "clock").send().await.result()["now"], "2026-01-01T00:00:00.000Z");
}

#[tokio::test]
async fn paths_methods_and_bodies_are_bounded() {
    let dev = Dev::start().await;
    for (method, call, allow) in [
        ("GET", "reset", "POST"),
        ("PUT", "clock", "GET, POST"),
        ("DELETE", "ids", "GET, POST"),
        ("PATCH", "faults", "GET, POST, DELETE"),
        ("POST", "requests", "GET"),
    ] {
        let answer = dev.dev(method, call).send().await;
        answer.refusal(405, 10405);
        assert_eq!(answer.header("allow"), Some(allow), "{method} {call}");
    }
    for call in ["", "clock/", "Clock", "nothing", "reset/now"] {
        dev.dev("POST", call).json("{}").send().await.refusal(404, 7003);
    }
    for call in ["clock", "ids", "faults", "reset"] {
        dev.dev("POST", call).body(vec![b' '; 20_000]).send().await.refusal(413, 7011);
    }
    let head = dev.dev("HEAD", "clock").send().await;
    assert_eq!((head.status, head.body.len()), (200, 0));
}

#[tokio::test]
async fn recent_requests_tell_no_secrets() {
    let dev = Dev::start().await;
    let path = format!("/{ACCOUNT_HASH}/missing/public?exp=1&sig=a-signature");
    dev.request("GET", &path).send().await;
    dev.upload().send().await.result();
    let recent = dev.dev("GET", "requests").send().await.result();
    let seen = |method: &str, path: &str, status: u16| json!({ "method": method, "path": path, "status": status, "fault": false });
    assert_eq!(
        recent["requests"],
        json!([
            seen("GET", &format!("/{ACCOUNT_HASH}/missing/public"), 404),
            seen("POST", &format!("/client/v4/accounts/{ACCOUNT_ID}/images/v1"), 200),
        ])
    );
}
