//! `GET /cdn-cgi/image/{options}/{source}` (reference: delivery §1.2, §9, §10). Origins are on loopback, which the settings
//! allow here.

use std::sync::Arc;

use darkroom::settings::{CatalogEngine, Settings};
use darkroom_model::{Limits, MediaType, Network, SourceUrl, Timestamp};
use darkroom_transform::probe;

use super::common::TestServer;
use super::common::client::Answer;
use super::common::origin::Origin;

const PHOTO: &[u8] = include_bytes!("../../../../tests/photos/rocket.jpg");
const CAT: &[u8] = include_bytes!("../../../../tests/photos/chelsea.png");

async fn server_for(origin: &Origin) -> TestServer {
    let place = origin.place.clone();
    server_with(move |settings| settings.transform.origins = vec![place.parse().unwrap()]).await
}

async fn server_with(change: impl FnOnce(&mut Settings)) -> TestServer {
    let change = |settings: &mut Settings| {
        settings.allow_private_sources = vec![Network::parse("127.0.0.0/8").unwrap()];
        settings.transform.allows_http = true;
        change(settings);
    };
    TestServer::start_with(CatalogEngine::Memory, change).await
}

async fn get(server: &TestServer, options: &str, source: &str) -> Answer {
    server.request("GET", &format!("/cdn-cgi/image/{options}/{source}")).send().await
}

#[track_caller]
fn check_image(answer: &Answer, media_type: MediaType, width: u32) {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let found = probe(&answer.body, &Limits::default()).unwrap();
    assert_eq!((found.media_type, found.width), (media_type, width));
    assert_eq!(answer.header("content-type"), Some(media_type.as_str()));
}

#[track_caller]
fn check_refusal(answer: &Answer, status: u16, code: u32) {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert!(answer.text().starts_with(&format!("ERROR {code}: ")), "{}", answer.text());
    assert_eq!(answer.header("cf-resized"), Some(format!("err={code}").as_str()));
    assert_eq!(answer.header("cf-images"), None);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn an_image_from_elsewhere_is_transformed() {
    let origin = Origin::of(PHOTO, "etag: \"v1\"\r\ncache-control: public, max-age=7200\r\n").await;
    let server = server_for(&origin).await;
    let answer = get(&server, "width=64", &origin.url("a%20b.jpg?v=2")).await;
    check_image(&answer, MediaType::Jpeg, 64);
    assert_eq!(answer.header("cache-control"), Some("public, max-age=7200"));
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert!(answer.header("content-security-policy").unwrap().starts_with("default-src 'none';"));
    assert!(answer.header("cf-resized").unwrap().starts_with("internal=ok/m q="));
    assert_eq!((answer.header("cf-images"), answer.header("warning")), (None, None));
    let etag = answer.header("etag").unwrap();
    assert!(etag.starts_with("\"cf-") && etag.ends_with(":v1\""), "{etag}");
    let head = origin.last_head();
    assert!(head.starts_with("GET /a%20b.jpg?v=2 "), "{head}");
    assert!(head.contains("via: 1.1 darkroom (image-resizing)") && !head.contains("cookie"), "{head}");

    // The same once more, another width, and what the client has: the origin is asked for none but the second.
    let again = get(&server, "width=64", &origin.url("a%20b.jpg?v=2")).await;
    assert!(again.header("cf-resized").unwrap().starts_with("internal=ok/h q=0 n=0 c=0"));
    assert_eq!((again.body == answer.body, origin.requests()), (true, 1));
    check_image(&get(&server, "w=32", &origin.url("a%20b.jpg?v=2")).await, MediaType::Jpeg, 32);
    assert_eq!(origin.requests(), 2);
    let path = format!("/cdn-cgi/image/width=64/{}", origin.url("a%20b.jpg?v=2"));
    let had = server.request("GET", &path).header("if-none-match", etag).send().await;
    assert_eq!((had.status, had.body.len(), had.header("etag")), (304, 0, Some(etag)));
    assert_eq!(had.header("cache-control"), Some("public, max-age=7200"));
    assert_eq!(origin.requests(), 2);
    server.stop().await;
}

#[tokio::test]
async fn an_origin_is_asked_again_when_its_word_is_old() {
    let origin = Origin::of(CAT, "cache-control: max-age=60\r\n").await;
    let server = server_for(&origin).await;
    let start = Timestamp::parse("2026-01-01T00:00:00.000Z").unwrap().0;
    let first = get(&server, "width=64,format=webp", &origin.url("a.png")).await;
    check_image(&first, MediaType::WebP, 64);
    assert_eq!(first.header("warning"), Some("cf-images 299 \"cache-control is too restrictive\""));
    server.clock.set(Timestamp(start + 3_599_000));
    get(&server, "width=64,format=webp", &origin.url("a.png")).await;
    assert_eq!(origin.requests(), 1, "an hour at least");
    server.clock.set(Timestamp(start + 3_600_000));
    let later = get(&server, "width=64,format=webp", &origin.url("a.png")).await;
    assert_eq!(origin.requests(), 2);
    // It has the same content still, so nothing is rendered again.
    assert!(later.header("cf-resized").unwrap().starts_with("internal=ok/h"));
    server.stop().await;
}

#[tokio::test]
async fn without_a_format_an_image_is_a_plain_one() {
    let origin = Origin::of(CAT, "").await;
    let server = server_for(&origin).await;
    let path = |options: &str| format!("/cdn-cgi/image/{options}/{}", origin.url("a.png"));
    let accept = "image/avif,image/webp,*/*";
    let plain = server.request("GET", &path("width=64")).header("accept", accept).send().await;
    check_image(&plain, MediaType::Jpeg, 64);
    assert_eq!((plain.header("vary"), plain.header("cache-control")), (None, Some("public, max-age=3600")));
    let auto =
        server.request("GET", &path("width=64,format=auto")).header("accept", "image/webp").send().await;
    check_image(&auto, MediaType::WebP, 64);
    assert_eq!(auto.header("vary"), Some("accept"));
    server.stop().await;
}

#[tokio::test]
async fn a_slow_line_gets_another_quality() {
    let origin = Origin::of(PHOTO, "").await;
    let server = server_for(&origin).await;
    let path = format!("/cdn-cgi/image/width=200,quality=90,scq=10/{}", origin.url("a.jpg"));
    let quick = server.request("GET", &path).send().await;
    let slow = server.request("GET", &path).header("save-data", "on").send().await;
    assert!(slow.body.len() * 2 < quick.body.len(), "{} and {}", slow.body.len(), quick.body.len());
    assert_eq!(slow.header("vary"), Some("rtt, save-data, ect, downlink"));
    assert_eq!(quick.header("vary"), slow.header("vary"));
    server.stop().await;
}

#[tokio::test]
async fn the_own_site_is_named_by_path() {
    let origin = Origin::of(PHOTO, "").await;
    let site = SourceUrl::parse(&origin.url("")).unwrap();
    let server = server_with(move |settings| settings.transform.site = Some(site)).await;
    check_image(&get(&server, "width=64", "media/a.jpg?v=1").await, MediaType::Jpeg, 64);
    assert!(origin.last_head().starts_with("GET /media/a.jpg?v=1 "));
    check_image(&get(&server, "width=64", &origin.url("b.jpg")).await, MediaType::Jpeg, 64);
    check_refusal(&get(&server, "width=64", "https://example.com/b.jpg").await, 403, 9401);
    server.stop().await;
}

#[tokio::test]
async fn what_the_operator_did_not_allow_is_not_asked_for() {
    let origin = Origin::of(PHOTO, "").await;
    let off = server_with(|_| {}).await;
    check_refusal(&get(&off, "width=64", &origin.url("a.jpg")).await, 403, 9401);
    check_refusal(&get(&off, "width=64", "a.jpg").await, 403, 9401);
    off.stop().await;
    let prefix = format!("{}/public/", origin.place);
    let server =
        server_with(move |settings| settings.transform.origins = vec![prefix.parse().unwrap()]).await;
    for path in ["a.jpg", "public/../a.jpg", "public/%2e%2e/a.jpg"] {
        check_refusal(&get(&server, "width=64", &origin.url(path)).await, 403, 9401);
    }
    check_refusal(&get(&server, "width=64", "a.jpg").await, 403, 9401);
    assert_eq!(origin.requests(), 0);
    check_image(&get(&server, "width=64", &origin.url("public/a.jpg")).await, MediaType::Jpeg, 64);
    // An address that is not public stays forbidden, whatever the list says.
    let any = TestServer::start_with(CatalogEngine::Memory, |settings| {
        settings.transform.origins = vec!["*".parse().unwrap(), "127.0.0.1".parse().unwrap()];
    });
    let any = any.await;
    check_refusal(&get(&any, "width=64", "https://127.0.0.1/a.jpg").await, 502, 9407);
    check_refusal(&get(&any, "width=64", "http://127.0.0.1/a.jpg").await, 403, 9406);
    any.stop().await;
    server.stop().await;
}

#[tokio::test]
async fn refusals_are_those_of_the_reference() {
    let origin = Origin::start(|path| match path {
        "/html" => b"HTTP/1.1 200 OK\r\n\r\n<html></html>".to_vec(),
        "/loop" => b"HTTP/1.1 302 Found\r\nlocation: /loop\r\n\r\n".to_vec(),
        "/nowhere" => b"HTTP/1.1 302 Found\r\nlocation: gopher://a/\r\n\r\n".to_vec(),
        "/cut" => b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf".to_vec(),
        "/large" => b"HTTP/1.1 200 OK\r\ncontent-length: 200000000\r\n\r\n".to_vec(),
        _ => {
            let status = path.trim_start_matches('/');
            format!("HTTP/1.1 {status} Whatever\r\ncontent-length: 0\r\n\r\n").into_bytes()
        }
    });
    let origin = origin.await;
    let server = server_for(&origin).await;
    for (path, status, code) in [
        ("404", 404, 9404),
        ("403", 403, 9408),
        ("410", 410, 9408),
        ("500", 502, 9509),
        ("503", 502, 9509),
        ("html", 415, 9412),
        ("loop", 400, 9421),
        ("nowhere", 400, 9420),
        ("cut", 502, 9505),
        ("large", 413, 9402),
    ] {
        check_refusal(&get(&server, "width=64", &origin.url(path)).await, status, code);
    }
    for (rest, status, code) in [
        ("width=64//a.jpg", 404, 9404),
        ("width=64/cdn-cgi/image/width=20/a.jpg", 404, 9404),
        ("blur=300/https://example.com/a.jpg", 400, 9401),
        ("nonsense/https://example.com/a.jpg", 400, 9401),
        ("width=64/ftp://example.com/a.jpg", 403, 9406),
        ("width=64/", 404, 9431),
    ] {
        let answer = server.request("GET", &format!("/cdn-cgi/image/{rest}")).send().await;
        check_refusal(&answer, status, code);
    }
    let path = format!("/cdn-cgi/image/width=64/{}", origin.url("a"));
    let looped = server.request("GET", &path).header("via", "1.1 a, 1.1 b (image-resizing)").send().await;
    check_refusal(&looped, 508, 9403);
    let posted = server.request("POST", &path).send().await;
    check_refusal(&posted, 405, 5405);
    assert_eq!(posted.header("allow"), Some("GET, HEAD, OPTIONS"));
    server.stop().await;
}

#[tokio::test]
async fn onerror_sends_viewers_to_a_source_of_the_own_site() {
    let origin = Origin::start(|_| b"HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n".to_vec()).await;
    let other = Origin::start(|_| b"HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n".to_vec()).await;
    let (site, place) =
        (SourceUrl::parse(&origin.url("")).unwrap(), other.place.replace("127.0.0.1", "localhost"));
    let server = server_with(move |settings| {
        settings.transform.site = Some(site);
        settings.transform.origins = vec![place.parse().unwrap()];
    });
    let server = server.await;
    let sent = get(&server, "width=64,onerror=redirect", "a.jpg?v=1").await;
    assert_eq!((sent.status, sent.header("location")), (302, Some(origin.url("a.jpg?v=1").as_str())));
    assert_eq!(sent.header("cache-control"), Some("no-store"));
    check_refusal(&get(&server, "width=64", "a.jpg").await, 502, 9509);
    let elsewhere = other.url("a.jpg").replace("127.0.0.1", "localhost");
    check_refusal(&get(&server, "width=64,onerror=redirect", &elsewhere).await, 502, 9509);
    server.stop().await;
}

#[tokio::test]
async fn many_who_want_the_same_ask_its_origin_once() {
    let origin = Origin::of(PHOTO, "").await;
    let server = Arc::new(server_for(&origin).await);
    let asking = (0..20).map(|_| {
        let (server, url) = (Arc::clone(&server), origin.url("a.jpg"));
        tokio::spawn(async move { get(&server, "width=64", &url).await.status })
    });
    for answer in futures_util::future::join_all(asking).await {
        assert_eq!(answer.unwrap(), 200);
    }
    assert_eq!(origin.requests(), 1);
}
