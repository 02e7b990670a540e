//! `GET /accounts/{account}/images/v1/batch_token` (reference: api §15).

use darkroom_api::bodies::batch_token::write_batch_token;
use darkroom_api::{ApiError, envelope};
use darkroom_service::Service;
use http::StatusCode;

use crate::http::caller::{Caller, Read};
use crate::http::failures::api_error;
use crate::http::respond;
use crate::http::server::Response;

/// A token for the batch host, which may do there what the caller may do here.
pub(crate) async fn handle(service: &Service, caller: Caller<Read>) -> Result<Response, ApiError> {
    let (account, scope) = (&caller.account().id, caller.scope());
    let (secret, expires_at) = service.create_batch_token(account, scope).await.map_err(api_error)?;
    Ok(respond::json(StatusCode::OK, envelope::success(write_batch_token(&secret, expires_at))))
}
