//! `GET /{hash}/{image…}/{variant or options}`: an image for everyone (reference: delivery).

use darkroom_api::{DeliveryError, DeliveryPath, OptionList, Rendering};
use darkroom_model::SignedUrl;
use darkroom_service::{DeliverError, RenderingAsked, Service};
use http::request::Parts;
use http::{Method, StatusCode, header};

use crate::http::failures::delivery_error;
use crate::http::http_cache::{client_has, unresized_etag};
use crate::http::range::extent;
use crate::http::respond;
use crate::http::server::Response;

/// An image can do nothing in a browser but be seen (reference: delivery §11).
const CONTENT_SECURITY_POLICY: &str =
    "default-src 'none'; navigate-to 'none'; form-action 'none'; img-src data:; style-src 'unsafe-inline';";

/// The image; any page of any site may show it and look at its pixels.
pub(crate) async fn handle(service: &Service, head: &Parts) -> Response {
    if head.method == Method::OPTIONS {
        return preflight();
    }
    match deliver(service, head).await {
        Ok(response) => response,
        Err(error) => {
            let mut response = respond::delivery_failure(&error);
            if error.status == 405 {
                respond::set(&mut response, header::ALLOW, METHODS);
            }
            response
        }
    }
}

const METHODS: &str = "GET, HEAD, OPTIONS";

async fn deliver(service: &Service, head: &Parts) -> Result<Response, DeliveryError> {
    if !matches!(head.method, Method::GET | Method::HEAD) {
        return Err(DeliveryError::method_not_allowed());
    }
    let DeliveryPath { hash, image_id, rendering } = DeliveryPath::parse(head.uri.path())?;
    let url = SignedUrl { raw_path: head.uri.path(), raw_query: head.uri.query().unwrap_or_default() };
    // What is wrong with options is told to those only who may use some.
    let options = match &rendering {
        Rendering::Options(list) => OptionList::parse(list).map(|_| ()),
        Rendering::Variant(_) => Ok(()),
    };
    let delivery = service.deliver(&hash, image_id.as_ref(), asked(rendering), url).await;
    let delivery = delivery.map_err(|error| match (error, options) {
        (DeliverError::OptionsNotBuilt, Err(problem)) => problem,
        (error, _) => delivery_error(error),
    })?;
    let image = &delivery.image;
    let etag = unresized_etag(image);
    let mut response = match client_has(&head.headers, &etag) {
        true => respond::empty(StatusCode::NOT_MODIFIED),
        false => {
            let extent = extent(&head.method, &head.headers, &etag, image.original.size_bytes);
            let original = respond::original(service, image, extent).await.map_err(DeliverError::from);
            original.map_err(delivery_error)?
        }
    };
    respond::set_made(&mut response, header::ETAG, &etag);
    // Nothing that is kept may outlive the coming of resizing; nor may a shared cache keep what took a signature.
    let cache_control = if delivery.by_signature { "private, no-cache" } else { "no-cache" };
    respond::set(&mut response, header::CACHE_CONTROL, cache_control);
    respond::set(&mut response, header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY);
    respond::set(&mut response, header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
    Ok(response)
}

fn asked(rendering: Rendering) -> RenderingAsked {
    match rendering {
        Rendering::Variant(name) => RenderingAsked::Variant(name),
        Rendering::Options(list) => RenderingAsked::Options(list),
    }
}

/// Answers a browser that asks before it asks (reference: delivery §1).
fn preflight() -> Response {
    let mut response = respond::empty(StatusCode::NO_CONTENT);
    respond::set(&mut response, header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
    respond::set(&mut response, header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    respond::set(&mut response, header::ACCESS_CONTROL_MAX_AGE, "86400");
    respond::set(&mut response, header::ALLOW, METHODS);
    response
}
