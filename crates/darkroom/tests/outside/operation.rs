//! What the operator of a server relies on: limits, stopping, health, metrics.

use std::time::Duration;

use darkroom::settings::{CatalogEngine, Settings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::common::client::{Answer, Form, read_answer, read_to_end};
use super::common::{ACCOUNT, HASH, TestServer, pictures};

async fn start_with_limits(change: impl FnOnce(&mut Settings)) -> TestServer {
    TestServer::start_with(CatalogEngine::Memory, change).await
}

/// The bytes of an upload, and where to cut them so that the first part ends in the middle of the file.
fn upload_in_two(server: &TestServer) -> (Vec<u8>, usize) {
    let request =
        server.call("POST", "/images/v1").form(&Form::default().file("tiny.png", pictures::PNG)).bytes();
    let middle = request.len() - 100;
    (request, middle)
}

async fn connect(server: &TestServer) -> TcpStream {
    TcpStream::connect(server.address).await.unwrap()
}

#[tokio::test]
async fn a_head_may_have_64_kib() {
    let server = TestServer::start().await;
    let with_header = |bytes: usize| server.call("GET", "/images/v2").header("x-filler", &"x".repeat(bytes));
    with_header(64_000).send().await.result();
    assert_eq!(with_header(66_000).send().await.status, 431);
    let many = (0..200).fold(server.call("GET", "/images/v2"), |request, _| request.header("x-filler", "x"));
    assert_eq!(many.send().await.status, 431);
    let path = format!("/images/v2?x={}", "x".repeat(60_000));
    server.call("GET", &path).send().await.result();
}

#[tokio::test]
async fn a_head_that_does_not_come_is_not_waited_for() {
    let server = start_with_limits(|settings| settings.limits.head_wait = Duration::from_millis(50)).await;
    for beginning in ["", "GET / HTTP/1.1\r\nhost: a"] {
        let mut stream = connect(&server).await;
        stream.write_all(beginning.as_bytes()).await.unwrap();
        let received = read_to_end(&mut stream).await;
        assert!(received.is_empty() || Answer::parse(&received).status == 408, "{beginning:?}");
    }
}

#[tokio::test]
async fn a_client_that_does_not_take_its_answer_is_not_waited_for() {
    let server = start_with_limits(|settings| {
        // More than the buffers of the kernel hold.
        settings.limits.file_bytes_max = 48 << 20;
        settings.limits.answer_wait = Duration::from_millis(100);
    });
    let server = server.await;
    let form = Form::default().field("id", "large").file("a.png", &pictures::png_of_bytes(48 << 20));
    server.call("POST", "/images/v1").form(&form).send().await.result();
    let mut stream = connect(&server).await;
    stream.write_all(&server.call("GET", "/images/v1/large/blob").bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(600)).await;
    let mut received = Vec::new();
    let _ = stream.read_to_end(&mut received).await;
    assert!(received.len() < 48 << 20);
    let whole = server.call("GET", "/images/v1/large/blob").send().await;
    assert_eq!(whole.body.len(), 48 << 20);
}

#[tokio::test]
async fn nonsense_is_refused_and_the_server_goes_on() {
    let server = TestServer::start().await;
    for nonsense in ["\r\n\r\n\0\0\0", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "\u{16}\u{3}\u{1}\0\u{a5}"] {
        let mut stream = connect(&server).await;
        stream.write_all(nonsense.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let received = read_to_end(&mut stream).await;
        assert!(received.is_empty() || Answer::parse(&received).status >= 400, "{nonsense:?}");
    }
    server.call("GET", "/images/v2").send().await.result();
}

#[tokio::test]
async fn connections_beyond_the_limit_wait() {
    let server = start_with_limits(|settings| settings.limits.connections_max = 1).await;
    let first = connect(&server).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let second = server.request("GET", "/health/live");
    let second = tokio::spawn(async move { second.send().await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!second.is_finished());
    drop(first);
    assert_eq!(second.await.unwrap().status, 200);
}

#[tokio::test]
async fn uploads_beyond_the_memory_limit_wait() {
    let server = start_with_limits(|settings| {
        settings.limits.file_bytes_max = 1000;
        settings.limits.upload_memory_bytes_max = 1024;
    });
    let server = server.await;
    let (request, middle) = upload_in_two(&server);
    let mut first = connect(&server).await;
    first.write_all(&request[..middle]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let second = server.upload(&[]);
    let second = tokio::spawn(async move { second.send().await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!second.is_finished());
    first.write_all(&request[middle..]).await.unwrap();
    Answer::parse(&read_to_end(&mut first).await).result();
    second.await.unwrap().result();
}

#[tokio::test]
async fn uploads_that_wait_too_long_for_memory_are_to_be_tried_again() {
    let server = start_with_limits(|settings| {
        settings.limits.file_bytes_max = 1000;
        settings.limits.upload_memory_bytes_max = 1024;
        settings.limits.upload_wait = Duration::from_millis(100);
    });
    let server = server.await;
    let (request, middle) = upload_in_two(&server);
    let mut first = connect(&server).await;
    first.write_all(&request[..middle]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let second = server.upload(&[]).send().await;
    second.refusal(503, 5503);
    assert_eq!(second.header("retry-after"), Some("1"));
    first.write_all(&request[middle..]).await.unwrap();
    Answer::parse(&read_to_end(&mut first).await).result();
    server.uploaded(&[]).await;
}

#[tokio::test]
async fn an_upload_that_comes_byte_by_byte_is_given_up() {
    let server =
        start_with_limits(|settings| settings.limits.body_time_max = Duration::from_millis(200)).await;
    let (request, middle) = upload_in_two(&server);
    let mut stream = connect(&server).await;
    let (head, body) = request.split_at(middle);
    stream.write_all(head).await.unwrap();
    for byte in body.iter().take(20) {
        tokio::time::sleep(Duration::from_millis(20)).await;
        // Once it is given up, nobody takes it.
        let _ = stream.write_all(&[*byte]).await;
    }
    Answer::parse(&read_to_end(&mut stream).await).refusal(408, 5408);
    server.uploaded(&[]).await;
}

#[tokio::test]
async fn a_connection_serves_one_request_after_another() {
    let server = TestServer::start().await;
    let mut stream = connect(&server).await;
    let keep = |request: super::common::client::Request| request.header("connection", "keep-alive").bytes();
    let form = Form::default().file("tiny.png", pictures::PNG);
    let whole = form.body();
    let chunked = [format!("{:x}\r\n", whole.len()).as_bytes(), &whole, b"\r\n0\r\n\r\n"].concat();
    for request in [
        server.call("GET", "/images/v2"),
        server.call("POST", "/images/v1").form(&form),
        server.call("POST", "/images/v1").form_header().header("transfer-encoding", "chunked").body(chunked),
        server.call("PATCH", "/images/v1/nothing").json("{}"),
        server.call("GET", "/images/v1/nothing"),
        server.call("DELETE", "/images/v1/nothing"),
        server.request("GET", "/nothing"),
        server.call("GET", "/images/v2"),
    ] {
        stream.write_all(&keep(request)).await.unwrap();
        let answer = read_answer(&mut stream).await;
        assert!([200, 404].contains(&answer.status), "{}", answer.text());
        assert_eq!(answer.header("connection"), None, "{}", answer.text());
    }
}

#[tokio::test]
async fn every_answer_has_an_id_of_its_own() {
    let server = TestServer::start().await;
    let mut ids = Vec::new();
    for path in ["/", "/health/live", "/client/v4/x", "/metrics"] {
        let answer = server.request("GET", path).header("x-request-id", "chosen").send().await;
        ids.push(answer.header("x-request-id").unwrap().to_owned());
    }
    ids.sort();
    ids.dedup();
    assert_eq!((ids.len(), ids.contains(&"chosen".to_owned())), (4, false));
}

#[tokio::test]
async fn stopping_finishes_the_upload_that_was_begun() {
    let server = TestServer::start_on_disk().await;
    let address = server.address;
    let (request, middle) = upload_in_two(&server);
    let mut idle = connect(&server).await;
    let mut upload = connect(&server).await;
    upload.write_all(&request[..middle]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;

    let folder = server.folder.path().join("data/originals");
    let rest = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        // Who asks for nothing is sent away; who comes now is not let in.
        assert!(read_to_end(&mut idle).await.is_empty());
        assert!(TcpStream::connect(address).await.is_err());
        upload.write_all(&request[middle..]).await.unwrap();
        Answer::parse(&read_to_end(&mut upload).await)
    };
    let ((cut_off, _kept), answer) = tokio::join!(server.stop_and_keep(), rest);
    answer.result();
    assert_eq!(cut_off, 0);
    assert!(std::fs::read_dir(folder).unwrap().next().is_some());
}

#[tokio::test]
async fn stopping_does_not_wait_for_ever() {
    let server =
        start_with_limits(|settings| settings.limits.shutdown_wait = Duration::from_millis(100)).await;
    let (request, middle) = upload_in_two(&server);
    let mut upload = connect(&server).await;
    upload.write_all(&request[..middle]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(server.stop().await, 1);
    let mut received = Vec::new();
    let _ = upload.read_to_end(&mut received).await;
    assert!(received.is_empty());
}

#[tokio::test]
async fn health_says_whether_requests_can_be_answered() {
    let server = TestServer::start_on_disk().await;
    for (path, words) in [("/health/live", "live\n"), ("/health/ready", "ready\n")] {
        let answer = server.request("GET", path).send().await;
        assert_eq!((answer.status, answer.text().as_str()), (200, words));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let head = server.request("HEAD", path).send().await;
        assert_eq!((head.status, head.body.len()), (200, 0));
        let post = server.request("POST", path).send().await;
        assert_eq!((post.status, post.header("allow")), (405, Some("GET, HEAD")));
    }
    server.uploaded(&[("id", "a")]).await;
    server.service().close().await;
    assert_eq!(server.request("GET", "/health/live").send().await.status, 200);
    assert_eq!(server.request("GET", "/health/ready").send().await.status, 503);
    for request in [
        server.call("GET", "/images/v2"),
        server.upload(&[]),
        server.call("GET", "/images/v1/a"),
        server.call("PATCH", "/images/v1/a").json("{}"),
        server.call("DELETE", "/images/v1/a"),
    ] {
        let answer = request.send().await;
        answer.refusal(503, 5503);
        assert!(answer.header("retry-after").is_some());
    }
    let image = server.request("GET", &format!("/{HASH}/a/public")).send().await;
    assert_eq!((image.status, image.header("cf-images")), (503, Some("err=9522")));
}

#[tokio::test]
async fn metrics_count_what_happened() {
    let server = TestServer::start_on_disk().await;
    server.uploaded(&[("id", "a"), ("metadata", r#"{"a":1}"#)]).await;
    server.call("GET", "/images/v2?meta.a[eq]=1&meta.b[eq]=2").send().await.result();
    server.call("GET", "/images/v1/nothing").send().await.refusal(404, 5404);
    server.request("GET", &format!("/{HASH}/nothing/public")).send().await;
    let mut stream = connect(&server).await;
    let (request, middle) = upload_in_two(&server);
    stream.write_all(&request[..middle]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let answer = server.request("GET", "/metrics").send().await;
    assert_eq!(
        answer.header("content-type"),
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
    );
    let text = answer.text();
    for line in [
        "darkroom_requests_total{route=\"upload_image\",method=\"POST\",status=\"200\"} 1",
        "darkroom_requests_total{route=\"image_details\",method=\"GET\",status=\"404\"} 1",
        "darkroom_request_duration_seconds_count{route=\"list_images_v2\"} 1",
        "darkroom_list_duration_seconds_count{filters=\"2\"} 1",
        "darkroom_errors_total{type=\"5404\"} 1",
        "darkroom_errors_total{type=\"9404\"} 1",
        "darkroom_images_in_progress 1",
        "darkroom_catalog_uploads_total 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
    }
    assert!(text.contains("\ndarkroom_connections "), "{text}");
    for secret in [ACCOUNT, HASH, "nothing"] {
        assert!(!text.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn what_can_be_asked_is_described_with_the_limits_of_this_server() {
    let server = start_with_limits(|settings| settings.limits.filters_max = 7).await;
    let answer = server.request("GET", "/openapi.json").send().await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    let document = answer.json();
    assert_eq!(document["openapi"], "3.1.0");
    let list = &document["paths"]["/client/v4/accounts/{account_id}/images/v2"]["get"];
    assert_eq!(list["parameters"][1]["schema"]["maxProperties"], 7);
    assert_eq!(server.request("POST", "/openapi.json").send().await.status, 405);
}
