//! `POST /upload/{hash}/{image…}`: a file for a one-time URL, from whoever has it (reference: api §14).

use darkroom_api::{ApiError, DirectUploadForm, Found};
use darkroom_model::Entry;
use darkroom_service::DraftFile;
use http::request::Parts;
use http::{Method, StatusCode, header};

use super::images::entry_answer;
use super::images::upload::{form_part, refusal};
use crate::http::app::App;
use crate::http::body::{BodyError, RequestBody};
use crate::http::failures::api_error;
use crate::http::form;
use crate::http::respond;
use crate::http::server::Response;

const METHODS: &str = "POST, OPTIONS";

/// The new image, in the envelope; what goes wrong, in plain text. Any page of any site may send the file.
pub(crate) async fn handle(
    app: &App,
    found: Result<Found, ApiError>,
    head: &Parts,
    body: RequestBody,
    base: &str,
) -> Response {
    let endpoint = found.as_ref().ok().map(|found| found.endpoint);
    let mut response = match head.method {
        Method::OPTIONS => preflight(),
        _ => receive(app, found, head, body, base).await.unwrap_or_else(|error| {
            debug_assert!(endpoint.is_none_or(|endpoint| endpoint.has_error(&error)), "unnamed: {error:?}");
            let mut response = respond::failure_in_text(&error);
            if error.status == 405 {
                respond::set(&mut response, header::ALLOW, METHODS);
            }
            response
        }),
    };
    respond::set(&mut response, header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
    response
}

/// Checks come in rising order of cost: whether the URL still counts, what the head says, the form, the image.
async fn receive(
    app: &App,
    found: Result<Found, ApiError>,
    head: &Parts,
    mut body: RequestBody,
    base: &str,
) -> Result<Response, ApiError> {
    let (found, service) = (found?, app.service()?);
    let limits = service.limits();
    let account = service.account_by_hash(&found.account_hash()?).await.map_err(api_error)?;
    let account = account.ok_or_else(ApiError::image_not_found)?;
    let id = found.image_id()?;
    service.check_draft(&account.id, &id).await.map_err(api_error)?;

    let progress = body.progress();
    let refused = |error| refusal(error, &progress, limits);
    let content_type = head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let boundary = form::boundary(content_type).map_err(refused)?;
    let bytes_max = form::body_bytes_max(limits);
    body.check_declared(bytes_max).map_err(|_: BodyError| ApiError::too_large())?;

    let _in_progress = app.metrics().upload();
    let bytes = body.declared_bytes().map_or(bytes_max, |bytes| bytes as usize);
    let memory = tokio::time::timeout(limits.upload_wait, service.reserve_upload(bytes)).await;
    let memory = memory.map_err(|_| ApiError::unavailable())?.map_err(api_error)?;
    let parts = form::read(&boundary, body.pieces(), limits).await.map_err(refused)?;
    body.skip_rest().await;

    let form = DirectUploadForm::parse(parts.into_iter().map(form_part).collect(), limits)?;
    let DirectUploadForm { file, filename } = form;
    let file = DraftFile { file, filename, memory: Some(memory) };
    let image = service.complete_draft(&account.id, &id, file).await.map_err(api_error)?;
    entry_answer(service, &account, &Entry::Image(image), base).await
}

/// Answers a browser that asks before it sends.
fn preflight() -> Response {
    let mut response = respond::empty(StatusCode::NO_CONTENT);
    respond::set(&mut response, header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    respond::set(&mut response, header::ACCESS_CONTROL_ALLOW_HEADERS, "*");
    respond::set(&mut response, header::ACCESS_CONTROL_MAX_AGE, "86400");
    respond::set(&mut response, header::ALLOW, METHODS);
    response
}
