//! One line a request, and the id that finds it.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use darkroom_model::Ids;
use http::{HeaderName, Method};
use hyper::body::Body;

use super::metrics::Metrics;
use super::respond;
use super::server::Response;

/// The header of every answer that names its line in the log.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The public code of a refusal or fault, carried by its answer for log and metrics.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct PublicCode(pub(crate) u32);

/// Makes the ids of requests: a few random letters of this start of the server, and a number.
pub(crate) struct RequestIds {
    start: String,
    next: AtomicU64,
}

impl RequestIds {
    /// Begins a series of ids.
    pub(crate) fn new(ids: &dyn Ids) -> RequestIds {
        let start = ids.random::<5>().iter().map(|byte| format!("{byte:02x}")).collect();
        RequestIds { start, next: AtomicU64::new(1) }
    }

    fn next(&self) -> String {
        format!("{}-{:06x}", self.start, self.next.fetch_add(1, Ordering::Relaxed))
    }
}

/// A request from its head to its answer, as log and metrics see it: never its path, which holds ids and signatures,
/// never a header, never a byte of a body.
pub(crate) struct RequestRecord {
    id: String,
    method: &'static str,
    route: &'static str,
    /// The client's address, if the operator wants it in the log.
    client: Option<IpAddr>,
    started: Instant,
    metrics: Arc<Metrics>,
    answered: bool,
}

impl RequestRecord {
    /// Begins with a request's head.
    pub(crate) fn begin(ids: &RequestIds, method: &Method, metrics: Arc<Metrics>) -> RequestRecord {
        RequestRecord {
            id: ids.next(),
            method: known_method(method),
            route: "unknown",
            client: None,
            started: Instant::now(),
            metrics,
            answered: false,
        }
    }

    /// Says which route it is, by a name that does not depend on the path.
    pub(crate) fn set_route(&mut self, route: &'static str) {
        self.route = route;
    }

    /// Says whose address the line has; without it, the line has none.
    pub(crate) fn set_client(&mut self, address: IpAddr) {
        self.client = Some(address);
    }

    /// Returns the id, for lines that tell more of this request.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Writes the line, counts the request, and tells the client its id.
    pub(crate) fn finish(mut self, mut response: Response) -> Response {
        self.answered = true;
        let took = self.started.elapsed();
        let status = response.status().as_u16();
        let bytes = match self.method {
            "HEAD" => 0,
            _ => response.body().size_hint().exact().unwrap_or(0),
        };
        let code = response.extensions().get::<PublicCode>().map(|code| code.0);
        self.metrics.answered(self.route, self.method, status, took);
        if let Some(code) = code {
            self.metrics.failed(code);
        }
        tracing::info!(
            request_id = self.id,
            method = self.method,
            route = self.route,
            status,
            code,
            client = self.client.map(tracing::field::display),
            bytes,
            duration_ms = milliseconds(took),
            "request answered"
        );
        respond::set_made(&mut response, REQUEST_ID, &self.id);
        response
    }
}

impl Drop for RequestRecord {
    fn drop(&mut self) {
        if !self.answered {
            tracing::info!(
                request_id = self.id,
                method = self.method,
                route = self.route,
                client = self.client.map(tracing::field::display),
                duration_ms = milliseconds(self.started.elapsed()),
                "request given up: the connection ended first"
            );
        }
    }
}

fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

/// Anyone can invent methods; log and metrics get no new words from strangers.
fn known_method(method: &Method) -> &'static str {
    const KNOWN: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("OTHER")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_cannot_invent_a_word() {
        assert_eq!(known_method(&Method::PATCH), "PATCH");
        assert_eq!(known_method(&Method::from_bytes(b"BREW").unwrap()), "OTHER");
    }

    #[test]
    fn ids_are_legal_headers_and_differ() {
        let ids = RequestIds::new(&darkroom_model::RandomIds);
        let (first, second) = (ids.next(), ids.next());
        assert_ne!(first, second);
        assert!(first.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-'), "{first}");
    }
}
