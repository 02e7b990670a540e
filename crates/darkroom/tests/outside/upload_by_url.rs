//! Upload by URL (reference: api §3.1, §3.2). Origins are on loopback, which the settings allow here.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use darkroom::settings::{CatalogEngine, Settings};
use darkroom_model::Network;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::common::client::{Answer, Form};
use super::common::{OTHER_ACCOUNT, READ_TOKEN, TestServer, pictures};

/// An origin that gives every request this answer, and counts them.
struct Origin {
    place: String,
    requests: Arc<AtomicUsize>,
}

impl Origin {
    async fn start(answer: impl Into<Vec<u8>>) -> Origin {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let place = listener.local_addr().unwrap().to_string();
        let (answer, requests) = (answer.into(), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(&answer).await;
                // Whoever says nothing says it for a while.
                if answer.is_empty() {
                    tokio::time::sleep(Duration::from_secs(5)).await;
                }
            }
        });
        Origin { place, requests }
    }

    async fn of(file: &[u8]) -> Origin {
        Origin::start([b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n", file].concat()).await
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.place)
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

fn allow_loopback(settings: &mut Settings) {
    settings.allow_private_sources = vec![Network::parse("127.0.0.0/8").unwrap()];
}

async fn server() -> TestServer {
    TestServer::start_with(CatalogEngine::Memory, allow_loopback).await
}

async fn upload(server: &TestServer, url: &str, parts: &[(&str, &str)]) -> Answer {
    let form =
        parts.iter().fold(Form::default().field("url", url), |form, (name, text)| form.field(name, text));
    server.call("POST", "/images/v1").form(&form).send().await
}

async fn assert_empty(server: &TestServer) {
    let list = server.call("GET", "/images/v2").send().await.result();
    assert_eq!(list["images"], serde_json::json!([]));
}

#[tokio::test]
async fn an_upload_by_url_is_an_upload() {
    let (server, origin) = (server().await, Origin::of(pictures::PNG).await);
    let url = origin.url("cats/my%20cat.png?size=large").replace("http://", "http://me:secretword@");
    let parts = [("id", "cats/tabby"), ("metadata", r#"{"a":1}"#), ("creator", "me")];
    let image = upload(&server, &url, &parts).await.result();
    assert_eq!(image["filename"], "my cat.png");
    assert_eq!(
        (&image["id"], &image["creator"], &image["meta"]["a"]),
        (&"cats/tabby".into(), &"me".into(), &1.into())
    );
    let details = server.call("GET", "/images/v1/cats%2Ftabby").send().await;
    assert_eq!(details.result(), image);
    assert!(!details.text().contains("secretword") && !details.text().contains(&origin.place));
    let blob = server.call("GET", "/images/v1/cats%2Ftabby/blob").send().await;
    assert_eq!((blob.status, &blob.body[..]), (200, pictures::PNG));
    assert_eq!(blob.header("content-type"), Some("image/png"));
    // Without a name, none; private, with an id of ours.
    let image = upload(&server, &origin.url(""), &[("requireSignedURLs", "true")]).await.result();
    assert_eq!((image.get("filename"), &image["requireSignedURLs"]), (None, &true.into()));
    let metrics = server.request("GET", "/metrics").send().await.text();
    assert!(metrics.contains("darkroom_catalog_fetches_total 2\n"), "{metrics}");
    server.stop().await;
}

#[tokio::test]
async fn a_redirect_is_followed_to_the_file() {
    let (server, file) = (server().await, Origin::of(pictures::PNG).await);
    let first = Origin::start(format!("HTTP/1.1 302 Found\r\nlocation: {}\r\n\r\n", file.url("b.png"))).await;
    let image = upload(&server, &first.url("a.png"), &[]).await.result();
    assert_eq!(image["filename"], "a.png");
    let around = Origin::start("HTTP/1.1 302 Found\r\nlocation: /\r\n\r\n").await;
    let error = upload(&server, &around.url(""), &[]).await.refusal(400, 5454);
    assert_eq!(error["message"], "Fetching the url failed: its host redirected too often");
    assert_eq!(around.requests(), 6);
    server.stop().await;
}

#[tokio::test]
async fn private_addresses_are_refused_unless_they_are_allowed() {
    // Without the setting, in every notation, first and after a redirect.
    let (server, origin) = (TestServer::start().await, Origin::of(pictures::PNG).await);
    let port = origin.place.split_once(':').unwrap().1;
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0", "[::]", "[::1]"] {
        let error = upload(&server, &format!("http://{host}:{port}/a.png"), &[]).await.refusal(400, 5454);
        assert_eq!(error["message"], "Fetching the url failed: its host has no address that may be called");
        assert_eq!(error["source"]["pointer"], "/url");
    }
    for host in ["2130706433", "0x7f000001", "0177.0.0.1", "127.1"] {
        let url = format!("http://me:secretword@{host}:{port}/a.png");
        let answer = upload(&server, &url, &[]).await;
        answer.refusal(400, 5400);
        assert!(!answer.text().contains("secretword"));
    }
    assert_eq!(origin.requests(), 0);
    assert_empty(&server).await;
    server.stop().await;

    // With it, everything else. What would be called by mistake is this machine; other addresses are for the tests of
    // the service, which connect to none.
    let server = self::server().await;
    for host in ["[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"] {
        let place = format!("http://{host}:{port}/");
        let redirects = Origin::start(format!("HTTP/1.1 302 Found\r\nlocation: {place}\r\n\r\n")).await;
        upload(&server, &redirects.url("a.png"), &[]).await.refusal(400, 5454);
        assert_eq!(redirects.requests(), 1);
    }
    server.stop().await;
}

#[tokio::test]
async fn what_needs_no_file_is_refused_before_anyone_is_called() {
    let (server, origin) = (server().await, Origin::of(pictures::PNG).await);
    let url = origin.url("a.png");
    server.uploaded(&[("id", "taken")]).await;
    upload(&server, &url, &[("id", "taken")]).await.refusal(409, 5409);
    upload(&server, &url, &[("id", "mine"), ("requireSignedURLs", "true")]).await.refusal(400, 5410);
    upload(&server, &url, &[("id", "page.html")]).await.refusal(400, 5411);
    upload(&server, &url, &[("metadata", "[]")]).await.refusal(400, 5400);
    for url in ["", "a.png", "ftp://127.0.0.1/a.png", "http://", "http://127.0.0.1:0/", "http://127.0.0.1/\n"]
    {
        let error = upload(&server, url, &[]).await.refusal(400, 5400);
        assert!(error["message"].as_str().unwrap().starts_with("Invalid url: "), "{error}");
    }
    let form = Form::default().field("url", &url);
    server.call("POST", "/images/v1").form(&form).token(READ_TOKEN).send().await.refusal(403, 10000);
    let path = format!("/client/v4/accounts/{OTHER_ACCOUNT}/images/v1");
    let elsewhere = server.request("POST", &path).token(super::common::TOKEN).form(&form);
    elsewhere.send().await.refusal(403, 5403);
    assert_eq!(origin.requests(), 0);
    server.stop().await;
}

#[tokio::test]
async fn what_is_fetched_is_judged_as_what_is_sent() {
    let server = server().await;
    let from = async |answer: &[u8]| upload(&server, &Origin::start(answer).await.url("a.png"), &[]).await;
    from(b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\n\r\n<html>no picture</html>")
        .await
        .refusal(415, 5455);
    let wide = b"HTTP/1.1 200 OK\r\n\r\nGIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02L\x01\0;";
    from(wide).await.refusal(413, 5413);
    from(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.refusal(415, 5455);
    from(&[b"HTTP/1.1 200 OK\r\n\r\n", &pictures::PNG[..40]].concat()).await.refusal(400, 5400);
    let error = from(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await.refusal(400, 5454);
    assert_eq!(error["message"], "Fetching the url failed: its host answered with status 404");
    from(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort").await.refusal(400, 5454);
    from(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\nx").await.refusal(400, 5454);
    from(b"no HTTP at all\r\n\r\n").await.refusal(400, 5454);
    from(b"HTTP/1.1 200 OK\r\ncontent-length: 10485761\r\n\r\n").await.refusal(413, 7011);
    let endless = [&b"HTTP/1.1 200 OK\r\n\r\n"[..], &vec![0; (10 << 20) + 1]].concat();
    from(&endless).await.refusal(413, 7011);
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = upload(&server, &format!("http://{closed}/"), &[]).await.refusal(400, 5454);
    assert_eq!(error["message"], "Fetching the url failed: its host does not accept connections");
    assert_empty(&server).await;
    server.stop().await;
}

#[tokio::test]
async fn an_origin_that_says_nothing_is_given_up() {
    let server = TestServer::start_with(CatalogEngine::Memory, |settings| {
        allow_loopback(settings);
        settings.limits.fetch_wait = Duration::from_millis(100);
    })
    .await;
    let silent = Origin::start("").await;
    let error = upload(&server, &silent.url("a.png"), &[]).await.refusal(408, 5408);
    assert_eq!(error["message"], "Upload timed out");
    assert_empty(&server).await;
    server.stop().await;
}

#[tokio::test]
async fn slow_origins_leave_room_for_files_that_are_sent() {
    let server = TestServer::start_with(CatalogEngine::Memory, |settings| {
        allow_loopback(settings);
        settings.limits.fetches_max = 2;
        settings.limits.upload_memory_bytes_max = 32 << 20;
        settings.limits.fetch_wait = Duration::from_secs(2);
    })
    .await;
    let silent = Origin::start("").await;
    let form = Form::default().field("url", &silent.url("a.png"));
    let waiting: Vec<_> = (0..8)
        .map(|_| {
            let request = server.call("POST", "/images/v1").form(&form);
            tokio::spawn(async move { request.send().await })
        })
        .collect();
    while silent.requests() < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    server.uploaded(&[]).await;
    assert_eq!(silent.requests(), 2);
    for request in waiting {
        request.abort();
    }
    server.stop().await;
}
