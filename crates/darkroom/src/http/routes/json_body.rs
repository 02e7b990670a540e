//! Reading the JSON body of a call.

use bytes::Bytes;
use darkroom_api::ApiError;
use darkroom_model::Limits;
use darkroom_service::Service;

use crate::http::body::{BodyError, RequestBody};

/// Returns the whole body of a call that takes JSON. Its declared type is not judged: clients send what they like.
pub(crate) async fn read(service: &Service, body: RequestBody) -> Result<Bytes, ApiError> {
    read_within(service.limits(), body).await
}

/// As [`read`], under these limits.
pub(crate) async fn read_within(limits: &Limits, body: RequestBody) -> Result<Bytes, ApiError> {
    body.read(limits.json_bytes_max).await.map_err(refusal)
}

/// Returns what is said of a body that could not be read.
pub(crate) fn refusal(error: BodyError) -> ApiError {
    match error {
        BodyError::TooLarge => ApiError::too_large(),
        BodyError::Stalled => ApiError::upload_timed_out(),
        BodyError::NotReceived => ApiError::invalid("Invalid request body: incomplete", None),
    }
}
