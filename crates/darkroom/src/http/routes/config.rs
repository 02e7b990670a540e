//! `GET` and `PATCH /accounts/{account}/images/v1/config` (reference: api §12).

use darkroom_api::bodies::account_config::{parse_config_edit, write_config};
use darkroom_api::{ApiError, envelope};
use darkroom_model::{AccountSettings, AccountSettingsChange};
use darkroom_service::Service;
use http::StatusCode;

use super::json_body;
use crate::http::body::RequestBody;
use crate::http::caller::{Caller, Read, Write};
use crate::http::failures::api_error;
use crate::http::respond;
use crate::http::server::Response;

/// The configuration, whole.
pub(crate) async fn get(service: &Service, caller: Caller<Read>) -> Result<Response, ApiError> {
    let settings = service.account_settings(&caller.account().id).await.map_err(api_error)?;
    Ok(answer(&settings))
}

/// The configuration as it became; what the body does not name stays.
pub(crate) async fn edit(
    service: &Service,
    caller: Caller<Write>,
    body: RequestBody,
) -> Result<Response, ApiError> {
    let edit = parse_config_edit(&json_body::read(service, body).await?)?;
    let change = AccountSettingsChange::EditConfig(edit);
    let settings = service.change_account_settings(&caller.account().id, change).await.map_err(api_error)?;
    Ok(answer(&settings))
}

fn answer(settings: &AccountSettings) -> Response {
    respond::json(StatusCode::OK, envelope::success(write_config(&settings.config)))
}
