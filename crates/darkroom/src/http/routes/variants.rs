//! `/accounts/{account}/images/v1/variants` (reference: api §10).
//!
//! Image answers build their URLs from the same settings, so that a new variant appears in all of them at once.

use darkroom_api::bodies::variant::{
    parse_new_variant, parse_variant_edit, write_flat_variant, write_variant, write_variants,
};
use darkroom_api::{ApiError, envelope};
use darkroom_model::{AccountSettings, AccountSettingsChange, AccountSettingsError, Variant, VariantName};
use darkroom_service::{Service, ServiceError};
use http::StatusCode;

use super::json_body;
use crate::http::body::RequestBody;
use crate::http::caller::{Caller, Read, Write};
use crate::http::failures::api_error;
use crate::http::respond;
use crate::http::server::Response;

/// `GET`: an object with a member for each.
pub(crate) async fn list(service: &Service, caller: Caller<Read>) -> Result<Response, ApiError> {
    let settings = service.account_settings(&caller.account().id).await.map_err(api_error)?;
    Ok(answer(write_variants(settings.variants())))
}

/// `POST`: the variant as it is stored; 409 if its name is taken.
pub(crate) async fn create(
    service: &Service,
    caller: Caller<Write>,
    body: RequestBody,
) -> Result<Response, ApiError> {
    let variant = parse_new_variant(&json_body::read(service, body).await?)?;
    let name = variant.name.clone();
    let change = AccountSettingsChange::CreateVariant(variant, service.limits().variants_max);
    change_one(service, caller, &name, change).await
}

/// `GET …/{name}`.
pub(crate) async fn details(
    service: &Service,
    caller: Caller<Read>,
    name: VariantName,
) -> Result<Response, ApiError> {
    let settings = service.account_settings(&caller.account().id).await.map_err(api_error)?;
    Ok(answer(write_variant(find(&settings, &name)?)))
}

/// `GET …/{name}/flat`: the same without an object around it.
pub(crate) async fn flat(
    service: &Service,
    caller: Caller<Read>,
    name: VariantName,
) -> Result<Response, ApiError> {
    let settings = service.account_settings(&caller.account().id).await.map_err(api_error)?;
    Ok(answer(write_flat_variant(find(&settings, &name)?)))
}

/// `PATCH …/{name}`: its options are replaced as a whole.
pub(crate) async fn edit(
    service: &Service,
    caller: Caller<Write>,
    name: VariantName,
    body: RequestBody,
) -> Result<Response, ApiError> {
    let edit = parse_variant_edit(&json_body::read(service, body).await?)?;
    change_one(service, caller, &name, AccountSettingsChange::EditVariant(name.clone(), edit)).await
}

/// `DELETE …/{name}`: the empty object; `public` stays. A body is not read.
pub(crate) async fn delete(
    service: &Service,
    caller: Caller<Write>,
    name: VariantName,
) -> Result<Response, ApiError> {
    let change = AccountSettingsChange::DeleteVariant(name);
    service.change_account_settings(&caller.account().id, change).await.map_err(refusal)?;
    Ok(answer("{}"))
}

/// Makes a change and answers with the variant that it was about.
async fn change_one(
    service: &Service,
    caller: Caller<Write>,
    name: &VariantName,
    change: AccountSettingsChange,
) -> Result<Response, ApiError> {
    let changed = service.change_account_settings(&caller.account().id, change).await;
    Ok(answer(write_variant(find(&*changed.map_err(refusal)?, name)?)))
}

fn find<'s>(settings: &'s AccountSettings, name: &VariantName) -> Result<&'s Variant, ApiError> {
    settings.variant(name).ok_or_else(ApiError::variant_not_found)
}

fn refusal(error: ServiceError) -> ApiError {
    match error {
        ServiceError::Settings(AccountSettingsError::NotFound) => ApiError::variant_not_found(),
        ServiceError::Settings(AccountSettingsError::TooMany(max)) => {
            ApiError::invalid(format!("Too many variants: maximum {max} allowed"), None)
        }
        ServiceError::Settings(AccountSettingsError::PublicVariant) => {
            ApiError::invalid("The variant 'public' cannot be deleted", None)
        }
        other => api_error(other),
    }
}

fn answer(result: impl AsRef<[u8]>) -> Response {
    respond::json(StatusCode::OK, envelope::success(result))
}
