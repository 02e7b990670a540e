//! One endpoint a file, each in the same order: what comes in, what can go wrong, the handler, its tests.

pub(crate) mod batch_token;
pub(crate) mod config;
pub(crate) mod deliver;
pub(crate) mod direct_upload;
pub(crate) mod health;
pub(crate) mod images;
mod json_body;
pub(crate) mod keys;
pub(crate) mod metrics;
pub(crate) mod openapi;
pub(crate) mod tokens_verify;
pub(crate) mod transform;
pub(crate) mod variants;
