//! `GET /accounts/{account}/images/v1` (reference: api §4).

use darkroom_api::{ApiError, ImageUrls, ListV1Query, envelope, write_numbered_page};
use darkroom_service::{NumberedListing, Service};
use http::StatusCode;
use http::request::Parts;

use crate::http::caller::{Caller, Read};
use crate::http::failures::api_error;
use crate::http::respond;
use crate::http::server::Response;

/// One numbered page, newest first; beyond the last one it is empty.
pub(crate) async fn handle(
    service: &Service,
    caller: Caller<Read>,
    head: &Parts,
    base: &str,
) -> Result<Response, ApiError> {
    let account = caller.account();
    let query = ListV1Query::parse(head.uri.query().unwrap_or_default(), service.limits())?;
    let listing =
        NumberedListing { filters: query.filters.clone(), offset: query.offset(), page_size: query.per_page };
    let (page, total_count) = service.numbered_list(&account.id, listing).await.map_err(api_error)?;
    let variants = service.variants(&account.id).await.map_err(api_error)?;
    let urls = ImageUrls { base, account_hash: &account.hash, variants: &variants };
    let mut json = Vec::new();
    write_numbered_page(&mut json, page.images(), &urls);
    let info = query.write_result_info(page.len(), total_count);
    Ok(respond::json(StatusCode::OK, envelope::success_with_info(json, info)))
}
