//! HTTP: what stands between a socket and the service.
//!
//! A request comes in at `server`, which hears from the first bytes which HTTP is spoken (`preface`), on a socket
//! that is not waited for without end (`patience`, and `streams` for HTTP/2) and that is read on after a refusal
//! (`linger`). `app` begins its line in the log (`request_log`), `forwarded` sees past proxies to the client, and
//! `router` finds the way. `caller` says who asks, and `rate_limit` how often; `routes` has one file for each
//! endpoint; `body` and `form` read what was sent, within limits; `respond`, `failures`, `http_cache` and `range`
//! make answers, and `compression` makes them small. `dev` stands around all that in `darkroom dev`, and nowhere
//! else.

mod address;
mod answer_body;
pub(crate) mod app;
mod body;
pub(crate) mod caller;
mod compression;
pub(crate) mod dev;
mod failures;
pub mod form;
mod forwarded;
mod http_cache;
mod linger;
mod metrics;
mod patience;
mod preface;
mod range;
mod rate_limit;
mod render_metrics;
mod request_log;
mod respond;
mod route_name;
pub(crate) mod router;
mod routes;
pub(crate) mod server;
mod streams;
mod viewer;
