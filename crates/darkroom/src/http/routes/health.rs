//! `GET /health/live` and `GET /health/ready`: for whoever keeps the server running.

use http::{Method, StatusCode, header};

use crate::http::respond;
use crate::http::router::only_reads;
use crate::http::server::Response;

/// Says that the process runs.
pub(crate) fn live(method: &Method) -> Response {
    told(method, StatusCode::OK, "live\n")
}

/// Says whether requests should be sent here; 503 while starting, stopping, or without a catalog.
pub(crate) fn ready(method: &Method, is_ready: bool) -> Response {
    match is_ready {
        true => told(method, StatusCode::OK, "ready\n"),
        false => told(method, StatusCode::SERVICE_UNAVAILABLE, "not ready\n"),
    }
}

fn told(method: &Method, status: StatusCode, words: &'static str) -> Response {
    match only_reads(method) {
        true => respond::text(status, words),
        false => only_reads_here(),
    }
}

/// Returns the answer to a method that changes something, where there is nothing to change.
pub(super) fn only_reads_here() -> Response {
    let mut response = respond::text(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n");
    respond::set(&mut response, header::ALLOW, "GET, HEAD");
    response
}
