//! Answers: their bodies, and the headers that every answer of a kind has.

use bytes::Bytes;
use darkroom_api::{ApiError, DeliveryError, envelope};
use darkroom_model::{Image, Original};
use darkroom_service::{Service, ServiceError};
use http::{HeaderName, HeaderValue, StatusCode, header};

use super::answer_body::AnswerBody;
use super::range::Extent;
use super::request_log::PublicCode;
use super::server::Response;

/// What was done for an answer of delivery, or why nothing was.
pub(crate) const CF_IMAGES: HeaderName = HeaderName::from_static("cf-images");
/// The same, of images from elsewhere.
pub(crate) const CF_RESIZED: HeaderName = HeaderName::from_static("cf-resized");

/// Returns an answer of the API: JSON that nobody keeps (reference: list-v2 §5).
pub(crate) fn json(status: StatusCode, body: impl Into<Bytes>) -> Response {
    let mut response = answer(status, "application/json", body.into());
    set(&mut response, header::CACHE_CONTROL, "no-store");
    response
}

/// Returns a short text that nobody keeps.
pub(crate) fn text(status: StatusCode, body: impl Into<Bytes>) -> Response {
    let mut response = answer(status, "text/plain; charset=utf-8", body.into());
    set(&mut response, header::CACHE_CONTROL, "no-store");
    response
}

/// Returns an answer with an original or a part of it, read as it is sent: 200, 206, or 416 with nothing in it.
pub(crate) async fn original(
    service: &Service,
    image: &Image,
    extent: Extent,
) -> Result<Response, ServiceError> {
    let Original { media_type, size_bytes, .. } = image.original;
    let body = match &extent {
        Extent::Whole => {
            AnswerBody::Pieces { pieces: service.original_stream(image).await?, left: size_bytes }
        }
        Extent::Part(range) => AnswerBody::Pieces {
            pieces: service.original_range(image, range.clone()).await?,
            left: range.end - range.start,
        },
        Extent::Beyond => AnswerBody::Whole(None),
    };
    Ok(extract(body, media_type.as_str(), &extent, size_bytes))
}

/// Returns an answer with these bytes or a part of them, as [`original`] does.
pub(crate) fn part(bytes: Bytes, content_type: &'static str, extent: Extent) -> Response {
    let length = bytes.len() as u64;
    let body = match &extent {
        Extent::Whole => bytes,
        // It lies within the bytes, which are in memory.
        Extent::Part(range) => bytes.slice(range.start as usize..range.end as usize),
        Extent::Beyond => Bytes::new(),
    };
    extract(body, content_type, &extent, length)
}

/// Returns an answer whose body is just this extent of so many bytes.
fn extract(
    body: impl Into<AnswerBody>,
    content_type: &'static str,
    extent: &Extent,
    length: u64,
) -> Response {
    let mut response = match extent {
        Extent::Whole => answer(StatusCode::OK, content_type, body),
        Extent::Part(range) => {
            let mut response = answer(StatusCode::PARTIAL_CONTENT, content_type, body);
            let content_range = format!("bytes {}-{}/{length}", range.start, range.end - 1);
            set_made(&mut response, header::CONTENT_RANGE, &content_range);
            response
        }
        Extent::Beyond => {
            let mut response = empty(StatusCode::RANGE_NOT_SATISFIABLE);
            set_made(&mut response, header::CONTENT_RANGE, &format!("bytes */{length}"));
            response
        }
    };
    set(&mut response, header::ACCEPT_RANGES, "bytes");
    response
}

/// Returns an answer with this content. Browsers are told not to guess at its type.
pub(crate) fn answer(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<AnswerBody>,
) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    set(&mut response, header::CONTENT_TYPE, content_type);
    set(&mut response, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    response
}

/// Returns an answer without content.
pub(crate) fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(AnswerBody::Whole(None));
    *response.status_mut() = status;
    response
}

/// Sets a header whose value is known beforehand.
pub(crate) fn set(response: &mut Response, name: HeaderName, value: &'static str) {
    response.headers_mut().insert(name, HeaderValue::from_static(value));
}

/// Sets a header whose value was made just now. A value that no header can have is left out.
pub(crate) fn set_made(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// Returns a refusal of the API, in its envelope.
pub(crate) fn failure(error: &ApiError) -> Response {
    let status = status(error.status);
    let mut response = json(status, envelope::failure(error));
    finish_failure(&mut response, error);
    response
}

/// Returns a refusal as the upload host writes it (reference: api §14).
pub(crate) fn failure_in_text(error: &ApiError) -> Response {
    let mut response = text(status(error.status), error.to_plain_text());
    finish_failure(&mut response, error);
    response
}

fn finish_failure(response: &mut Response, error: &ApiError) {
    for (name, value) in &error.headers {
        set_made(response, HeaderName::from_static(name), value);
    }
    response.extensions_mut().insert(PublicCode(error.code));
}

/// Returns a refusal of delivery: one line of text, its code also in a header (reference: delivery §11).
pub(crate) fn delivery_failure(error: &DeliveryError) -> Response {
    refusal_of_image(error, CF_IMAGES)
}

/// As [`delivery_failure`], of an image from elsewhere.
pub(crate) fn transformation_failure(error: &DeliveryError) -> Response {
    refusal_of_image(error, CF_RESIZED)
}

fn refusal_of_image(error: &DeliveryError, told_in: HeaderName) -> Response {
    let mut response = text(status(error.status), error.to_string());
    set_made(&mut response, told_in, &format!("err={}", error.code));
    if let Some(seconds) = error.retry_after_seconds {
        set_made(&mut response, header::RETRY_AFTER, &seconds.to_string());
    }
    set(&mut response, header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
    response.extensions_mut().insert(PublicCode(error.code));
    response
}

fn status(number: u16) -> StatusCode {
    StatusCode::from_u16(number).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
