//! The wire: what the HTTP API of Cloudflare Images says, and how (ARCHITECTURE.md, "The crates").
//!
//! Odd spellings stop here. What comes in leaves this crate as types of the model; what goes out is bytes. Nothing
//! here does I/O, and nothing here knows an HTTP library.
//!
//! - which calls there are: [`endpoints`], the one table that router, documents and answers 404 and 405 read
//! - what goes wrong: [`error_codes`], the one table of errors; [`envelope`], how results and errors are wrapped
//! - list v2: [`list_query`] (the query grammar), [`continuation_token`] (the seal around a cursor)
//! - list v1: [`list_v1_query`]
//! - what calls carry: [`bodies`]
//! - what a program can read about all that: [`openapi`], made of the tables and of a [`schema`] beside each body
//! - image URLs: [`delivery_path`]; [`image_options`], the table of options; [`delivery_error`], what viewers are told
//! - what holds for any bytes: [`fuzz_targets`]

pub mod bodies;
pub mod continuation_token;
pub mod delivery_error;
pub mod delivery_path;
pub mod endpoints;
pub mod envelope;
pub mod error_codes;
pub mod fuzz_targets;
pub mod image_options;
mod json;
pub mod list_query;
pub mod list_v1_query;
pub mod openapi;
pub mod schema;
pub mod transform_path;

pub use bodies::direct_upload::{DirectUpload, DirectUploadForm, write_direct_upload};
pub use bodies::edit::parse_edit;
pub use bodies::image::{ImageUrls, write_entry, write_image, write_numbered_page, write_page};
pub use bodies::upload::{FormPart, UploadForm, UploadSource};
pub use delivery_error::DeliveryError;
pub use delivery_path::{DeliveryPath, Rendering};
pub use endpoints::{ENDPOINTS, Endpoint, EndpointName, Found};
pub use error_codes::{ApiError, ErrorName};
pub use image_options::OptionList;
pub use list_query::ListQuery;
pub use list_v1_query::ListV1Query;
pub use transform_path::{TransformPath, TransformRules, TransformSource};
