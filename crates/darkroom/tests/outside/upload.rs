//! `POST /accounts/{account}/images/v1` (reference: api §1.6, §1.7, §3).

use std::time::Duration;

use darkroom::settings::CatalogEngine;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::common::client::{Answer, Form, read_to_end};
use super::common::{HASH, TestServer, pictures};

/// Asserts that nothing is stored: neither a row nor, on disk, a file.
async fn assert_empty(server: &TestServer) {
    let list = server.call("GET", "/images/v2").send().await.result();
    assert_eq!(list["images"], serde_json::json!([]));
    assert_eq!(files_in(&server.folder.path().join("data/originals")), 0);
}

fn files_in(folder: &std::path::Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let count = |path: std::path::PathBuf| if path.is_dir() { files_in(&path) } else { 1 };
    entries.map(|entry| count(entry.unwrap().path())).sum()
}

#[tokio::test]
async fn an_upload_answers_with_the_image() {
    let server = TestServer::start_on_disk().await;
    let form = Form::default()
        .field("metadata", r#"{ "status": "active", "priority": 5.0, "n": 9007199254740993 }"#)
        .field("unknown", "ignored")
        .field("creator", "ann")
        .file("C:\\pictures\\tiny.png", pictures::PNG)
        .field("id", "cats/tabby")
        .field("requireSignedURLs", "false");
    let answer = server.call("POST", "/images/v1").header("host", "img.test").form(&form).send().await;
    assert_eq!(
        answer.text(),
        format!(
            r#"{{"result":{{"id":"cats/tabby","filename":"tiny.png","creator":"ann","meta":{{"status":"active","priority":5.0,"n":9007199254740993}},"requireSignedURLs":false,"uploaded":"2026-01-01T00:00:00.000Z","variants":["http://img.test/{HASH}/cats/tabby/public"]}},"success":true,"errors":[],"messages":[]}}"#
        )
    );
    answer.result();
    assert_eq!(files_in(&server.folder.path().join("data/originals")), 1);
}

#[tokio::test]
async fn without_an_id_one_is_made_and_what_is_not_set_is_left_out() {
    let server = TestServer::start().await;
    let form =
        Form::default().part("name=\"file\"", pictures::GIF).field("creator", "").field("metadata", "");
    let image = server.call("POST", "/images/v1").form(&form).send().await.result();
    let id = image["id"].as_str().unwrap();
    assert_eq!((id.len(), id.to_lowercase()), (36, id.to_owned()));
    let keys: Vec<&String> = image.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["id", "requireSignedURLs", "uploaded", "variants"]);
}

#[tokio::test]
async fn metadata_comes_in_three_spellings() {
    let server = TestServer::start().await;
    for (parts, expected) in [
        (
            &[("metadata", r#"{"a":{"b":[1,"2"]},"c":true}"#)][..],
            serde_json::json!({"a": {"b": [1, "2"]}, "c": true}),
        ),
        (
            &[("metadata[a][b][]", "1"), ("metadata[a][b][]", "2"), ("metadata[c]", "true")],
            serde_json::json!({"a": {"b": ["1", "2"]}, "c": "true"}),
        ),
        (
            &[("metadata.a.b[]", "1"), ("metadata.a.b[]", "2"), ("metadata.c", "true")],
            serde_json::json!({"a": {"b": ["1", "2"]}, "c": "true"}),
        ),
        (&[("metadata", r#"{"a":1,"b":2,"a":3}"#)], serde_json::json!({"a": 3, "b": 2})),
    ] {
        let image = server.upload(parts).send().await.result();
        assert_eq!(image["meta"], expected, "{parts:?}");
    }
}

/// Asserts how an upload with these fields is refused, and that nothing is stored.
async fn check_fields(server: &TestServer, fields: &[(&str, &str)], status: u16, code: u32, message: &str) {
    let error = server.upload(fields).send().await.refusal(status, code);
    let told = error["message"].as_str().unwrap();
    assert!(told.ends_with(message), "{fields:?}: {told}");
}

#[tokio::test]
async fn fields_that_cannot_be_are_refused() {
    let server = TestServer::start_on_disk().await;
    let metadata = |text: &str| [("metadata", text.to_owned())];
    let not_an_object = "Invalid metadata: must be a JSON object";
    for text in
        ["no json", "[1]", "5", "null", "{", "{\"a\":1e400}", "{\"a\":\"\\ud800\"}", "{\"a\":01}", "{'a':1}"]
    {
        check_fields(&server, &[("metadata", text)], 400, 5400, not_an_object).await;
    }
    let nested = |levels: usize| format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels));
    check_fields(&server, &[("metadata", &nested(200))], 400, 5400, not_an_object).await;
    let long = |bytes: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(bytes - 8));
    check_fields(&server, &[("metadata", &long(1025))], 400, 5400, "Metadata must not exceed 1024 bytes")
        .await;
    check_fields(&server, &[("metadata", "{}"), ("metadata[a]", "1")], 400, 5400, "").await;
    check_fields(&server, &[("metadata[a][][]", "1")], 400, 5400, "").await;
    check_fields(&server, &[("metadata[a", "1")], 400, 5400, "").await;
    check_fields(&server, &[("requireSignedURLs", "yes")], 400, 5400, "").await;
    check_fields(&server, &[("creator", &"c".repeat(1025))], 400, 5400, "").await;
    check_fields(&server, &[("creator", "a"), ("creator", "b")], 400, 5400, "").await;
    check_fields(&server, &[("file[0]", "137")], 400, 5400, "").await;
    assert_empty(&server).await;
    // To the limit, and not a byte less.
    let [(name, text)] = metadata(&long(1024));
    server.upload(&[(name, &text)]).send().await.result();
    server.upload(&[("creator", &"é".repeat(1024))]).send().await.result();
}

#[tokio::test]
async fn ids_that_no_image_may_have_are_refused() {
    let server = TestServer::start_on_disk().await;
    for (id, reason) in [
        ("", "Must not be empty"),
        ("..", "Must not contain the subpath '.' or '..'"),
        ("a/../b", "Must not contain the subpath '.' or '..'"),
        ("a/.", "Must not contain the subpath '.' or '..'"),
        ("a//b", "Must not contain an empty subpath"),
        ("/a", "Must not start or end with a slash"),
        ("a/", "Must not start or end with a slash"),
        ("a\0b", "Must not contain control characters"),
        ("a\nb", "Must not contain control characters"),
        ("8F14E45F-ceea-4e7a-9c1b-2d3a5b6c7d12", "Must not be UUID"),
        ("page.html", "Must not use a non-image file name extension"),
        ("stats", "Must not be a reserved word"),
        (&"a".repeat(1025), "Must not be longer than 1024 characters"),
        (&"é".repeat(1025), "Must not be longer than 1024 characters"),
    ] {
        let error = server.upload(&[("id", id)]).send().await.refusal(400, 5411);
        let message = error["message"].as_str().unwrap();
        assert!(message.starts_with("The Custom ID is invalid. "), "{message}");
        assert!(message.ends_with(&format!("try again: {reason}")), "{id:?}: {message}");
    }
    let form = Form::default().part("name=\"id\"", b"a\xff").file("tiny.png", pictures::PNG);
    server.call("POST", "/images/v1").form(&form).send().await.refusal(400, 5411);
    assert_empty(&server).await;
}

#[tokio::test]
async fn ids_of_every_kind_come_back_as_they_were() {
    let server = TestServer::start_on_disk().await;
    let longest = "é".repeat(1024);
    let astral = "𝄞".repeat(1024);
    for id in
        ["%2e%2e", "100%", "a b/c?d#e", "naïve café", "user.123", "\"quoted\\\"", "<b>", &longest, &astral]
    {
        assert_eq!(server.uploaded(&[("id", id)]).await, *id);
        let encoded: String = id.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let image = server.call("GET", &format!("/images/v1/{encoded}")).send().await.result();
        assert_eq!(image["id"], *id);
        // The URL in the answer leads to the image, even one of 12 KiB.
        let url = image["variants"][0].as_str().unwrap();
        let path = url.strip_prefix(&format!("http://{}", server.address)).unwrap();
        let delivered = server.request("GET", path).send().await;
        assert_eq!((delivered.status, delivered.header("content-type")), (200, Some("image/png")), "{id}");
    }
}

#[tokio::test]
async fn a_private_image_cannot_have_a_custom_id() {
    let server = TestServer::start_on_disk().await;
    let fields = [("id", "mine"), ("requireSignedURLs", "true")];
    server.upload(&fields).send().await.refusal(400, 5410);
    assert_empty(&server).await;
    let private = server.upload(&fields[1..]).send().await.result();
    assert_eq!(private["requireSignedURLs"], true);
}

#[tokio::test]
async fn a_taken_id_is_refused_and_not_to_be_retried() {
    let server = TestServer::start_on_disk().await;
    server.uploaded(&[("id", "taken"), ("creator", "first")]).await;
    let answer = server.upload(&[("id", "taken"), ("creator", "second")]).send().await;
    answer.refusal(409, 5409);
    assert_eq!(answer.header("x-should-retry"), Some("false"));
    let image = server.call("GET", "/images/v1/taken").send().await.result();
    assert_eq!(image["creator"], "first");
    assert_eq!(files_in(&server.folder.path().join("data/originals")), 1);
}

#[tokio::test]
async fn of_uploads_of_one_id_at_the_same_moment_one_succeeds() {
    for engine in [CatalogEngine::Memory, CatalogEngine::Lmdb] {
        let server = TestServer::start_with(engine, |_| {}).await;
        let uploads =
            (0..16).map(|creator: u32| server.upload(&[("id", "x"), ("creator", &creator.to_string())]));
        let tasks: Vec<_> = uploads.map(|upload| tokio::spawn(async move { upload.send().await })).collect();
        let mut winners = Vec::new();
        for task in tasks {
            let answer: Answer = task.await.unwrap();
            match answer.status {
                200 => winners.push(answer.result()["creator"].clone()),
                _ => drop(answer.refusal(409, 5409)),
            }
        }
        assert_eq!(winners.len(), 1);
        let image = server.call("GET", "/images/v1/x").send().await.result();
        assert_eq!(image["creator"], winners[0]);
        let expected = usize::from(engine == CatalogEngine::Lmdb);
        assert_eq!(files_in(&server.folder.path().join("data/originals")), expected);
    }
}

#[tokio::test]
async fn what_is_no_image_is_refused() {
    let server = TestServer::start_on_disk().await;
    let upload = async |content: &[u8]| {
        let form = Form::default().file("a.png", content);
        server.call("POST", "/images/v1").form(&form).send().await
    };
    let empty = upload(b"").await.refusal(400, 5400);
    assert_eq!(empty["source"]["pointer"], "/file");
    let text = upload(b"hello").await.refusal(415, 5455);
    assert!(text["message"].as_str().unwrap().starts_with("Uploaded image must have image/jpeg"));
    upload(b"\x89PNG").await.refusal(415, 5455);
    for end in 8..pictures::PNG.len() {
        let error = upload(&pictures::PNG[..end]).await.refusal(400, 5400);
        assert_eq!(error["message"], "images.create: bad image format", "cut at {end}");
    }
    upload(&pictures::png_of_size(12_001, 1)).await.refusal(413, 5413);
    upload(&pictures::png_of_size(10_001, 10_000)).await.refusal(413, 5413);
    upload(&pictures::gif_of_frames(5_000, 5_000, 5)).await.refusal(413, 5443);
    assert_empty(&server).await;
    upload(&pictures::gif_of_frames(5_000, 5_000, 4)).await.result();
    let largest = upload(&pictures::png_of_size(12_000, 8_333)).await;
    largest.result();
}

#[tokio::test]
async fn what_is_no_form_is_refused() {
    let server = TestServer::start_on_disk().await;
    for content_type in
        ["image/png", "application/json", "multipart/mixed; boundary=b", "multipart/form-data", ""]
    {
        let request = server.call("POST", "/images/v1").header("content-type", content_type);
        let error = request.body(pictures::PNG).send().await.refusal(415, 5415);
        assert!(error["message"].as_str().unwrap().starts_with("Images must be uploaded as a form"));
    }
    server.call("POST", "/images/v1").body("x").send().await.refusal(415, 5415);
    let request = server.call("POST", "/images/v1").form_header();
    request.clone().body("").send().await.refusal(400, 5400);
    request.clone().body("no boundary anywhere").send().await.refusal(400, 5400);
    let whole = Form::default().file("tiny.png", pictures::PNG).body();
    for end in [1, 40, whole.len() / 2, whole.len() - 8] {
        request.clone().body(&whole[..end]).send().await.refusal(400, 5400);
    }
    let both = Form::default().file("a.png", pictures::PNG).field("url", "http://127.0.0.1/a.png");
    request.clone().body(both.body()).send().await.refusal(400, 5400);
    let neither = Form::default().field("id", "a");
    let error = request.clone().body(neither.body()).send().await.refusal(400, 5400);
    assert_eq!(error["message"], "Exactly one of file and url is required");
    let unnamed = Form::default().part("filename=\"a.png\"", pictures::PNG);
    request.clone().body(unnamed.body()).send().await.refusal(400, 5400);
    let many = (0..600).fold(Form::default(), |form, index| form.field(&format!("f{index}"), ""));
    request.clone().body(many.body()).send().await.refusal(400, 5400);
    let wide = Form::default().field("id", &"x".repeat(65_537));
    request.body(wide.body()).send().await.refusal(400, 5400);
    assert_empty(&server).await;
}

#[tokio::test]
async fn a_file_may_have_as_many_bytes_as_the_limit_says_and_not_one_more() {
    let limit = 100_000;
    let server =
        TestServer::start_with(CatalogEngine::Lmdb, |settings| settings.limits.file_bytes_max = limit).await;
    let upload = |bytes: usize| {
        let form = Form::default().file("a.png", &pictures::png_of_bytes(bytes));
        server.call("POST", "/images/v1").form(&form)
    };
    let error = upload(limit + 1).send().await.refusal(413, 7011);
    assert_eq!(error["message"], "Request entity is too large");
    // Larger than file and form together: refused by its head.
    upload(limit + (2 << 20)).send().await.refusal(413, 7011);
    // A length that is not said is found out.
    let whole = Form::default().file("a.png", &pictures::png_of_bytes(limit + 1)).body();
    let chunked = [format!("{:x}\r\n", whole.len()).as_bytes(), &whole, b"\r\n0\r\n\r\n"].concat();
    let request = server.call("POST", "/images/v1").form_header().header("transfer-encoding", "chunked");
    request.clone().body(chunked).send().await.refusal(413, 7011);
    assert_empty(&server).await;
    upload(limit).send().await.result();
    let whole = Form::default().file("a.png", pictures::PNG).body();
    let chunked = [format!("{:x}\r\n", whole.len()).as_bytes(), &whole, b"\r\n0\r\n\r\n"].concat();
    request.body(chunked).send().await.result();
}

#[tokio::test]
async fn a_length_that_lies_stores_nothing() {
    let server = TestServer::start_on_disk().await;
    let whole = Form::default().file("tiny.png", pictures::PNG).body();
    let request = server.call("POST", "/images/v1").form_header();
    // Too short: what is left is no form.
    let short = request.clone().header("content-length", &(whole.len() - 10).to_string());
    short.body(&whole[..]).send().await.refusal(400, 5400);
    // Too long: the client stops in the middle and waits for an answer.
    let long = request.header("content-length", &(whole.len() + 10).to_string());
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(&long.body(&whole[..whole.len() - 4]).bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let received = read_to_end(&mut stream).await;
    // The connection is half dead: an answer may come or not, but it cannot be a success.
    assert!(received.is_empty() || Answer::parse(&received).status == 400);
    assert_empty(&server).await;
}

#[tokio::test]
async fn an_upload_that_stops_coming_is_given_up() {
    let server = TestServer::start_with(CatalogEngine::Lmdb, |settings| {
        settings.limits.body_wait = Duration::from_millis(50);
    });
    let server = server.await;
    let whole = Form::default().file("tiny.png", pictures::PNG).body();
    let request = server.call("POST", "/images/v1").form_header();
    let request = request.header("content-length", &whole.len().to_string()).body(&whole[..whole.len() / 2]);
    request.send().await.refusal(408, 5408);
    assert_empty(&server).await;
}

#[tokio::test]
async fn what_is_refused_by_its_head_is_not_asked_for() {
    let server = TestServer::start().await;
    let whole = Form::default().file("tiny.png", pictures::PNG).body();
    let request = server.call("POST", "/images/v1").form_header().header("expect", "100-continue");
    let too_long = request.clone().header("content-length", "999999999");
    too_long.send().await.refusal(413, 7011);
    let request = request.header("content-length", &whole.len().to_string());
    request.clone().token("nobody-knows-this-one").send().await.refusal(403, 9109);
    request.clone().without("content-type").send().await.refusal(415, 5415);
    // What is not refused is asked for.
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(&request.bytes()).await.unwrap();
    let mut told = [0; 25];
    tokio::io::AsyncReadExt::read_exact(&mut stream, &mut told).await.unwrap();
    assert_eq!(&told, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(&whole).await.unwrap();
    Answer::parse(&read_to_end(&mut stream).await).result();
}

#[tokio::test]
async fn a_refused_upload_gets_its_answer_even_if_it_is_large() {
    let server = TestServer::start().await;
    let form = Form::default().file("a.png", &pictures::png_of_bytes(8 << 20));
    let request = server.call("POST", "/images/v1").form(&form).token("nobody-knows-this-one");
    for _ in 0..5 {
        // What was not read could not be told from the next request: the connection ends, and the client is told.
        let answer = request.clone().header("connection", "keep-alive").send().await;
        answer.refusal(403, 9109);
        assert_eq!(answer.header("connection"), Some("close"));
    }
}
