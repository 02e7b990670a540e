//! `GET /accounts/{account}/images/v1/{image}` (reference: api §5).

use darkroom_api::ApiError;
use darkroom_model::ImageId;
use darkroom_service::Service;

use super::entry_answer;
use crate::http::caller::{Caller, Read};
use crate::http::failures::api_error;
use crate::http::server::Response;

/// The image or draft; 404 if there is none.
pub(crate) async fn handle(
    service: &Service,
    caller: Caller<Read>,
    id: ImageId,
    base: &str,
) -> Result<Response, ApiError> {
    let account = caller.account();
    let entry = service.entry(&account.id, &id).await.map_err(api_error)?;
    entry_answer(service, account, &entry, base).await
}
