//! `GET /metrics`: the counters, for whoever connects to a loopback address.

use http::{Method, StatusCode, header};

use super::health::only_reads_here;
use crate::http::metrics::Metrics;
use crate::http::respond;
use crate::http::router::only_reads;
use crate::http::server::Response;

/// Writes every counter in the text form of OpenMetrics.
pub(crate) fn handle(method: &Method, metrics: &Metrics) -> Response {
    if !only_reads(method) {
        return only_reads_here();
    }
    match metrics.encode() {
        Ok(text) => {
            let mut response = respond::text(StatusCode::OK, text);
            respond::set(
                &mut response,
                header::CONTENT_TYPE,
                "application/openmetrics-text; version=1.0.0; charset=utf-8",
            );
            response
        }
        Err(error) => {
            tracing::error!(%error, "the metrics could not be written");
            respond::text(StatusCode::INTERNAL_SERVER_ERROR, "the metrics could not be written\n")
        }
    }
}
