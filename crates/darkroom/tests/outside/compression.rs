//! JSON answers, made smaller for those who like them so.

use std::io::Read;

use super::common::client::Answer;
use super::common::{HASH, TestServer};

/// Returns the body as it was.
fn unpacked(answer: &Answer) -> Vec<u8> {
    let mut body = Vec::new();
    match answer.header("content-encoding") {
        Some("gzip") => flate2::read::GzDecoder::new(&answer.body[..]).read_to_end(&mut body).unwrap(),
        Some("zstd") => {
            zstd::stream::read::Decoder::new(&answer.body[..]).unwrap().read_to_end(&mut body).unwrap()
        }
        Some(other) => panic!("{other}"),
        None => return answer.body.clone(),
    };
    body
}

#[tokio::test]
async fn a_page_is_sent_as_the_client_likes_it() {
    let server = TestServer::start().await;
    for number in 0..120 {
        server.uploaded(&[("id", &format!("image-{number}")), ("metadata", r#"{"status":"active"}"#)]).await;
    }
    for page in ["5", "120"] {
        let list = server.call("GET", &format!("/images/v2?per_page={page}"));
        let plain = list.send().await;
        assert_eq!((plain.header("content-encoding"), plain.header("vary")), (None, Some("accept-encoding")));
        for (wish, expected) in [
            ("gzip", Some("gzip")),
            ("gzip, deflate, br, zstd", Some("zstd")),
            ("zstd;q=0.1, gzip;q=0.9", Some("gzip")),
            ("br, identity", None),
            ("gzip;q=0", None),
        ] {
            let answer = list.clone().header("accept-encoding", wish).send().await;
            assert_eq!(answer.header("content-encoding"), expected, "{wish}");
            assert_eq!(answer.header("vary"), Some("accept-encoding"));
            assert_eq!(answer.header("content-length"), Some(answer.body.len().to_string().as_str()));
            assert!(unpacked(&answer) == plain.body, "{wish}");
            assert_eq!(answer.body.len() < plain.body.len(), expected.is_some(), "{wish}");
        }
        let head = server.call("HEAD", &format!("/images/v2?per_page={page}"));
        let head = head.header("accept-encoding", "gzip").send().await;
        assert_eq!((head.header("content-encoding"), head.body.len()), (Some("gzip"), 0));
    }
}

#[tokio::test]
async fn small_answers_and_images_are_left_alone() {
    let server = TestServer::start().await;
    server.uploaded(&[("id", "a")]).await;
    for request in [
        server.call("GET", "/images/v1/a"),
        server.call("GET", "/images/v1/nothing"),
        server.call("GET", "/images/v1/a/blob"),
        server.request("GET", "/metrics"),
    ] {
        let answer = request.header("accept-encoding", "gzip, zstd").send().await;
        assert_eq!(
            (answer.header("content-encoding"), answer.header("vary")),
            (None, None),
            "{}",
            answer.text()
        );
    }
    let image = server.request("GET", &format!("/{HASH}/a/public")).header("accept-encoding", "gzip, zstd");
    let image = image.send().await;
    assert_eq!((image.header("content-encoding"), image.header("vary")), (None, Some("accept")));
}
