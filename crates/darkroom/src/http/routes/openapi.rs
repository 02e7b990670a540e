//! `GET /openapi.json`: what this server can be asked, for programs.

use bytes::Bytes;
use http::{Method, StatusCode};

use super::health::only_reads_here;
use crate::http::respond;
use crate::http::router::only_reads;
use crate::http::server::Response;

/// The document, which is no secret.
pub(crate) fn handle(method: &Method, document: Bytes) -> Response {
    match only_reads(method) {
        true => respond::json(StatusCode::OK, document),
        false => only_reads_here(),
    }
}
