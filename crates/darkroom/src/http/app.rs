//! The server's side of every request: from its head to a line in the log.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use darkroom_api::{ApiError, DeliveryError, openapi};
use darkroom_model::{Ids, Limits, Network};
use darkroom_service::Service;
use futures_util::FutureExt;
use http::{Version, header};
use tokio::sync::watch;
use tracing::Instrument;

use super::body::RequestBody;
use super::compression::{Coding, compress};
use super::forwarded::Client;
use super::metrics::Metrics;
use super::rate_limit::{RateLimits, RequestRates};
use super::request_log::{RequestIds, RequestRecord};
use super::respond;
use super::router::{self, Asking, Route};
use super::server::{Arrival, ConnectionCount, Handler, Request, Response};
use crate::settings::{PublicUrl, Settings};

/// What requests are answered from.
pub(crate) struct App {
    /// Empty while the server starts.
    service: Arc<OnceLock<Arc<Service>>>,
    stop: watch::Receiver<bool>,
    public_url: Option<PublicUrl>,
    trusted_proxies: Vec<Network>,
    has_admin_entrance: bool,
    log_addresses: bool,
    limits: Limits,
    rates: RateLimits,
    metrics: Arc<Metrics>,
    request_ids: RequestIds,
    /// Made when it is first asked for.
    openapi: OnceLock<Bytes>,
}

impl App {
    /// Makes a server without a service, which answers that it is starting.
    pub(crate) fn new(
        settings: &Settings,
        ids: &dyn Ids,
        connections: ConnectionCount,
        stop: watch::Receiver<bool>,
    ) -> App {
        let service: Arc<OnceLock<Arc<Service>>> = Arc::default();
        let counted = Arc::clone(&service);
        let of_service = move || counted.get().map(|service| service.metrics()).unwrap_or_default();
        let counted = Arc::clone(&service);
        let of_delivery = move || counted.get().map(|service| service.delivery_metrics()).unwrap_or_default();
        let rendering = Arc::clone(&service);
        let of_rendering = move || rendering.get().map(|service| service.render_workers().readings());
        let metrics = Arc::new(Metrics::new(connections, of_service, of_delivery, of_rendering));
        App {
            service,
            stop,
            public_url: settings.public_url.clone(),
            trusted_proxies: settings.trusted_proxies.clone(),
            has_admin_entrance: settings.admin_listen.is_some(),
            log_addresses: settings.log_addresses,
            limits: settings.limits,
            rates: RateLimits::new(settings.token_rate, settings.address_rate),
            metrics,
            request_ids: RequestIds::new(ids),
            openapi: OnceLock::new(),
        }
    }

    /// Ends the start.
    pub(crate) fn serve(&self, service: Arc<Service>) {
        // A server has one service; a second would be ignored.
        let _ = self.service.set(service);
    }

    /// Returns the service; 503 while the server starts.
    pub(crate) fn service(&self) -> Result<&Service, ApiError> {
        self.service.get().map(|service| &**service).ok_or_else(ApiError::unavailable)
    }

    /// Says whether requests are answered as they should be: not while starting, stopping, or without a catalog.
    pub(crate) fn is_ready(&self) -> bool {
        !*self.stop.borrow() && self.service.get().is_some_and(|service| service.is_ready())
    }

    /// Returns the setting.
    pub(crate) fn public_url(&self) -> Option<&PublicUrl> {
        self.public_url.as_ref()
    }

    /// Returns the document that says what this server can be asked.
    pub(crate) fn openapi(&self) -> Bytes {
        self.openapi.get_or_init(|| openapi::document(&self.limits).to_string().into()).clone()
    }

    /// Returns the counters.
    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }
}

impl Handler for App {
    async fn handle(self: Arc<Self>, request: Request, arrival: Arrival) -> Response {
        let (head, body) = request.into_parts();
        let mut record = RequestRecord::begin(&self.request_ids, &head.method, Arc::clone(&self.metrics));
        let route = router::route(&head, &arrival, self.has_admin_entrance);
        record.set_route(route.name());
        let client = Client::of(&head.headers, arrival.peer_address.ip(), &self.trusted_proxies);
        if self.log_addresses {
            record.set_client(client.address);
        }
        let body = RequestBody::new(body, self.limits.body_wait, self.limits.body_time_max);
        let progress = body.progress();
        let rates = RequestRates::new(&self.rates);

        let counted = if route.is_counted() { rates.count_address(client.address) } else { Ok(()) };
        let mut response = match counted {
            Err(error) => route.refusal(&error),
            Ok(()) => {
                let is_image = matches!(route, Route::Image | Route::Transformation);
                let span = tracing::info_span!("request", request_id = record.id());
                let asking = Asking { client, local_address: arrival.local_address, rates: &rates };
                answered(route.answer(&self, &head, body, &asking).instrument(span), is_image).await
            }
        };
        rates.tell(&mut response);
        response = compress(response, Coding::of(&head.headers)).await;
        if !progress.is_whole() && head.version < Version::HTTP_2 {
            // What was not read would be taken for the next request.
            respond::set(&mut response, header::CONNECTION, "close");
        }
        record.finish(response)
    }
}

/// Returns the answer; if the handler panics, that there was a fault of ours. What the panic said is in the log, where
/// the hook put it.
async fn answered(answering: impl Future<Output = Response>, is_image: bool) -> Response {
    // Handlers share nothing that a half-done request could leave broken: their state is the service's, which answers
    // for itself.
    let answered = AssertUnwindSafe(answering).catch_unwind().await;
    answered.unwrap_or_else(|_| match is_image {
        true => respond::delivery_failure(&DeliveryError::internal()),
        false => respond::failure(&ApiError::internal()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::server::{self, Listeners};
    use crate::settings::Listen;
    use darkroom_model::RandomIds;
    use http_body_util::BodyExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    #[tokio::test]
    async fn a_panic_becomes_a_fault_without_its_words() {
        for (is_image, expected) in [
            (
                false,
                r#"{"result":null,"success":false,"errors":[{"code":5500,"message":"Internal error"}],"messages":[]}"#,
            ),
            (true, "ERROR 9523: Could not resize the image: internal error while processing the image"),
        ] {
            let response = answered(async { panic!("secret words") }, is_image).await;
            assert_eq!(response.status(), 500);
            let body = response.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(body, expected);
        }
    }

    #[tokio::test]
    async fn a_server_that_starts_says_so() {
        let listeners = server::bind(&Listen::Named(vec!["127.0.0.1:0".parse().unwrap()])).await.unwrap();
        let address = listeners[0].local_addr().unwrap();
        let (stop, stopping) = watch::channel(false);
        let connections = ConnectionCount::default();
        let settings = Settings::default();
        let app = Arc::new(App::new(&settings, &RandomIds, connections.clone(), stopping.clone()));
        let listeners = Listeners { public: listeners, admin: Vec::new() };
        let serving = tokio::spawn(server::serve(listeners, app, settings.limits, connections, stopping));
        for (path, expected) in [
            ("/health/live", "HTTP/1.1 200"),
            ("/health/ready", "HTTP/1.1 503"),
            ("/client/v4/accounts/a/images/v2", "HTTP/1.1 503"),
            ("/hash/image/public", "HTTP/1.1 503"),
        ] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            assert!(answer.starts_with(expected), "{path}: {answer}");
        }
        stop.send(true).unwrap();
        assert_eq!(serving.await.unwrap(), 0);
    }
}
