//! One request to an origin and what it answers, on a connection of its own.

use std::convert::Infallible;
use std::future::pending;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use darkroom_model::SourceUrl;
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{Errand, FetchError, Fetched};

/// Bytes of an answer's head: more than servers send with an image, cookies included.
const HEAD_BYTES_MAX: usize = 64 << 10;
const USER_AGENT: &str = concat!("Darkroom/", env!("CARGO_PKG_VERSION"));

/// What origins are told of a request for a transformation, so that a loop of them is noticed (reference: delivery §9).
const VIA: &str = "1.1 darkroom (image-resizing)";

/// What an origin answers.
pub(super) enum Answer {
    /// The file.
    File(Fetched),
    /// That it is elsewhere; where, as it was written.
    Elsewhere(String),
}

/// Asks for a file and reads it, no further than it may be long.
pub(super) async fn exchange<S>(stream: S, url: &SourceUrl, errand: Errand) -> Result<Answer, FetchError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let request = request(url, errand)?;
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEAD_BYTES_MAX);
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let asking = async {
        let (head, body) = sender.send_request(request).await.map_err(broken)?.into_parts();
        match elsewhere(head.status, &head.headers)? {
            Some(place) => Ok(Answer::Elsewhere(place)),
            None => {
                let bytes = read(&head.headers, body, errand.bytes_max).await?;
                let kept = |name| Some(head.headers.get(name)?.to_str().ok()?.to_owned());
                let (cache_control, etag) = (kept(header::CACHE_CONTROL), kept(header::ETAG));
                Ok(Answer::File(Fetched { bytes, cache_control, etag }))
            }
        }
    };
    // The connection ends before its last bytes are read from it; what it ended with is told to whoever reads.
    let driving = async {
        let _ = connection.await;
        pending::<Infallible>().await
    };
    tokio::select! {
        answer = asking => answer,
        never = driving => match never {},
    }
}

fn request(url: &SourceUrl, errand: Errand) -> Result<Request<Empty<Bytes>>, FetchError> {
    let unusable = |_| FetchError::NoHttp;
    let mut request = Request::get(url.target())
        .header(header::HOST, url.authority())
        .header(header::USER_AGENT, USER_AGENT)
        .header(header::ACCEPT, "image/*, */*;q=0.5")
        // What was packed small could be unpacked without end.
        .header(header::ACCEPT_ENCODING, "identity")
        .header(header::CONNECTION, "close")
        .body(Empty::new())
        .map_err(unusable)?;
    if errand.is_for_transformation {
        request.headers_mut().insert(header::VIA, HeaderValue::from_static(VIA));
    }
    if let Some(credentials) = url.credentials() {
        let text = format!("Basic {}", BASE64_STANDARD.encode(credentials.expose()));
        let mut value = HeaderValue::from_str(&text).map_err(|_| FetchError::NoHttp)?;
        value.set_sensitive(true);
        request.headers_mut().insert(header::AUTHORIZATION, value);
    }
    Ok(request)
}

/// Returns where an answer sends us, if it does; [`FetchError::Status`] if it is neither that nor a file.
fn elsewhere(status: StatusCode, headers: &HeaderMap) -> Result<Option<String>, FetchError> {
    match status.as_u16() {
        200 => Ok(None),
        301 | 302 | 303 | 307 | 308 => {
            let place = headers.get(header::LOCATION).map(|place| String::from_utf8_lossy(place.as_bytes()));
            place.map(|place| Some(place.into_owned())).ok_or(FetchError::Status(status.as_u16()))
        }
        status => Err(FetchError::Status(status)),
    }
}

async fn read(headers: &HeaderMap, mut body: Incoming, bytes_max: usize) -> Result<Bytes, FetchError> {
    let is_plain = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    if !headers.get_all(header::CONTENT_ENCODING).iter().all(is_plain) {
        return Err(FetchError::Encoded);
    }
    let declared = body.size_hint().exact();
    if declared.is_some_and(|bytes| bytes > bytes_max as u64) {
        return Err(FetchError::TooLarge);
    }
    let mut file = Vec::with_capacity(declared.map_or(0, |bytes| bytes as usize));
    while let Some(frame) = body.frame().await {
        let Ok(piece) = frame.map_err(broken)?.into_data() else { continue };
        if file.len() + piece.len() > bytes_max {
            return Err(FetchError::TooLarge);
        }
        make_room(&mut file, piece.len(), bytes_max);
        file.extend_from_slice(&piece);
    }
    Ok(file.into())
}

/// Makes room for so many bytes more as a `Vec` would, and never for more than was reserved.
fn make_room(file: &mut Vec<u8>, more: usize, bytes_max: usize) {
    if file.capacity() - file.len() < more {
        let room = file.len().max(more).min(bytes_max - file.len());
        file.reserve_exact(room);
    }
}

fn broken(_: hyper::Error) -> FetchError {
    FetchError::NoHttp
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn room_is_made_within_what_was_reserved() {
        let (mut file, mut moves) = (Vec::new(), 0);
        while file.len() < 1000 {
            let before = file.capacity();
            make_room(&mut file, 10, 1000);
            file.extend_from_slice(&[0; 10]);
            moves += usize::from(file.capacity() != before);
        }
        assert_eq!(file.capacity(), 1000);
        assert!(moves < 10, "{moves}");
    }

    proptest! {
        #[test]
        fn every_url_that_is_read_can_be_asked_for(text in r"http://([ -~]{0,9}@)?[a-z0-9.]{1,9}(:[0-9]{1,5})?([/?#]\PC{0,40})?") {
            if let Ok(url) = SourceUrl::parse(&text) {
                let request = request(&url, Errand::upload(1)).unwrap();
                prop_assert_eq!(request.uri().path_and_query().unwrap().as_str(), url.target());
                prop_assert!(request.uri().authority().is_none());
                prop_assert_eq!(&request.headers()[header::HOST], &url.authority());
            }
        }
    }
}
