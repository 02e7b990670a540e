//! What requests and answers carry, one file a kind.

pub mod account_config;
pub mod batch_token;
pub mod direct_upload;
pub mod edit;
pub mod image;
mod members;
pub mod metadata_parts;
pub mod signing_keys;
pub mod stats;
pub mod upload;
pub mod variant;
pub mod verify_token;
