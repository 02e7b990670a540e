//! `GET /accounts/{account}/images/v1/stats` (reference: api §9).

use darkroom_api::bodies::stats::write_stats;
use darkroom_api::{ApiError, envelope};
use darkroom_service::Service;
use http::StatusCode;

use crate::http::caller::{Caller, Read};
use crate::http::failures::api_error;
use crate::http::respond;
use crate::http::server::Response;

/// How many images there are, and how many there may be.
pub(crate) async fn handle(service: &Service, caller: Caller<Read>) -> Result<Response, ApiError> {
    let images = service.count(&caller.account().id).await.map_err(api_error)?;
    Ok(respond::json(StatusCode::OK, envelope::success(write_stats(images))))
}
