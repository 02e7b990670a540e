//! The calls on images.

pub(crate) mod blob;
pub(crate) mod delete;
pub(crate) mod details;
pub(crate) mod direct_upload;
pub(crate) mod edit;
pub(crate) mod list_v1;
pub(crate) mod list_v2;
pub(crate) mod stats;
pub(crate) mod upload;

use darkroom_api::{ApiError, ImageUrls, envelope, write_entry};
use darkroom_model::{Account, Entry};
use darkroom_service::Service;
use http::StatusCode;

use crate::http::failures::api_error;
use crate::http::respond;
use crate::http::server::Response;

/// Returns the answer that is one image or draft.
pub(crate) async fn entry_answer(
    service: &Service,
    account: &Account,
    entry: &Entry,
    base: &str,
) -> Result<Response, ApiError> {
    let variants = service.variants(&account.id).await.map_err(api_error)?;
    let urls = ImageUrls { base, account_hash: &account.hash, variants: &variants };
    let mut json = Vec::new();
    write_entry(&mut json, entry, &urls);
    Ok(respond::json(StatusCode::OK, envelope::success(json)))
}
