//! `POST /images/v2/direct_upload`, and the URL that it answers with (reference: api §13, §14).

use darkroom_model::Timestamp;
use serde_json::{Value, json};

use super::common::client::{Answer, Form};
use super::common::{HASH, TestServer, pictures};

/// When the clock of every test stands still.
const NOW: &str = "2026-01-01T00:00:00.000Z";

/// Asks for a one-time URL, and returns the id and the URL's path.
async fn draft(server: &TestServer, fields: &[(&str, &str)]) -> (String, String) {
    let form = fields.iter().fold(Form::default(), |form, (name, content)| form.field(name, content));
    let answer = server.call("POST", "/images/v2/direct_upload").form(&form).send().await;
    of_result(server, &answer.result())
}

fn of_result(server: &TestServer, result: &Value) -> (String, String) {
    let url = result["uploadURL"].as_str().unwrap();
    let path = url.strip_prefix(&format!("http://{}", server.address)).unwrap();
    assert!(path.starts_with(&format!("/upload/{HASH}/")), "{path}");
    (result["id"].as_str().unwrap().to_owned(), path.to_owned())
}

async fn send(server: &TestServer, path: &str) -> Answer {
    let form = Form::default().file("tiny.png", pictures::PNG);
    server.request("POST", path).form(&form).send().await
}

/// Asserts that this is a refusal of the upload host.
#[track_caller]
fn check_refusal(answer: &Answer, status: u16, text: &str) {
    assert_eq!((answer.status, answer.text().as_str()), (status, text));
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
}

#[tokio::test]
async fn a_one_time_url_takes_one_file() {
    let server = TestServer::start_on_disk().await;
    let metadata = r#"{"a": 5}"#;
    let (id, path) =
        draft(&server, &[("id", "a/b é%"), ("creator", "me"), ("metadata", metadata), ("unknown", "x")])
            .await;
    assert_eq!((id.as_str(), path.as_str()), ("a/b é%", &*format!("/upload/{HASH}/a/b%20%C3%A9%25")));
    let below = "/images/v1/a/b%20%C3%A9%25";
    let details = server.call("GET", below).send().await.result();
    assert_eq!((&details["draft"], &details["creator"]), (&json!(true), &json!("me")));
    let list = server.call("GET", "/images/v2").send().await.result();
    assert_eq!(list["images"], json!([]));
    let delivered = server.request("GET", &format!("/{HASH}/a/b%20%C3%A9%25/public")).send().await;
    assert_eq!((delivered.status, delivered.header("cf-images")), (404, Some("err=9404")));
    assert_eq!(server.upload(&[("id", "a/b é%")]).send().await.status, 409);

    let answer = send(&server, &path).await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    let image = answer.result();
    assert_eq!((&image["id"], &image["filename"]), (&json!("a/b é%"), &json!("tiny.png")));
    assert_eq!((&image["creator"], &image["meta"]), (&json!("me"), &json!({"a": 5})));
    assert_eq!(server.call("GET", below).send().await.result(), image);
    assert!(image.get("draft").is_none());
    let delivered = server.request("GET", &format!("/{HASH}/a/b%20%C3%A9%25/public")).send().await;
    assert_eq!((delivered.status, delivered.header("content-type")), (200, Some("image/png")));

    let text = "ERROR 5409: Resource already exists. Verify the resource information and try again.";
    check_refusal(&send(&server, &path).await, 409, text);
    server.call("DELETE", below).send().await.result();
    check_refusal(&send(&server, &path).await, 404, "ERROR 5404: Image not found");
}

#[tokio::test]
async fn every_kind_of_body_asks_for_a_url() {
    let server = TestServer::start_on_disk().await;
    let ends = Timestamp(Timestamp::parse(NOW).unwrap().0 + 2 * 60 * 60_000);
    let json = format!("{{\"expiry\":\"{ends}\"}}");
    for below in ["v1", "v2"] {
        let call = || server.call("POST", &format!("/images/{below}/direct_upload"));
        for (request, is_long) in [
            (call(), false),
            (call().body(""), false),
            (call().json(""), false),
            (call().json("{}"), false),
            (call().json(&json), true),
            (call().header("content-type", "application/x-www-form-urlencoded").body(json.as_str()), true),
            (call().body(json.as_str()), true),
            (call().form(&Form::default()), false),
            (call().header("content-type", "multipart/form-data; boundary=B").body("--B--"), false),
            (call().form(&Form::default().field("expiry", "2026-01-01T03:00:00+01:00")), true),
        ] {
            server.clock.set(Timestamp::parse(NOW).unwrap());
            let (_, path) = of_result(&server, &request.send().await.result());
            server.clock.set(Timestamp(Timestamp::parse(NOW).unwrap().0 + 60 * 60_000));
            let status = send(&server, &path).await.status;
            assert_eq!(
                status,
                if is_long { 200 } else { 410 },
                "{}",
                String::from_utf8_lossy(&request.bytes())
            );
        }
    }
}

#[tokio::test]
async fn what_cannot_be_asked_for_is_refused() {
    let server = TestServer::start().await;
    let call = || server.call("POST", "/images/v2/direct_upload");
    for (expiry, is_legal) in [
        ("2026-01-01T00:02:00Z", true),
        ("2026-01-01T00:01:59.999Z", false),
        ("2026-01-01T06:00:00Z", true),
        ("2026-01-01T06:00:00.001Z", false),
        ("2025-12-31T23:00:00Z", false),
        ("soon", false),
        ("2026-01-01T01:00:00", false),
    ] {
        let answer = call().json(&json!({ "expiry": expiry }).to_string()).send().await;
        match is_legal {
            true => drop(answer.result()),
            false => assert_eq!(answer.refusal(400, 5400)["source"]["pointer"], "/expiry", "{expiry}"),
        }
    }
    call().json(r#"{"id":"a","requireSignedURLs":true}"#).send().await.refusal(400, 5410);
    call().json(r#"{"id":"stats"}"#).send().await.refusal(400, 5411);
    for body in ["[]", "file=1", "{"] {
        call().body(body).send().await.refusal(400, 5400);
    }
    server.uploaded(&[("id", "taken")]).await;
    call().json(r#"{"id":"taken"}"#).send().await.refusal(409, 5409);
    call().form(&Form::default().field("id", "b")).send().await.result();
    call().form(&Form::default().field("id", "b")).send().await.refusal(409, 5409);
    call().token(super::common::READ_TOKEN).send().await.refusal(403, 10000);
}

#[tokio::test]
async fn the_upload_url_answers_in_plain_text() {
    let server = TestServer::start_on_disk().await;
    let (_, path) = draft(&server, &[]).await;
    let missing = "ERROR 5404: Image not found";
    for path in [
        format!("/upload/{HASH}/nothing"),
        format!("/upload/{HASH}/%ff"),
        path.replace(HASH, "unknown"),
        path.replace(HASH, "ZWd9g1K7eljCn_KDTu_MWA"),
    ] {
        check_refusal(&send(&server, &path).await, 404, missing);
    }
    for method in ["GET", "HEAD", "PUT", "DELETE"] {
        let answer = server.request(method, &path).send().await;
        assert_eq!((answer.status, answer.header("allow")), (405, Some("POST, OPTIONS")), "{method}");
    }
    let preflight = server.request("OPTIONS", &path).header("origin", "https://example.com").send().await;
    assert_eq!((preflight.status, preflight.body.len()), (204, 0));
    assert_eq!(preflight.header("access-control-allow-origin"), Some("*"));
    assert_eq!(preflight.header("access-control-allow-methods"), Some("POST, OPTIONS"));

    let post = || server.request("POST", &path);
    let form = |form: Form| post().form(&form);
    let not_a_form = "ERROR 5415: Images must be uploaded as a form, not as raw image data. Please use multipart/form-data format";
    check_refusal(&post().body(pictures::PNG).send().await, 415, not_a_form);
    check_refusal(&form(Form::default()).send().await, 400, "ERROR 5400: Missing file");
    let url = Form::default().field("url", "https://example.com/a.png");
    check_refusal(&form(url).send().await, 400, "ERROR 5400: Missing file");
    let words = form(Form::default().file("a.png", b"words")).send().await;
    assert_eq!(
        (words.status, words.text().starts_with("ERROR 5455: Uploaded image must have ")),
        (415, true)
    );
    let large = form(Form::default().file("a.png", &vec![0; (10 << 20) + 1])).send().await;
    check_refusal(&large, 413, "ERROR 7011: Request entity is too large");
    // None of this has used the URL up.
    send(&server, &path).await.result();
}

#[tokio::test]
async fn a_url_ends_and_its_id_is_free_again() {
    let server = TestServer::start_on_disk().await;
    let (_, path) = draft(&server, &[("id", "a"), ("expiry", "2026-01-01T00:10:00Z")]).await;
    server.clock.set(Timestamp::parse("2026-01-01T00:10:00.001Z").unwrap());
    check_refusal(&send(&server, &path).await, 410, "ERROR 5400: Upload link expired");
    server.call("GET", "/images/v1/a").send().await.refusal(404, 5404);
    let (_, again) = draft(&server, &[("id", "a")]).await;
    assert_eq!(again, path);
    send(&server, &path).await.result();
}
