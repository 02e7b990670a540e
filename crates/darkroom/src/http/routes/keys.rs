//! `/accounts/{account}/images/v1/keys`: each call answers with all keys that there are then (reference: api §11).

use darkroom_api::bodies::signing_keys::write_keys;
use darkroom_api::{ApiError, envelope};
use darkroom_model::{AccountSettings, AccountSettingsChange, AccountSettingsError, SigningKeyName};
use darkroom_service::{Service, ServiceError};
use http::StatusCode;

use crate::http::caller::{Caller, Write};
use crate::http::failures::api_error;
use crate::http::respond;
use crate::http::server::Response;

/// `GET`. A key opens every private image, so this takes a token that may write.
pub(crate) async fn list(service: &Service, caller: Caller<Write>) -> Result<Response, ApiError> {
    let settings = service.account_settings(&caller.account().id).await.map_err(api_error)?;
    Ok(answer(&settings))
}

/// `PUT …/{name}`. A key that is there stays as it is, because clients repeat this call. A body is not read.
pub(crate) async fn create(
    service: &Service,
    caller: Caller<Write>,
    name: Option<SigningKeyName>,
) -> Result<Response, ApiError> {
    let name = name.ok_or_else(|| {
        let message = "Invalid signing key name: must be 1 to 20 letters, digits, '_' or '-'";
        ApiError::invalid(message, Some("/path/signing_key_name".to_owned()))
    })?;
    let change = AccountSettingsChange::CreateSigningKey(name, service.new_signing_key());
    make(service, caller, change).await
}

/// `DELETE …/{name}`. In the place of the last key comes a new one, `default`.
pub(crate) async fn delete(
    service: &Service,
    caller: Caller<Write>,
    name: Option<SigningKeyName>,
) -> Result<Response, ApiError> {
    let name = name.ok_or_else(ApiError::key_not_found)?;
    let change = AccountSettingsChange::DeleteSigningKey(name, service.new_signing_key());
    make(service, caller, change).await
}

async fn make(
    service: &Service,
    caller: Caller<Write>,
    change: AccountSettingsChange,
) -> Result<Response, ApiError> {
    let changed = service.change_account_settings(&caller.account().id, change).await;
    Ok(answer(&*changed.map_err(refusal)?))
}

fn refusal(error: ServiceError) -> ApiError {
    match error {
        ServiceError::Settings(AccountSettingsError::NotFound) => ApiError::key_not_found(),
        ServiceError::Settings(AccountSettingsError::TooMany(max)) => {
            ApiError::invalid(format!("Too many signing keys: maximum {max} allowed"), None)
        }
        other => api_error(other),
    }
}

fn answer(settings: &AccountSettings) -> Response {
    respond::json(StatusCode::OK, envelope::success(write_keys(settings.signing_keys())))
}
