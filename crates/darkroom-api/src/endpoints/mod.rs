//! Every call of the API: the one table that routing, answers 404 and 405, the OpenAPI document and docs/api.md read
//! (reference: api §2).

mod paths;
mod table;

use darkroom_model::Scope;

use crate::error_codes::{ApiError, ErrorName};
use crate::schema::{Parameter, Schema};

pub use paths::{Found, find, find_at_root, find_in_batch};
pub use table::{BATCH_CALLS, ENDPOINTS};

/// The calls, by what they do.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(missing_docs, reason = "each row of the table has a summary")]
pub enum EndpointName {
    VerifyToken,
    UploadImage,
    ListImagesV1,
    ImageDetails,
    EditImage,
    DeleteImage,
    ImageBlob,
    Stats,
    ListVariants,
    CreateVariant,
    VariantDetails,
    EditVariant,
    DeleteVariant,
    FlatVariant,
    ListKeys,
    CreateKey,
    DeleteKey,
    Config,
    EditConfig,
    CreateDirectUpload,
    CreateDirectUploadV1,
    DirectUpload,
    BatchToken,
    ListImagesV2,
}

impl EndpointName {
    /// Returns the name in the log, in the metrics, and as `operationId`.
    pub fn as_str(self) -> &'static str {
        match self {
            EndpointName::VerifyToken => "verify_token",
            EndpointName::UploadImage => "upload_image",
            EndpointName::ListImagesV1 => "list_images_v1",
            EndpointName::ImageDetails => "image_details",
            EndpointName::EditImage => "edit_image",
            EndpointName::DeleteImage => "delete_image",
            EndpointName::ImageBlob => "image_blob",
            EndpointName::Stats => "stats",
            EndpointName::ListVariants => "list_variants",
            EndpointName::CreateVariant => "create_variant",
            EndpointName::VariantDetails => "variant_details",
            EndpointName::EditVariant => "edit_variant",
            EndpointName::DeleteVariant => "delete_variant",
            EndpointName::FlatVariant => "flat_variant",
            EndpointName::ListKeys => "list_keys",
            EndpointName::CreateKey => "create_key",
            EndpointName::DeleteKey => "delete_key",
            EndpointName::Config => "config",
            EndpointName::EditConfig => "edit_config",
            EndpointName::CreateDirectUpload => "create_direct_upload",
            EndpointName::CreateDirectUploadV1 => "create_direct_upload_v1",
            EndpointName::DirectUpload => "direct_upload",
            EndpointName::BatchToken => "batch_token",
            EndpointName::ListImagesV2 => "list_images_v2",
        }
    }
}

/// Below what a path begins.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Base {
    /// [`API_BASE`].
    Api,
    /// The root of the server.
    Root,
}

/// Where the API begins (reference: api §1.1).
pub const API_BASE: &str = "/client/v4";

/// Where the paths of the batch host lie on a server without its name (reference: api §15).
pub const BATCH_BASE: &str = "/batch";

/// What a request carries.
#[derive(Clone, Copy, Debug)]
pub enum RequestBody {
    /// Nothing.
    None,
    /// `multipart/form-data`.
    Form(&'static Schema),
    /// A JSON object.
    Json(&'static Schema),
    /// Either, or nothing.
    FormOrJson(&'static Schema),
}

/// What a success carries.
#[derive(Clone, Copy, Debug)]
pub enum ResponseBody {
    /// A result, in the envelope.
    Result(&'static Schema),
    /// The bytes of an image, or a range of them, or that the client has them.
    Bytes,
}

/// One call.
#[derive(Clone, Copy, Debug)]
pub struct Endpoint {
    /// Which call.
    pub name: EndpointName,
    /// HTTP method.
    pub method: &'static str,
    /// Below what the path begins.
    pub base: Base,
    /// Path, with names in braces for what varies. `{image_id}` may span slashes.
    pub path: &'static str,
    /// What a token needs; `None` if the call belongs to no account, or has credentials of another kind.
    pub scope: Option<Scope>,
    /// What the call does, in a few words.
    pub summary: &'static str,
    /// What its query may say; anything else is ignored.
    pub parameters: &'static [Parameter],
    /// What the request carries.
    pub request_body: RequestBody,
    /// What a success carries.
    pub response_body: ResponseBody,
    /// Errors of this call besides those that many have: [`Endpoint::all_errors`].
    pub errors: &'static [ErrorName],
}

/// Errors of every call.
const COMMON_ERRORS: &[ErrorName] = &[ErrorName::RateLimited, ErrorName::Internal, ErrorName::Unavailable];

/// Errors of the calls that take credentials: all below [`Base::Api`].
const CREDENTIAL_ERRORS: &[ErrorName] = &[
    ErrorName::InvalidRequestHeaders,
    ErrorName::UnknownAuthKey,
    ErrorName::MissingCredentials,
    ErrorName::UnknownAccessToken,
    ErrorName::NoPermission,
    ErrorName::UnusableAccount,
];

impl Endpoint {
    /// Returns every error that the call can answer.
    pub fn all_errors(&self) -> impl Iterator<Item = ErrorName> {
        let credentials = match self.base {
            Base::Api => CREDENTIAL_ERRORS,
            Base::Root => &[],
        };
        [credentials, self.errors, COMMON_ERRORS].into_iter().flatten().copied()
    }

    /// Says whether the error is one that the call can answer: what the document does not have is a fault.
    pub fn has_error(&self, error: &ApiError) -> bool {
        self.all_errors().map(ErrorName::row).any(|row| (row.status, row.code) == (error.status, error.code))
    }
}

/// The table has each name once.
impl PartialEq for Endpoint {
    fn eq(&self, other: &Endpoint) -> bool {
        self.name == other.name
    }
}

impl Eq for Endpoint {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn each_call_stands_in_the_table_once_and_names_no_error_twice() {
        let mut names = HashSet::new();
        let mut calls = HashSet::new();
        for endpoint in ENDPOINTS {
            assert!(names.insert(endpoint.name), "{:?}", endpoint.name);
            assert!(calls.insert((endpoint.method, endpoint.path)), "{:?}", endpoint.name);
            assert_eq!(
                endpoint.path.contains("{account_id}"),
                endpoint.scope.is_some(),
                "{:?}",
                endpoint.name
            );
            let errors: HashSet<_> = endpoint.all_errors().collect();
            assert_eq!(errors.len(), endpoint.all_errors().count(), "{:?}", endpoint.name);
        }
    }

    #[test]
    fn writing_takes_more_than_reading() {
        for endpoint in ENDPOINTS.iter().filter(|endpoint| endpoint.scope == Some(Scope::Read)) {
            assert_eq!(endpoint.method, "GET", "{:?}", endpoint.name);
        }
    }
}
