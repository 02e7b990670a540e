//! `GET /user/tokens/verify`: is this token known? Many tools ask before anything else (reference: api §1.2).

use darkroom_api::ApiError;
use darkroom_api::bodies::verify_token::write_verified;
use darkroom_service::Service;
use http::StatusCode;
use http::request::Parts;

use crate::http::caller::token_of;
use crate::http::rate_limit::RequestRates;
use crate::http::respond;
use crate::http::server::Response;

/// 200 with the token's id; 401 if it is not known.
pub(crate) async fn handle(
    service: &Service,
    head: &Parts,
    rates: &RequestRates<'_>,
) -> Result<Response, ApiError> {
    let token = token_of(service, &head.headers, rates).await?.ok_or_else(ApiError::invalid_api_token)?;
    Ok(respond::json(StatusCode::OK, write_verified(&token.id)))
}
