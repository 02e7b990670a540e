//! Parts of originals in the API (RFC 9110 §14).

use super::common::client::{Answer, Form};
use super::common::{TestServer, pictures};

/// A picture whose every byte can be told from its neighbours.
fn picture() -> Vec<u8> {
    let mut picture = pictures::png_of_bytes(100_000);
    let start = pictures::PNG.len();
    for (place, byte) in picture[start..].iter_mut().enumerate() {
        *byte = (place % 251) as u8;
    }
    picture
}

#[track_caller]
fn check_part(answer: &Answer, whole: &[u8], first: usize, last: usize) {
    assert_eq!(answer.status, 206, "{}", answer.text());
    assert_eq!(answer.body, &whole[first..=last]);
    assert_eq!(
        answer.header("content-range"),
        Some(format!("bytes {first}-{last}/{}", whole.len()).as_str())
    );
    assert_eq!(answer.header("content-length"), Some((last - first + 1).to_string().as_str()));
    assert_eq!(answer.header("accept-ranges"), Some("bytes"));
    assert_eq!(answer.header("content-type"), Some("image/png"));
    assert!(answer.header("etag").is_some() && answer.header("cache-control").is_some());
}

#[tokio::test]
async fn one_range_is_sent_and_nothing_else() {
    for server in [TestServer::start().await, TestServer::start_on_disk().await] {
        let whole = picture();
        let form = Form::default().field("id", "a").file("a.png", &whole);
        server.call("POST", "/images/v1").form(&form).send().await.result();
        let request = server.call("GET", "/images/v1/a/blob");
        for (range, first, last) in [
            ("bytes=0-0", 0, 0),
            ("bytes=10-49999", 10, 49_999),
            ("bytes=99990-", 99_990, 99_999),
            ("bytes=99990-200000", 99_990, 99_999),
            ("bytes=-100", 99_900, 99_999),
            ("bytes=-200000", 0, 99_999),
        ] {
            check_part(&request.clone().header("range", range).send().await, &whole, first, last);
        }
        for range in ["bytes=100000-", "bytes=-0"] {
            let answer = request.clone().header("range", range).send().await;
            assert_eq!((answer.status, answer.body.len()), (416, 0), "{range}");
            assert_eq!(answer.header("content-range"), Some("bytes */100000"));
        }
        for range in ["bytes=0-1,5-6", "bytes=5-1", "lines=0-1", "bytes"] {
            let answer = request.clone().header("range", range).send().await;
            assert_eq!((answer.status, answer.body == whole), (200, true), "{range}");
            assert_eq!(answer.header("accept-ranges"), Some("bytes"));
            assert_eq!(answer.header("content-range"), None);
        }
    }
}

#[tokio::test]
async fn a_download_is_resumed_only_if_the_file_is_the_same() {
    let server = TestServer::start().await;
    let whole = picture();
    let form = Form::default().field("id", "a").file("a.png", &whole);
    server.call("POST", "/images/v1").form(&form).send().await.result();
    let blob = server.call("GET", "/images/v1/a/blob");
    let etag = blob.send().await.header("etag").unwrap().to_owned();
    let from = blob.header("range", "bytes=500-");
    check_part(&from.clone().header("if-range", &etag).send().await, &whole, 500, 99_999);
    for other in ["\"other\"", &format!("W/{etag}"), "Tue, 24 Nov 2026 12:00:00 GMT"] {
        let answer = from.clone().header("if-range", other).send().await;
        assert_eq!((answer.status, answer.body.len()), (200, 100_000), "{other}");
    }
    // Who has all of it needs no part of it.
    let same = from.clone().header("if-none-match", &etag).send().await;
    assert_eq!((same.status, same.body.len()), (304, 0));
}

#[tokio::test]
async fn a_head_request_has_no_range() {
    let server = TestServer::start().await;
    server.uploaded(&[("id", "a")]).await;
    let answer = server.call("HEAD", "/images/v1/a/blob").header("range", "bytes=0-1").send().await;
    assert_eq!((answer.status, answer.header("content-length")), (200, Some("67")));
    assert_eq!(answer.header("accept-ranges"), Some("bytes"));
}
