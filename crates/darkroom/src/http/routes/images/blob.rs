//! `GET /accounts/{account}/images/v1/{image}/blob`: the bytes that were uploaded (reference: api §8).

use darkroom_api::ApiError;
use darkroom_model::{ImageId, MediaType};
use darkroom_service::Service;
use http::request::Parts;
use http::{StatusCode, header};

use crate::http::caller::{Caller, Read};
use crate::http::failures::api_error;
use crate::http::http_cache::{blob_etag, client_has};
use crate::http::range::extent;
use crate::http::respond;
use crate::http::server::Response;

/// Exactly the bytes, or the range of them that is asked for; 304 if the client has them; 404 if there is no such image.
pub(crate) async fn handle(
    service: &Service,
    caller: Caller<Read>,
    id: ImageId,
    head: &Parts,
) -> Result<Response, ApiError> {
    let account = &caller.account().id;
    let image = service.details(account, &id).await.map_err(api_error)?;
    let etag = blob_etag(&image);
    if client_has(&head.headers, &etag) {
        let mut response = respond::empty(StatusCode::NOT_MODIFIED);
        set_validators(&mut response, &etag);
        return Ok(response);
    }
    let extent = extent(&head.method, &head.headers, &etag, image.original.size_bytes);
    let mut response = respond::original(service, &image, extent).await.map_err(api_error)?;
    set_validators(&mut response, &etag);
    if image.original.media_type == MediaType::Svg {
        // An SVG is a document that can run scripts; shown in a browser, it would run them here.
        respond::set(&mut response, header::CONTENT_DISPOSITION, "attachment");
    }
    Ok(response)
}

fn set_validators(response: &mut Response, etag: &str) {
    respond::set_made(response, header::ETAG, etag);
    respond::set(response, header::CACHE_CONTROL, "no-store");
}
