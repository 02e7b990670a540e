//! `POST /accounts/{account}/images/v1` (reference: api §3).

use bytes::Bytes;
use darkroom_api::{ApiError, FormPart, UploadForm, UploadSource};
use darkroom_model::{Entry, Limits};
use darkroom_service::{Service, Upload};
use http::header;
use http::request::Parts;

use super::entry_answer;
use crate::http::body::{BodyError, BodyProgress, RequestBody};
use crate::http::caller::{Caller, Write};
use crate::http::failures::api_error;
use crate::http::form::{self, FormError, Part};
use crate::http::metrics::Metrics;
use crate::http::server::Response;

/// Returns what is said of a form that could not be read.
pub(crate) fn refusal(error: FormError, progress: &BodyProgress, limits: &Limits) -> ApiError {
    let invalid = |problem: String| ApiError::invalid(format!("Invalid form: {problem}"), None);
    match error {
        FormError::NotMultipart => ApiError::not_a_form(),
        FormError::TooLarge => ApiError::too_large(),
        FormError::FieldTooLarge => {
            invalid(format!("maximum {} bytes allowed in a field", limits.field_bytes_max))
        }
        FormError::TooManyParts => invalid(format!("maximum {} parts allowed", limits.parts_max)),
        FormError::NotReceived if progress.is_stalled() => ApiError::upload_timed_out(),
        FormError::Incomplete | FormError::NotReceived => invalid("incomplete".to_owned()),
        FormError::Malformed => invalid("malformed".to_owned()),
    }
}

/// The new image, when it stands. Checks come in rising order of cost: what the head says, the form, the image.
pub(crate) async fn handle(
    service: &Service,
    caller: Caller<Write>,
    head: &Parts,
    mut body: RequestBody,
    base: &str,
    metrics: &Metrics,
) -> Result<Response, ApiError> {
    let (account, limits) = (caller.account(), service.limits());
    let progress = body.progress();
    let refused = |error| refusal(error, &progress, limits);

    let content_type = head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let boundary = form::boundary(content_type).map_err(refused)?;
    let bytes_max = form::body_bytes_max(limits);
    body.check_declared(bytes_max).map_err(|_: BodyError| ApiError::too_large())?;

    let _in_progress = metrics.upload();
    let bytes = body.declared_bytes().map_or(bytes_max, |bytes| bytes as usize);
    let memory = tokio::time::timeout(limits.upload_wait, service.reserve_upload(bytes)).await;
    let memory = memory.map_err(|_| ApiError::unavailable())?.map_err(api_error)?;
    let parts = form::read(&boundary, body.pieces(), limits).await.map_err(refused)?;
    body.skip_rest().await;

    let form = UploadForm::parse(parts.into_iter().map(form_part).collect(), limits)?;
    let UploadForm { source, filename, id, creator, metadata, require_signed_urls } = form;
    let memory = Some(memory);
    let upload = Upload { file: Bytes::new(), filename, id, creator, metadata, require_signed_urls, memory };
    let stored = match source {
        UploadSource::File(file) => service.upload(&account.id, Upload { file, ..upload }).await,
        UploadSource::Url(url) => service.upload_from(&account.id, &url, upload).await,
    };
    let image = stored.map_err(api_error)?;
    entry_answer(service, account, &Entry::Image(image), base).await
}

pub(crate) fn form_part(part: Part) -> FormPart {
    let Part { name, filename, content } = part;
    FormPart { name, filename, content }
}
