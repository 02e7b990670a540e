//! `GET /{hash}/{image…}/{variant or options}`: an image for everyone (reference: delivery).

use darkroom_api::{DeliveryError, DeliveryPath, OptionList, Rendering};
use darkroom_model::{MediaType, SignedUrl};
use darkroom_service::{
    DeliverError, Delivery, MakingTimes, RenderPlan, RenderedContent, RenderingAsked, Served, Service,
};
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, header};

use crate::http::failures::delivery_error;
use crate::http::http_cache::{cache_control, client_has, rendition_etag};
use crate::http::range::extent;
use crate::http::respond::{self, CF_IMAGES};
use crate::http::server::Response;
use crate::http::viewer::{LINE_HEADERS, SCREEN_HEADERS, viewer};

/// An image can do nothing in a browser but be seen (reference: delivery §11).
pub(super) const CONTENT_SECURITY_POLICY: &str =
    "default-src 'none'; navigate-to 'none'; form-action 'none'; img-src data:; style-src 'unsafe-inline';";

/// Warnings in one answer; further ones are left out.
const WARNINGS_MAX: usize = 8;
/// Characters of a warning; what follows them is left out.
const WARNING_CHARS_MAX: usize = 120;

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

pub(super) const METHODS: &str = "GET, HEAD, OPTIONS";

/// Goes through the checks in the order of the reference (delivery §2), the cheap ones first: rows, options, what the
/// client has already, what was rendered already, and only then pixels.
async fn deliver(service: &Service, head: &Parts) -> Result<Response, DeliveryError> {
    if !matches!(head.method, Method::GET | Method::HEAD) {
        return Err(DeliveryError::method_not_allowed());
    }
    let told = |error: DeliverError| delivery_error(error, service);
    let DeliveryPath { hash, image_id, rendering } = DeliveryPath::parse(head.uri.path())?;
    let url = SignedUrl { raw_path: head.uri.path(), raw_query: head.uri.query().unwrap_or_default() };
    let delivery = service.deliver(&hash, image_id.as_ref(), asked(&rendering), url).await.map_err(told)?;
    let OptionList { options, mut warnings, .. } = options(&rendering, &delivery)?;
    let plan = RenderPlan::hosted(options, &viewer(&head.headers), service.limits().render);

    let Delivery { image, keeping, .. } = delivery;
    let name = plan.name(&image.original.content_hash);
    let etag = rendition_etag(name);
    let mut response = if client_has(&head.headers, &etag) {
        respond::empty(StatusCode::NOT_MODIFIED)
    } else if plan.sends_as_is(&image.original) {
        let length = image.original.size_bytes;
        let extent = extent(&head.method, &head.headers, &etag, length);
        let original = respond::original(service, &image, extent).await.map_err(DeliverError::from);
        let mut response = original.map_err(told)?;
        respond::set_made(&mut response, CF_IMAGES, &cost(Some(MakingTimes::default()), length));
        response
    } else {
        let Served { rendition, made_in } = service.rendition(name, &image, &plan).await.map_err(told)?;
        let length = rendition.bytes.len() as u64;
        let extent = extent(&head.method, &head.headers, &etag, length);
        let content_type = content_type(rendition.facts.content);
        let mut response = respond::part(rendition.bytes.clone(), content_type, extent);
        respond::set_made(&mut response, CF_IMAGES, &cost(made_in, length));
        warnings.extend(rendition.facts.warnings.iter().cloned());
        response
    };
    if response.status() != StatusCode::NOT_MODIFIED {
        respond::set(&mut response, header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY);
        warn(&mut response, &warnings);
    }
    respond::set_made(&mut response, header::ETAG, &etag);
    respond::set_made(&mut response, header::CACHE_CONTROL, &cache_control(keeping));
    vary(&mut response, &plan);
    respond::set(&mut response, header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
    Ok(response)
}

fn asked(rendering: &Rendering) -> RenderingAsked<'_> {
    match rendering {
        Rendering::Variant(name) => RenderingAsked::Variant(name),
        Rendering::Options(_) => RenderingAsked::Options,
    }
}

/// Returns the options of the variant, or reads those of the URL: what is wrong with them is told to those only who may
/// use some.
fn options(rendering: &Rendering, delivery: &Delivery) -> Result<OptionList, DeliveryError> {
    match (rendering, &delivery.variant) {
        (_, Some(variant)) => {
            Ok(OptionList { options: variant.clone(), warnings: Vec::new(), is_format_given: false })
        }
        (Rendering::Options(list) | Rendering::Variant(list), None) => OptionList::parse(list),
    }
}

pub(super) fn content_type(content: RenderedContent) -> &'static str {
    match content {
        RenderedContent::Image(media_type) => MediaType::as_str(media_type),
        RenderedContent::Json => "application/json",
    }
}

/// Tells what an answer took (reference: delivery §11): whether it was made or had, then milliseconds in the queue, for
/// the source and for pixels, the version, the length.
pub(super) fn cost(made_in: Option<MakingTimes>, length: u64) -> String {
    let class = if made_in.is_some() { "m" } else { "h" };
    let MakingTimes { queue, fetch, render } = made_in.unwrap_or_default();
    format!(
        "internal=ok/{class} q={} n={} c={} v={} l={length}",
        queue.as_millis(),
        fetch.as_millis(),
        render.as_millis(),
        env!("CARGO_PKG_VERSION"),
    )
}

/// Says where the image is not quite what was asked for. A warning may repeat words of the URL: what could end its quotes
/// or the header is left out.
pub(super) fn warn(response: &mut Response, warnings: &[String]) {
    for warning in warnings.iter().take(WARNINGS_MAX) {
        let is_safe = |char: &char| matches!(char, ' '..='~') && !matches!(char, '"' | '\\');
        let text: String = warning.chars().filter(is_safe).take(WARNING_CHARS_MAX).collect();
        if let Ok(value) = HeaderValue::from_str(&format!("cf-images 299 \"{text}\"")) {
            response.headers_mut().append(header::WARNING, value);
        }
    }
}

/// Says which headers of the request the answer depended on.
pub(super) fn vary(response: &mut Response, plan: &RenderPlan) {
    let on_accept = plan.depends_on_accept.then_some("accept");
    let on_screen = plan.depends_on_screen.then_some(SCREEN_HEADERS);
    let on_line = plan.depends_on_line.then_some(LINE_HEADERS);
    for names in [on_accept, on_screen, on_line].into_iter().flatten() {
        response.headers_mut().append(header::VARY, HeaderValue::from_static(names));
    }
}

/// Answers a browser that asks before it asks (reference: delivery §1).
pub(super) fn preflight() -> Response {
    let mut response = respond::empty(StatusCode::NO_CONTENT);
    respond::set(&mut response, header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
    respond::set(&mut response, header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    respond::set(&mut response, header::ACCESS_CONTROL_MAX_AGE, "86400");
    respond::set(&mut response, header::ALLOW, METHODS);
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_warning_cannot_end_its_header() {
        let mut response = respond::empty(StatusCode::OK);
        let warnings: Vec<String> =
            ["plain", "a\"b\\c\r\nset-cookie: é", &"x".repeat(1_000)].map(str::to_owned).into();
        warn(&mut response, &warnings);
        let told: Vec<&str> =
            response.headers().get_all(header::WARNING).iter().map(|value| value.to_str().unwrap()).collect();
        let long = format!("cf-images 299 \"{}\"", "x".repeat(WARNING_CHARS_MAX));
        assert_eq!(told, ["cf-images 299 \"plain\"", "cf-images 299 \"abcset-cookie: \"", &long]);
        let mut response = respond::empty(StatusCode::OK);
        warn(&mut response, &vec!["many".to_owned(); 100]);
        assert_eq!(response.headers().get_all(header::WARNING).iter().count(), WARNINGS_MAX);
    }

    #[test]
    fn an_answer_tells_what_it_took() {
        let version = env!("CARGO_PKG_VERSION");
        let times = MakingTimes {
            queue: Duration::from_micros(1_999),
            fetch: Duration::from_millis(20),
            render: Duration::from_secs(3),
        };
        assert_eq!(cost(Some(times), 7), format!("internal=ok/m q=1 n=20 c=3000 v={version} l=7"));
        assert_eq!(cost(None, 7), format!("internal=ok/h q=0 n=0 c=0 v={version} l=7"));
    }
}
