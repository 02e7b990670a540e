//! The table of contents: which request goes where.

use std::net::SocketAddr;

use darkroom_api::endpoints::{self, API_BASE, BATCH_BASE, EndpointName, Found};
use darkroom_api::{ApiError, DeliveryError, openapi};
use darkroom_service::Service;
use http::request::Parts;
use http::{Method, StatusCode, header};

use super::address::{base_url, is_for_batch_host};
use super::app::App;
use super::body::RequestBody;
use super::caller::{Caller, Door, Permission};
use super::forwarded::{Client, is_passed_on};
use super::rate_limit::RequestRates;
use super::respond;
use super::routes::images::{
    blob, delete, details, direct_upload as drafts, edit, list_v1, list_v2, stats, upload,
};
use super::routes::{
    batch_token, config, deliver, direct_upload, health, keys, metrics, openapi as document, tokens_verify,
    transform, variants,
};
use super::server::{Arrival, Entrance, Response};

/// What a request asks for.
pub(crate) enum Route {
    Live,
    Ready,
    Metrics,
    OpenApi,
    Call(Result<Found, ApiError>),
    Batch(Result<Found, ApiError>),
    UploadHost(Result<Found, ApiError>),
    Transformation,
    Image,
    Nothing,
}

/// What an answer depends on besides the request itself.
pub(crate) struct Asking<'r> {
    /// Who asks.
    pub(crate) client: Client<'r>,
    /// The address of ours that was asked.
    pub(crate) local_address: SocketAddr,
    /// How often the caller may call.
    pub(crate) rates: &'r RequestRates<'r>,
}

/// Finds out what a request asks for.
pub(crate) fn route(head: &Parts, arrival: &Arrival, has_admin_entrance: bool) -> Route {
    let (method, path) = (head.method.as_str(), head.uri.path());
    let below = |base: &str| path.strip_prefix(base).filter(|rest| rest.starts_with('/'));
    let has_metrics = match arrival.entrance {
        Entrance::Admin => true,
        Entrance::Public => !has_admin_entrance && is_from_here(head, arrival),
    };
    match path {
        "/health/live" => Route::Live,
        "/health/ready" => Route::Ready,
        "/metrics" if has_metrics => Route::Metrics,
        _ if arrival.entrance == Entrance::Admin => Route::Nothing,
        openapi::PATH => Route::OpenApi,
        _ if is_for_batch_host(head) => {
            Route::Batch(endpoints::find_in_batch(method, below(BATCH_BASE).unwrap_or(path)))
        }
        _ => match below(API_BASE) {
            Some(path) => Route::Call(endpoints::find(method, path)),
            None if path == API_BASE => Route::Call(Err(ApiError::no_route())),
            None if below("/cdn-cgi/image").is_some() => Route::Transformation,
            None => match (below(BATCH_BASE), endpoints::find_at_root(method, path)) {
                (Some(path), _) => Route::Batch(endpoints::find_in_batch(method, path)),
                (None, Some(found)) => Route::UploadHost(found),
                (None, None) => Route::Image,
            },
        },
    }
}

/// Says whether a request was made on this machine. One that a proxy on this machine passed on was not.
fn is_from_here(head: &Parts, arrival: &Arrival) -> bool {
    arrival.local_address.ip().to_canonical().is_loopback() && !is_passed_on(&head.headers)
}

impl Route {
    /// Says whether calls of this kind are counted by the client's address.
    pub(crate) fn is_counted(&self) -> bool {
        matches!(self, Route::Call(_) | Route::Batch(_) | Route::UploadHost(_))
    }

    /// Returns a refusal in the form that is used there.
    pub(crate) fn refusal(&self, error: &ApiError) -> Response {
        match self {
            Route::UploadHost(_) => {
                let mut response = respond::failure_in_text(error);
                respond::set(&mut response, header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
                response
            }
            _ => respond::failure(error),
        }
    }

    /// Answers the request.
    pub(crate) async fn answer(
        self,
        app: &App,
        head: &Parts,
        body: RequestBody,
        asking: &Asking<'_>,
    ) -> Response {
        match self {
            Route::Live => health::live(&head.method),
            Route::Ready => health::ready(&head.method, app.is_ready()),
            Route::Metrics => metrics::handle(&head.method, app.metrics()),
            Route::OpenApi => document::handle(&head.method, app.openapi()),
            Route::Call(Ok(found)) => answer_call(app, found, Way::Api, head, body, asking).await,
            Route::Batch(Ok(found)) => answer_call(app, found, Way::Batch, head, body, asking).await,
            Route::Call(Err(error)) | Route::Batch(Err(error)) => respond::failure(&error),
            Route::UploadHost(found) => {
                let base = &base_url(app.public_url(), &asking.client, head, asking.local_address);
                direct_upload::handle(app, found, head, body, base).await
            }
            Route::Transformation => match app.service() {
                Ok(service) => transform::handle(service, head).await,
                Err(_) => respond::transformation_failure(&DeliveryError::unavailable()),
            },
            Route::Image => match app.service() {
                Ok(service) => deliver::handle(service, head).await,
                Err(_) => respond::delivery_failure(&DeliveryError::unavailable()),
            },
            Route::Nothing => respond::text(StatusCode::NOT_FOUND, "not found\n"),
        }
    }
}

/// Calls an endpoint of the API; what goes wrong is an answer too.
async fn answer_call(
    app: &App,
    found: Found,
    way: Way,
    head: &Parts,
    body: RequestBody,
    asking: &Asking<'_>,
) -> Response {
    let endpoint = found.endpoint;
    call(app, found, way, head, body, asking).await.unwrap_or_else(|error| {
        debug_assert!(endpoint.has_error(&error), "{:?} does not name {error:?}", endpoint.name);
        respond::failure(&error)
    })
}

/// Calls an endpoint of the API.
async fn call(
    app: &App,
    found: Found,
    way: Way,
    head: &Parts,
    body: RequestBody,
    asking: &Asking<'_>,
) -> Result<Response, ApiError> {
    use EndpointName as E;
    let (service, metrics) = (app.service()?, app.metrics());
    let base = &base_url(app.public_url(), &asking.client, head, asking.local_address);
    let on = &Asked { service, found: &found, way, head, rates: asking.rates };
    let id = || found.image_id();
    let variant = || found.variant_name();
    match found.endpoint.name {
        E::VerifyToken => tokens_verify::handle(service, head, asking.rates).await,

        E::UploadImage => upload::handle(service, admit(on).await?, head, body, base, metrics).await,
        E::ListImagesV2 => list_v2::handle(service, admit(on).await?, head, base, metrics).await,
        E::CreateDirectUpload | E::CreateDirectUploadV1 => {
            drafts::handle(service, admit(on).await?, head, body, base).await
        }
        E::ImageDetails => details::handle(service, admit(on).await?, id()?, base).await,
        E::EditImage => edit::handle(service, admit(on).await?, id()?, body, base).await,
        E::DeleteImage => delete::handle(service, admit(on).await?, id()?).await,
        E::ImageBlob => blob::handle(service, admit(on).await?, id()?, head).await,

        E::ListImagesV1 => list_v1::handle(service, admit(on).await?, head, base).await,
        E::Stats => stats::handle(service, admit(on).await?).await,

        E::ListVariants => variants::list(service, admit(on).await?).await,
        E::CreateVariant => variants::create(service, admit(on).await?, body).await,
        E::VariantDetails => variants::details(service, admit(on).await?, variant()?).await,
        E::EditVariant => variants::edit(service, admit(on).await?, variant()?, body).await,
        E::DeleteVariant => variants::delete(service, admit(on).await?, variant()?).await,
        E::FlatVariant => variants::flat(service, admit(on).await?, variant()?).await,

        E::ListKeys => keys::list(service, admit(on).await?).await,
        E::CreateKey => keys::create(service, admit(on).await?, found.signing_key_name()).await,
        E::DeleteKey => keys::delete(service, admit(on).await?, found.signing_key_name()).await,

        E::Config => config::get(service, admit(on).await?).await,
        E::EditConfig => config::edit(service, admit(on).await?, body).await,
        E::BatchToken => batch_token::handle(service, admit(on).await?).await,

        // The upload host is a route of its own.
        E::DirectUpload => Err(ApiError::no_route()),
    }
}

/// Which way a call came in.
#[derive(Clone, Copy)]
enum Way {
    Api,
    Batch,
}

/// What admission looks at.
struct Asked<'r> {
    service: &'r Service,
    found: &'r Found,
    way: Way,
    head: &'r Parts,
    rates: &'r RequestRates<'r>,
}

/// Admits the caller to the account in the path; on the batch host, to that of the token.
async fn admit<P: Permission>(asked: &Asked<'_>) -> Result<Caller<P>, ApiError> {
    let door = match asked.way {
        Way::Api => Door::Api(asked.found.account_id.as_ref().ok_or_else(ApiError::no_route)?),
        Way::Batch => Door::Batch,
    };
    Caller::admit(asked.service, &asked.head.headers, door, asked.rates).await
}

/// Returns whether a method only reads.
pub(crate) fn only_reads(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrival(local_address: &str, entrance: Entrance) -> Arrival {
        let peer_address = "127.0.0.1:4711".parse().unwrap();
        Arrival { local_address: local_address.parse().unwrap(), peer_address, entrance }
    }

    fn check(path: &str, local_address: &str, expected: &str) {
        let (head, ()) = http::Request::get(path).body(()).unwrap().into_parts();
        let route = route(&head, &arrival(local_address, Entrance::Public), false);
        assert_eq!(route.name(), expected, "{path} on {local_address}");
    }

    #[test]
    fn metrics_are_for_this_machine_only() {
        for address in ["127.0.0.1:3535", "127.9.9.9:1", "[::1]:3535", "[::ffff:127.0.0.1]:3535"] {
            check("/metrics", address, "metrics");
        }
        for address in ["10.0.0.1:3535", "[2001:db8::1]:3535", "[::ffff:10.0.0.1]:3535"] {
            check("/metrics", address, "deliver");
        }
        let request = http::Request::get("/metrics").header("x-forwarded-for", "192.0.2.1");
        let (head, ()) = request.body(()).unwrap().into_parts();
        assert_eq!(route(&head, &arrival("127.0.0.1:1", Entrance::Public), false).name(), "deliver");
    }

    #[test]
    fn with_an_entrance_of_its_own_administration_is_there_and_nowhere_else() {
        let (path, elsewhere) = ("/metrics", "10.0.0.1:3536");
        for (path, entrance, expected) in [
            (path, Entrance::Admin, "metrics"),
            ("/health/ready", Entrance::Admin, "health_ready"),
            ("/client/v4/user/tokens/verify", Entrance::Admin, "nothing"),
            ("/openapi.json", Entrance::Admin, "nothing"),
            ("/hash/image/public", Entrance::Admin, "nothing"),
            ("/health/ready", Entrance::Public, "health_ready"),
        ] {
            let (head, ()) = http::Request::get(path).body(()).unwrap().into_parts();
            assert_eq!(route(&head, &arrival(elsewhere, entrance), true).name(), expected, "{path}");
        }
        let (head, ()) = http::Request::get(path).body(()).unwrap().into_parts();
        assert_eq!(route(&head, &arrival("127.0.0.1:1", Entrance::Public), true).name(), "deliver");
    }

    #[test]
    fn the_batch_host_has_its_paths_at_the_root_and_below_batch() {
        for (path, expected) in [
            ("/images/v2", "list_images_v2"),
            ("/batch/images/v2", "list_images_v2"),
            ("/images/v1/stats", "batch"),
            ("/client/v4/accounts/a/images/v2", "batch"),
            ("/hash/image/public", "batch"),
            ("/upload/hash/image", "batch"),
            ("/health/live", "health_live"),
        ] {
            let request = http::Request::get(path).header("host", "batch.imagedelivery.net");
            let (head, ()) = request.body(()).unwrap().into_parts();
            let route = route(&head, &arrival("10.0.0.1:80", Entrance::Public), false);
            assert_eq!(route.name(), expected, "{path}");
        }
    }

    #[test]
    fn paths_belong_to_who_they_name() {
        for (path, expected) in [
            ("/health/live", "health_live"),
            ("/health/live/", "deliver"),
            ("/openapi.json", "openapi"),
            ("/client/v4/user/tokens/verify", "verify_token"),
            ("/client/v4", "no_call"),
            ("/client/v4x/a/b", "deliver"),
            ("/upload/hash/image/with/slashes", "direct_upload"),
            ("/batch/images/v1", "batch"),
            ("/batch/images/v2", "list_images_v2"),
            ("/batch/a/b", "batch"),
            ("/batches/a/b", "deliver"),
            ("/cdn-cgi/image/w=5/a.png", "transform"),
            ("/cdn-cgi/imagedelivery/hash/image/public", "deliver"),
            ("/hash/image/public", "deliver"),
            ("/", "deliver"),
        ] {
            check(path, "127.0.0.1:3535", expected);
        }
    }
}
