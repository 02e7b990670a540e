//! `POST /accounts/{account}/images/v2/direct_upload`, and the same below `v1` (reference: api §13).

use darkroom_api::{ApiError, DirectUpload, envelope, write_direct_upload};
use darkroom_model::Limits;
use darkroom_service::{NewDraft, Service};
use http::request::Parts;
use http::{StatusCode, header};

use super::upload::{self, form_part};
use crate::http::body::RequestBody;
use crate::http::caller::{Caller, Write};
use crate::http::failures::api_error;
use crate::http::form;
use crate::http::respond;
use crate::http::routes::json_body;
use crate::http::server::Response;

/// The reserved id and its one-time URL.
pub(crate) async fn handle(
    service: &Service,
    caller: Caller<Write>,
    head: &Parts,
    body: RequestBody,
    base: &str,
) -> Result<Response, ApiError> {
    let account = caller.account();
    let asked = read(head, body, service.limits()).await?;
    let DirectUpload { id, creator, metadata, require_signed_urls, expires_at } = asked;
    let draft = NewDraft { id, creator, metadata, require_signed_urls, expires_at };
    let id = service.create_draft(&account.id, draft).await.map_err(api_error)?;
    let mut json = Vec::new();
    write_direct_upload(&mut json, &id, base, &account.hash);
    Ok(respond::json(StatusCode::OK, envelope::success(json)))
}

/// Reads a form if it says that it is one, and anything else as JSON: that is what `curl --data` sends under the type
/// of a form of another kind.
async fn read(head: &Parts, mut body: RequestBody, limits: &Limits) -> Result<DirectUpload, ApiError> {
    let content_type = head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let is_form =
        content_type.is_some_and(|text| text.trim_start().to_ascii_lowercase().starts_with("multipart/"));
    if !is_form || body.declared_bytes() == Some(0) {
        let body = json_body::read_within(limits, body).await?;
        return DirectUpload::parse_json(&body, limits);
    }
    // There is no file here: nothing needs more room than a field.
    let limits = &Limits { file_bytes_max: limits.field_bytes_max, ..*limits };
    let progress = body.progress();
    let refused = |error| upload::refusal(error, &progress, limits);
    let boundary = form::boundary(content_type).map_err(refused)?;
    body.check_declared(form::body_bytes_max(limits)).map_err(json_body::refusal)?;
    let parts = form::read(&boundary, body.pieces(), limits).await.map_err(refused)?;
    body.skip_rest().await;
    DirectUpload::parse_form(parts.into_iter().map(form_part).collect(), limits)
}
