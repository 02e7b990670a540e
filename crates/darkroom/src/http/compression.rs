//! JSON answers, made smaller for those who can read them so (RFC 9110 §12.5.3).
//!
//! Only JSON: images are compressed already. Small answers are left alone, since one packet is one packet.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderValue, header};

use super::answer_body::AnswerBody;
use super::server::Response;

/// Answers below this size fit in a packet with their head.
const BYTES_MIN: usize = 1024;

/// Answers above this size are compressed on a thread that may take its time: a page of 1,000 images takes milliseconds.
const BYTES_AT_ONCE_MAX: usize = 32 << 10;

/// The fastest levels: pages are read once, and the names in them repeat.
const GZIP_LEVEL: u32 = 1;
const ZSTD_LEVEL: i32 = 1;

/// A way to make an answer smaller.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Coding {
    /// RFC 8878; takes a third of the time of gzip.
    Zstd,
    /// RFC 1952.
    Gzip,
}

impl Coding {
    /// Returns the coding that a client likes best; among equals zstd. `None` if it wants none that we have.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Coding> {
        let (zstd, gzip) = (quality(headers, "zstd"), quality(headers, "gzip"));
        match (zstd, gzip) {
            (0, 0) => None,
            (zstd, gzip) if zstd >= gzip => Some(Coding::Zstd),
            _ => Some(Coding::Gzip),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Coding::Zstd => "zstd",
            Coding::Gzip => "gzip",
        }
    }

    fn compress(self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Coding::Zstd => zstd::bulk::compress(bytes, ZSTD_LEVEL),
            Coding::Gzip => {
                let room = Vec::with_capacity(bytes.len() / 4);
                let mut encoder = GzEncoder::new(room, flate2::Compression::new(GZIP_LEVEL));
                encoder.write_all(bytes)?;
                encoder.finish()
            }
        }
    }
}

/// Compresses an answer if it is JSON, not small, and the client likes it so. What depends on the client's wish says so.
pub(crate) async fn compress(mut response: Response, wish: Option<Coding>) -> Response {
    let AnswerBody::Whole(Some(bytes)) = response.body() else { return response };
    if bytes.len() < BYTES_MIN || !is_json(&response) {
        return response;
    }
    let bytes = bytes.clone();
    response.headers_mut().append(header::VARY, HeaderValue::from_static("accept-encoding"));
    let Some(coding) = wish else { return response };
    let compressed = match bytes.len() > BYTES_AT_ONCE_MAX {
        true => tokio::task::spawn_blocking(move || coding.compress(&bytes))
            .await
            .unwrap_or_else(|error| Err(io::Error::other(error))),
        false => coding.compress(&bytes),
    };
    match compressed {
        Ok(compressed) => {
            response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
            *response.body_mut() = AnswerBody::from(Bytes::from(compressed));
        }
        Err(error) => tracing::warn!(%error, coding = coding.name(), "an answer could not be compressed"),
    }
    response
}

fn is_json(response: &Response) -> bool {
    let content_type = response.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    content_type == Some(b"application/json") && !response.headers().contains_key(header::CONTENT_ENCODING)
}

/// Returns how much a client likes a coding, in thousandths: what it says of it, else what it says of `*`, else nothing.
fn quality(headers: &HeaderMap, coding: &str) -> u16 {
    let lists = || headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let of = |wanted: &str| {
        let mut wishes = lists().flat_map(|list| list.split(',')).filter_map(|wish| {
            let (name, parameters) = wish.split_once(';').unwrap_or((wish, ""));
            let is_meant = name.trim().eq_ignore_ascii_case(wanted);
            is_meant.then(|| weight(parameters))
        });
        wishes.next()
    };
    // An old name of gzip (RFC 9110 §8.4.1.3).
    let old_name = || if coding == "gzip" { of("x-gzip") } else { None };
    of(coding).or_else(old_name).or_else(|| of("*")).unwrap_or(0)
}

/// Reads `q=0.5`; all of it if there is none, nothing if it cannot be read.
fn weight(parameters: &str) -> u16 {
    let parameter = parameters.trim();
    if parameter.is_empty() {
        return 1000;
    }
    let Some((name, value)) = parameter.split_once('=') else { return 0 };
    let value = value.trim();
    let is_weight = name.trim().eq_ignore_ascii_case("q")
        && (1..=5).contains(&value.len())
        && value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    match value.parse::<f32>() {
        Ok(weight) if is_weight && (0.0..=1.0).contains(&weight) => (weight * 1000.0).round() as u16,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::respond;
    use http::StatusCode;
    use http_body_util::BodyExt;
    use std::io::Read;

    fn check(lists: &[&'static str], expected: Option<Coding>) {
        let mut headers = HeaderMap::new();
        for list in lists {
            headers.append(header::ACCEPT_ENCODING, HeaderValue::from_static(list));
        }
        assert_eq!(Coding::of(&headers), expected, "{lists:?}");
    }

    #[test]
    fn the_coding_that_is_liked_best_is_taken() {
        check(&["gzip"], Some(Coding::Gzip));
        check(&["x-gzip"], Some(Coding::Gzip));
        check(&["gzip, deflate, br, zstd"], Some(Coding::Zstd));
        check(&["gzip, deflate", "zstd"], Some(Coding::Zstd));
        check(&["GZIP;q=1.0, zstd;q=0.5"], Some(Coding::Gzip));
        check(&["zstd; q=0.001"], Some(Coding::Zstd));
        check(&["*"], Some(Coding::Zstd));
        check(&["zstd;q=0, *"], Some(Coding::Gzip));
    }

    #[test]
    fn nothing_is_forced_on_anyone() {
        check(&[], None);
        check(&[""], None);
        check(&["identity"], None);
        check(&["deflate, br"], None);
        check(&["gzip;q=0, zstd;q=0.000"], None);
        check(&["*;q=0"], None);
        check(&["gzip;q=x"], None);
        check(&["gzip;q=2"], None);
        check(&["gzip;level=9"], None);
        check(&["gzipped"], None);
    }

    async fn compressed(response: Response, wish: Option<Coding>) -> (Option<String>, Option<String>, Bytes) {
        let response = compress(response, wish).await;
        let header = |name| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let (coding, vary) = (header(header::CONTENT_ENCODING), header(header::VARY));
        (coding, vary, response.into_body().collect().await.unwrap().to_bytes())
    }

    #[tokio::test]
    async fn json_comes_back_as_it_was() {
        for length in [BYTES_MIN, BYTES_AT_ONCE_MAX + 1] {
            let text: String = "0123456789 meta ".chars().cycle().take(length).collect();
            let json = || respond::json(StatusCode::OK, text.clone());
            let (coding, vary, body) = compressed(json(), Some(Coding::Gzip)).await;
            assert_eq!((coding.as_deref(), vary.as_deref()), (Some("gzip"), Some("accept-encoding")));
            let mut read = String::new();
            flate2::read::GzDecoder::new(&body[..]).read_to_string(&mut read).unwrap();
            assert!(read == text && body.len() < length);
            let (coding, _, body) = compressed(json(), Some(Coding::Zstd)).await;
            assert_eq!(coding.as_deref(), Some("zstd"));
            assert!(zstd::bulk::decompress(&body, length).unwrap() == text.as_bytes());
            let (coding, vary, body) = compressed(json(), None).await;
            assert_eq!((coding, vary.as_deref()), (None, Some("accept-encoding")));
            assert!(body == text);
        }
    }

    #[tokio::test]
    async fn small_answers_and_pictures_are_left_alone() {
        let small = respond::json(StatusCode::OK, "x".repeat(BYTES_MIN - 1));
        let picture = respond::answer(StatusCode::OK, "image/svg+xml", Bytes::from("x".repeat(BYTES_MIN)));
        for response in [small, picture] {
            let (coding, vary, _) = compressed(response, Some(Coding::Gzip)).await;
            assert_eq!((coding, vary), (None, None));
        }
    }
}
