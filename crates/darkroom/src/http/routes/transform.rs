//! `GET /cdn-cgi/image/{options}/{source}`: an image from elsewhere, transformed (reference: delivery §1.2, §9).

use darkroom_api::{DeliveryError, OptionList, TransformPath, TransformRules, TransformSource};
use darkroom_model::SourceUrl;
use darkroom_model::source_url::Host;
use darkroom_service::{
    DeliverError, KnownSource, RenderPlan, Served, Service, TransformOptions, Transformed,
};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode, header};

use super::deliver::{CONTENT_SECURITY_POLICY, METHODS, content_type, cost, preflight, vary, warn};
use crate::http::failures::delivery_error;
use crate::http::http_cache::{client_has, transformed_etag};
use crate::http::range::extent;
use crate::http::respond::{self, CF_RESIZED};
use crate::http::server::Response;
use crate::http::viewer::viewer;

/// What viewers may do with an image whose origin says nothing of it (reference: delivery §10, the least there is).
const UNSAID_CACHE_CONTROL: &str = "public, max-age=3600";
/// Below it an origin's time is one that it should think about, in seconds.
const RESTRICTIVE_SECONDS: u64 = 3_600;
/// What one of us, or Cloudflare's, says in `Via` when it asks for a source.
const VIA_MARK: &str = "image-resizing";

/// The image; any page of any site may show it and look at its pixels.
pub(crate) async fn handle(service: &Service, head: &Parts) -> Response {
    if head.method == Method::OPTIONS {
        return preflight();
    }
    match transform(service, head).await {
        Ok(response) => response,
        Err(Refusal { redirect: Some(source), .. }) => redirect(&source),
        Err(Refusal { error, redirect: None }) => {
            let mut response = respond::transformation_failure(&error);
            if error.status == 405 {
                respond::set(&mut response, header::ALLOW, METHODS);
            }
            response
        }
    }
}

/// Why there is no image, and where it can be seen as it is if the URL asks for that (`onerror=redirect`).
struct Refusal {
    error: DeliveryError,
    redirect: Option<SourceUrl>,
}

impl From<DeliveryError> for Refusal {
    fn from(error: DeliveryError) -> Refusal {
        Refusal { error, redirect: None }
    }
}

async fn transform(service: &Service, head: &Parts) -> Result<Response, Refusal> {
    if !matches!(head.method, Method::GET | Method::HEAD) {
        return Err(DeliveryError::method_not_allowed().into());
    }
    let allowed = service.transform_options();
    if !allowed.is_on() {
        return Err(DeliveryError::origin_not_allowed().into());
    }
    if comes_from_a_transformation(&head.headers) {
        return Err(DeliveryError::transformation_loop().into());
    }
    let rules = TransformRules { allows_http: allowed.allows_http };
    let path = TransformPath::parse(head.uri.path(), head.uri.query(), rules)?;
    let told = |error: DeliverError| delivery_error(error, service);
    let source = source_url(path.source, allowed).map_err(told)?;
    let asks_for_redirect = path.options.options.redirect_on_error;
    let shown = show(service, head, &source, path.options).await;
    shown.map_err(|error| {
        let redirect = (asks_for_redirect && is_of_site(&source, allowed)).then_some(source);
        Refusal { error: told(error), redirect }
    })
}

/// Returns where the source is, if it may be transformed.
fn source_url(source: TransformSource, allowed: &TransformOptions) -> Result<SourceUrl, DeliverError> {
    match source {
        TransformSource::Own(path) => allowed.of_site(&path),
        TransformSource::Absolute(url) => allowed.check(&url).map(|()| url),
    }
}

async fn show(
    service: &Service,
    head: &Parts,
    source: &SourceUrl,
    list: OptionList,
) -> Result<Response, DeliverError> {
    let OptionList { options, mut warnings, is_format_given } = list;
    let plan = RenderPlan::remote(options, is_format_given, &viewer(&head.headers), service.limits().render);
    // What is known of the source may be all that is needed.
    if let Some(known) = service.known_source(source) {
        let etag = etag(&plan, &known);
        if client_has(&head.headers, &etag) {
            let mut response = respond::empty(StatusCode::NOT_MODIFIED);
            finish(&mut response, &plan, &known, &etag);
            return Ok(response);
        }
    }
    let Transformed { served: Served { rendition, made_in }, source: known } =
        service.transformed(source, &plan).await?;
    let etag = etag(&plan, &known);
    let mut response = if client_has(&head.headers, &etag) {
        respond::empty(StatusCode::NOT_MODIFIED)
    } else {
        let length = rendition.bytes.len() as u64;
        let extent = extent(&head.method, &head.headers, &etag, length);
        let mut response =
            respond::part(rendition.bytes.clone(), content_type(rendition.facts.content), extent);
        respond::set_made(&mut response, CF_RESIZED, &cost(made_in, length));
        respond::set(&mut response, header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY);
        warnings.extend(rendition.facts.warnings.iter().cloned());
        if known.told_seconds().is_some_and(|seconds| seconds < RESTRICTIVE_SECONDS) {
            warnings.push("cache-control is too restrictive".to_owned());
        }
        warn(&mut response, &warnings);
        response
    };
    finish(&mut response, &plan, &known, &etag);
    Ok(response)
}

/// Sets the headers that an image has and a 304 too.
fn finish(response: &mut Response, plan: &RenderPlan, source: &KnownSource, etag: &str) {
    let cache_control = source.cache_control.as_deref().unwrap_or(UNSAID_CACHE_CONTROL);
    respond::set_made(response, header::CACHE_CONTROL, cache_control);
    respond::set_made(response, header::ETAG, etag);
    vary(response, plan);
    respond::set(response, header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
}

fn etag(plan: &RenderPlan, source: &KnownSource) -> String {
    transformed_etag(plan.name(&source.content_hash), source.etag.as_deref())
}

/// Says whether whoever asks is a server that transforms images, and asks for a source of its own.
fn comes_from_a_transformation(headers: &HeaderMap) -> bool {
    let via = headers.get_all(header::VIA).iter().filter_map(|value| value.to_str().ok());
    via.into_iter().any(|value| value.contains(VIA_MARK))
}

/// Says whether a source lies on the own site or below its name.
fn is_of_site(source: &SourceUrl, allowed: &TransformOptions) -> bool {
    let Some(site) = &allowed.site else { return false };
    match (site.host(), source.host()) {
        (Host::Name(site), Host::Name(name)) => {
            name.strip_suffix(site.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        }
        (site, host) => site == host,
    }
}

/// Sends a viewer to the source itself.
fn redirect(source: &SourceUrl) -> Response {
    let mut response = respond::text(StatusCode::FOUND, "");
    respond::set_made(&mut response, header::LOCATION, &source.to_url());
    respond::set(&mut response, header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
    response
}
