//! `PATCH /accounts/{account}/images/v1/{image}` (reference: api §6).

use darkroom_api::{ApiError, parse_edit};
use darkroom_model::ImageId;
use darkroom_service::Service;

use super::entry_answer;
use crate::http::body::RequestBody;
use crate::http::caller::{Caller, Write};
use crate::http::failures::api_error;
use crate::http::routes::json_body;
use crate::http::server::Response;

/// The image as it became; what the body does not name stays.
pub(crate) async fn handle(
    service: &Service,
    caller: Caller<Write>,
    id: ImageId,
    body: RequestBody,
    base: &str,
) -> Result<Response, ApiError> {
    let (account, limits) = (caller.account(), service.limits());
    let edit = parse_edit(&json_body::read(service, body).await?, limits)?;
    let entry = service.edit(&account.id, &id, edit).await.map_err(api_error)?;
    entry_answer(service, account, &entry, base).await
}
