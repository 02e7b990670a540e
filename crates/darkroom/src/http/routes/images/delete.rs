//! `DELETE /accounts/{account}/images/v1/{image}` (reference: api §7).

use darkroom_api::{ApiError, envelope};
use darkroom_model::ImageId;
use darkroom_service::Service;
use http::StatusCode;

use crate::http::caller::{Caller, Write};
use crate::http::failures::api_error;
use crate::http::respond;
use crate::http::server::Response;

/// The empty object, when nobody can see the image any more; 404 if there is none. A body is not read.
pub(crate) async fn handle(
    service: &Service,
    caller: Caller<Write>,
    id: ImageId,
) -> Result<Response, ApiError> {
    service.delete(&caller.account().id, &id).await.map_err(api_error)?;
    Ok(respond::json(StatusCode::OK, envelope::success("{}")))
}
