//! Every call of the API: the one table that routing, answers 404, 405 and 501, and the documents read
//! (reference: api §2).

use std::borrow::Cow;

use darkroom_model::{AccountHash, AccountId, ImageId, Scope, SigningKeyName, VariantName};
use percent_encoding::percent_decode_str;

use crate::error_codes::{ApiError, ErrorName};

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
    SourcingKit,
}

/// Below what a path begins.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Base {
    /// The configured base of the API, `/client/v4`.
    Api,
    /// The root of the server.
    Root,
}

/// What a request carries.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RequestBody {
    /// Nothing.
    None,
    /// `multipart/form-data`.
    Form,
    /// A JSON object.
    Json,
    /// Either, or nothing.
    FormOrJson,
}

/// What a success carries.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ResponseBody {
    /// An image, in the envelope.
    Image,
    /// A page of images, in the envelope.
    Images,
    /// An object of its own, in the envelope.
    Object,
    /// The empty object, in the envelope.
    Empty,
    /// The bytes of an image.
    Bytes,
}

/// One call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Endpoint {
    /// Which call.
    pub name: EndpointName,
    /// HTTP method; [`ANY_METHOD`] for all of them.
    pub method: &'static str,
    /// Below what the path begins.
    pub base: Base,
    /// Path, with names in braces for what varies. `{image_id}` and `{rest}` may span slashes.
    pub path: &'static str,
    /// What a token needs; `None` if the call belongs to no account, or has credentials of another kind.
    pub scope: Option<Scope>,
    /// What the call does, in a few words.
    pub summary: &'static str,
    /// What the request carries.
    pub request_body: RequestBody,
    /// What a success carries.
    pub response_body: ResponseBody,
    /// Errors of this call besides [`COMMON_ERRORS`].
    pub errors: &'static [ErrorName],
    /// Whether the call is built; the others answer 501.
    pub built: bool,
}

/// The method of an endpoint that takes every method.
pub const ANY_METHOD: &str = "*";

/// Errors that every call can answer.
pub const COMMON_ERRORS: &[ErrorName] = &[
    ErrorName::MissingCredentials,
    ErrorName::InvalidRequestHeaders,
    ErrorName::UnknownAuthKey,
    ErrorName::UnknownAccessToken,
    ErrorName::NoPermission,
    ErrorName::UnusableAccount,
    ErrorName::Unavailable,
    ErrorName::Internal,
];

/// Errors of the calls that ask for a one-time upload URL.
const DRAFT_ERRORS: &[ErrorName] = &[
    ErrorName::Invalid,
    ErrorName::UploadTimedOut,
    ErrorName::Duplicate,
    ErrorName::PrivateCustomId,
    ErrorName::InvalidCustomId,
    ErrorName::TooLarge,
    ErrorName::InsufficientStorage,
];

const READ: Option<Scope> = Some(Scope::Read);
const WRITE: Option<Scope> = Some(Scope::Write);

/// Every call. Where two paths fit a request, the earlier one is meant.
pub static ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        name: EndpointName::VerifyToken,
        method: "GET",
        base: Base::Api,
        path: "/user/tokens/verify",
        scope: None,
        summary: "say whether the token is known",
        request_body: RequestBody::None,
        response_body: ResponseBody::Object,
        errors: &[ErrorName::InvalidApiToken],
        built: true,
    },
    Endpoint {
        name: EndpointName::ListImagesV2,
        method: "GET",
        base: Base::Api,
        path: "/accounts/{account_id}/images/v2",
        scope: READ,
        summary: "list images, filtered, a page at a time",
        request_body: RequestBody::None,
        response_body: ResponseBody::Images,
        errors: &[ErrorName::Invalid],
        built: true,
    },
    Endpoint {
        name: EndpointName::UploadImage,
        method: "POST",
        base: Base::Api,
        path: "/accounts/{account_id}/images/v1",
        scope: WRITE,
        summary: "upload an image",
        request_body: RequestBody::Form,
        response_body: ResponseBody::Image,
        errors: &[
            ErrorName::Invalid,
            ErrorName::UploadTimedOut,
            ErrorName::Duplicate,
            ErrorName::PrivateCustomId,
            ErrorName::InvalidCustomId,
            ErrorName::TooLarge,
            ErrorName::DimensionsTooLarge,
            ErrorName::AnimationTooLarge,
            ErrorName::NotAForm,
            ErrorName::NotAnImage,
            ErrorName::NotImplemented,
            ErrorName::InsufficientStorage,
        ],
        built: true,
    },
    Endpoint {
        name: EndpointName::ListImagesV1,
        method: "GET",
        base: Base::Api,
        path: "/accounts/{account_id}/images/v1",
        scope: READ,
        summary: "list images, a numbered page at a time",
        request_body: RequestBody::None,
        response_body: ResponseBody::Images,
        errors: &[ErrorName::Invalid],
        built: true,
    },
    Endpoint {
        name: EndpointName::Stats,
        method: "GET",
        base: Base::Api,
        path: "/accounts/{account_id}/images/v1/stats",
        scope: READ,
        summary: "usage",
        request_body: RequestBody::None,
        response_body: ResponseBody::Object,
        errors: &[],
        built: true,
    },
    Endpoint {
        name: EndpointName::ListVariants,
        method: "GET",
        base: Base::Api,
        path: "/accounts/{account_id}/images/v1/variants",
        scope: READ,
        summary: "list variants",
        request_body: RequestBody::None,
        response_body: ResponseBody::Object,
        errors: &[],
        built: true,
    },
    Endpoint {
        name: EndpointName::CreateVariant,
        method: "POST",
        base: Base::Api,
        path: "/accounts/{account_id}/images/v1/variants",
        scope: WRITE,
        summary: "create a variant",
        request_body: RequestBody::Json,
        response_body: ResponseBody::Object,
        errors: &[
            ErrorName::Invalid,
            ErrorName::UploadTimedOut,
            ErrorName::Duplicate,
            ErrorName::TooLarge,
            ErrorName::InsufficientStorage,
        ],
        built: true,
    },
    Endpoint {
        name: EndpointName::VariantDetails,
        method: "GET",
        base: Base::Api,
        path: "/accounts/{account_id}/images/v1/variants/{variant_id}",
        scope: READ,
        summary: "one variant",
        request_body: RequestBody::None,
        response_body: ResponseBody::Object,
        errors: &[ErrorName::VariantNotFound],
        built: true,
    },
    Endpoint {
        name: EndpointName::EditVariant,
        method: "PATCH",
        base: Base::Api,
        path: "/accounts/{account_id}/images/v1/variants/{variant_id}",
        scope: WRITE,
        summary: "edit a variant",
        request_body: RequestBody::Json,
        response_body: ResponseBody::Object,
        errors: &[
            ErrorName::Invalid,
            ErrorName::VariantNotFound,
            ErrorName::UploadTimedOut,
            ErrorName::TooLarge,
            ErrorName::InsufficientStorage,
        ],
        built: true,
    },
    Endpoint {
        name: EndpointName::DeleteVariant,
        method: "DELETE",
        base: Base::Api,
        path: "/accounts/{account_id}/images/v1/variants/{variant_id}",
        scope: WRITE,
        summary: "delete a variant",
        request_body: RequestBody::None,
        response_body: ResponseBody::Empty,
        errors: &[ErrorName::Invalid, ErrorName::VariantNotFound, ErrorName::InsufficientStorage],
        built: true,
    },
    Endpoint {
        name: EndpointName::FlatVariant,
        method: "GET",
        base: Base::Api,
        path: "/accounts/{account_id}/images/v1/variants/{variant_id}/flat",
        scope: READ,
        summary: "one variant, flat",
        request_body: RequestBody::None,
        response_body: ResponseBody::Object,
        errors: &[ErrorName::VariantNotFound],
        built: true,
    },
    // A signing key opens every private image, so reading one takes more than reading images.
    Endpoint {
        name: EndpointName::ListKeys,
        method: "GET",
        base: Base::Api,
        path: "/accounts/{account_id}/images/v1/keys",
        scope: WRITE,
        summary: "list signing keys",
        request_body: RequestBody::None,
        response_body: ResponseBody::Object,
        errors: &[],
        built: true,
    },
    Endpoint {
        name: EndpointName::CreateKey,
        method: "PUT",
        base: Base::Api,
        path: "/accounts/{account_id}/images/v1/keys/{signing_key_name}",
        scope: WRITE,
        summary: "create a signing key",
        request_body: RequestBody::None,
        response_body: ResponseBody::Object,
        errors: &[ErrorName::Invalid, ErrorName::InsufficientStorage],
        built: true,
    },
    Endpoint {
        name: EndpointName::DeleteKey,
        method: "DELETE",
        base: Base::Api,
        path: "/accounts/{account_id}/images/v1/keys/{signing_key_name}",
        scope: WRITE,
        summary: "delete a signing key",
        request_body: RequestBody::None,
        response_body: ResponseBody::Object,
        errors: &[ErrorName::KeyNotFound, ErrorName::InsufficientStorage],
        built: true,
    },
    Endpoint {
        name: EndpointName::Config,
        method: "GET",
        base: Base::Api,
        path: "/accounts/{account_id}/images/v1/config",
        scope: READ,
        summary: "account configuration",
        request_body: RequestBody::None,
        response_body: ResponseBody::Object,
        errors: &[],
        built: true,
    },
    Endpoint {
        name: EndpointName::EditConfig,
        method: "PATCH",
        base: Base::Api,
        path: "/accounts/{account_id}/images/v1/config",
        scope: WRITE,
        summary: "edit the account configuration",
        request_body: RequestBody::Json,
        response_body: ResponseBody::Object,
        errors: &[
            ErrorName::Invalid,
            ErrorName::UploadTimedOut,
            ErrorName::TooLarge,
            ErrorName::InsufficientStorage,
        ],
        built: true,
    },
    Endpoint {
        name: EndpointName::CreateDirectUpload,
        method: "POST",
        base: Base::Api,
        path: "/accounts/{account_id}/images/v2/direct_upload",
        scope: WRITE,
        summary: "one-time upload URL",
        request_body: RequestBody::FormOrJson,
        response_body: ResponseBody::Object,
        errors: DRAFT_ERRORS,
        built: true,
    },
    Endpoint {
        name: EndpointName::CreateDirectUploadV1,
        method: "POST",
        base: Base::Api,
        path: "/accounts/{account_id}/images/v1/direct_upload",
        scope: WRITE,
        summary: "one-time upload URL (v1)",
        request_body: RequestBody::FormOrJson,
        response_body: ResponseBody::Object,
        errors: DRAFT_ERRORS,
        built: true,
    },
    Endpoint {
        name: EndpointName::BatchToken,
        method: "GET",
        base: Base::Api,
        path: "/accounts/{account_id}/images/v1/batch_token",
        scope: READ,
        summary: "token for the batch host",
        request_body: RequestBody::None,
        response_body: ResponseBody::Object,
        errors: &[ErrorName::InsufficientStorage],
        built: true,
    },
    unbuilt(
        EndpointName::SourcingKit,
        ANY_METHOD,
        "/accounts/{account_id}/images/v2/sourcingkit/{rest}",
        WRITE,
        "bulk import",
    ),
    Endpoint {
        name: EndpointName::DirectUpload,
        method: "POST",
        base: Base::Root,
        path: "/upload/{account_hash}/{image_id}",
        scope: None,
        summary: "upload to a one-time URL",
        request_body: RequestBody::Form,
        response_body: ResponseBody::Image,
        errors: &[
            ErrorName::Invalid,
            ErrorName::ImageNotFound,
            ErrorName::UploadHostMethodNotAllowed,
            ErrorName::UploadTimedOut,
            ErrorName::Duplicate,
            ErrorName::UploadLinkExpired,
            ErrorName::TooLarge,
            ErrorName::DimensionsTooLarge,
            ErrorName::AnimationTooLarge,
            ErrorName::NotAForm,
            ErrorName::NotAnImage,
            ErrorName::InsufficientStorage,
        ],
        built: true,
    },
    Endpoint {
        name: EndpointName::ImageBlob,
        method: "GET",
        base: Base::Api,
        path: "/accounts/{account_id}/images/v1/{image_id}/blob",
        scope: READ,
        summary: "the uploaded bytes",
        request_body: RequestBody::None,
        response_body: ResponseBody::Bytes,
        errors: &[ErrorName::ImageNotFound],
        built: true,
    },
    Endpoint {
        name: EndpointName::ImageDetails,
        method: "GET",
        base: Base::Api,
        path: "/accounts/{account_id}/images/v1/{image_id}",
        scope: READ,
        summary: "one image",
        request_body: RequestBody::None,
        response_body: ResponseBody::Image,
        errors: &[ErrorName::ImageNotFound],
        built: true,
    },
    Endpoint {
        name: EndpointName::EditImage,
        method: "PATCH",
        base: Base::Api,
        path: "/accounts/{account_id}/images/v1/{image_id}",
        scope: WRITE,
        summary: "edit an image",
        request_body: RequestBody::Json,
        response_body: ResponseBody::Image,
        errors: &[
            ErrorName::Invalid,
            ErrorName::ImageNotFound,
            ErrorName::UploadTimedOut,
            ErrorName::PrivateCustomId,
            ErrorName::TooLarge,
            ErrorName::InsufficientStorage,
        ],
        built: true,
    },
    Endpoint {
        name: EndpointName::DeleteImage,
        method: "DELETE",
        base: Base::Api,
        path: "/accounts/{account_id}/images/v1/{image_id}",
        scope: WRITE,
        summary: "delete an image",
        request_body: RequestBody::None,
        response_body: ResponseBody::Empty,
        errors: &[ErrorName::ImageNotFound, ErrorName::InsufficientStorage],
        built: true,
    },
];

const fn unbuilt(
    name: EndpointName,
    method: &'static str,
    path: &'static str,
    scope: Option<Scope>,
    summary: &'static str,
) -> Endpoint {
    Endpoint {
        name,
        method,
        base: Base::Api,
        path,
        scope,
        summary,
        request_body: RequestBody::None,
        response_body: ResponseBody::Object,
        errors: &[ErrorName::NotImplemented],
        built: false,
    }
}

/// A call that a request asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// The call.
    pub endpoint: &'static Endpoint,
    /// The account in the path, if the call has one.
    pub account_id: Option<AccountId>,
    raw_account_hash: Option<String>,
    raw_image_id: Option<String>,
    raw_name: Option<String>,
}

impl Found {
    /// Returns the account hash in the path, decoded once. One that no account can have has no images: 404.
    pub fn account_hash(&self) -> Result<AccountHash, ApiError> {
        let raw = self.raw_account_hash.as_deref().unwrap_or_default();
        let text = percent_decode_str(raw).decode_utf8().map_err(|_| ApiError::image_not_found())?;
        AccountHash::parse(&text).map_err(|_| ApiError::image_not_found())
    }

    /// Returns the image id in the path, decoded once. A text that no image can have as its id is an image that is
    /// not there: 404. This is to be asked after the caller is known to be allowed.
    pub fn image_id(&self) -> Result<ImageId, ApiError> {
        let raw = self.raw_image_id.as_deref().unwrap_or_default();
        let text = percent_decode_str(raw).decode_utf8().map_err(|_| ApiError::image_not_found())?;
        ImageId::parse(&text).map_err(|_| ApiError::image_not_found())
    }

    /// Returns the name of the variant in the path, decoded once. A text that no variant can have as its name is a
    /// variant that is not there: 404.
    pub fn variant_name(&self) -> Result<VariantName, ApiError> {
        let name = self.name().and_then(|text| VariantName::parse(&text));
        name.ok_or_else(ApiError::variant_not_found)
    }

    /// Returns the name of the signing key in the path, decoded once; `None` if no key can have it.
    pub fn signing_key_name(&self) -> Option<SigningKeyName> {
        SigningKeyName::parse(&self.name()?)
    }

    fn name(&self) -> Option<Cow<'_, str>> {
        percent_decode_str(self.raw_name.as_deref()?).decode_utf8().ok()
    }
}

/// Finds the call for a method and a raw path below the base of the API. 404 if no call has this path, 405 if some
/// have it with other methods. `HEAD` asks for the call of `GET`.
pub fn find(method: &str, raw_path: &str) -> Result<Found, ApiError> {
    find_below(Base::Api, method, raw_path).unwrap_or_else(|| Err(ApiError::no_route()))
}

/// The calls of the batch host (reference: api §15).
pub const BATCH_CALLS: &[EndpointName] = &[
    EndpointName::UploadImage,
    EndpointName::ImageDetails,
    EndpointName::EditImage,
    EndpointName::DeleteImage,
    EndpointName::ListImagesV2,
    EndpointName::CreateDirectUpload,
];

/// Finds the call for a method and a raw path of the batch host: those of the API below an account, which the token
/// implies. What the batch host does not have is forbidden, whether it exists elsewhere or not.
pub fn find_in_batch(method: &str, raw_path: &str) -> Result<Found, ApiError> {
    // The account stands for any: what is found does not name it.
    match find(method, &format!("/accounts/batch{raw_path}")) {
        Ok(found) if BATCH_CALLS.contains(&found.endpoint.name) => Ok(Found { account_id: None, ..found }),
        _ => Err(ApiError::forbidden_endpoint()),
    }
}

/// Finds the call for a method and a raw path that is not below the base of the API; `None` if no call has this path,
/// which may then belong to something else.
pub fn find_at_root(method: &str, raw_path: &str) -> Option<Result<Found, ApiError>> {
    find_below(Base::Root, method, raw_path)
}

fn find_below(base: Base, method: &str, raw_path: &str) -> Option<Result<Found, ApiError>> {
    if raw_path.split('/').skip(1).any(str::is_empty) {
        return None;
    }
    let (path, names) = ENDPOINTS
        .iter()
        .filter(|endpoint| endpoint.base == base)
        .find_map(|endpoint| Some((endpoint.path, PathNames::read(endpoint.path, raw_path)?)))?;
    let method = if method == "HEAD" { "GET" } else { method };
    let mut same_path = ENDPOINTS.iter().filter(|endpoint| endpoint.path == path);
    let takes = |endpoint: &&Endpoint| endpoint.method == method || endpoint.method == ANY_METHOD;
    let Some(endpoint) = same_path.clone().find(takes) else {
        let methods: Vec<&str> = same_path.by_ref().map(|endpoint| endpoint.method).collect();
        return Some(Err(match base {
            Base::Api => ApiError::method_not_allowed(&methods),
            Base::Root => ApiError::upload_host_method_not_allowed(&methods),
        }));
    };
    Some(names.found(endpoint))
}

/// What a raw path has where the pattern has names.
#[derive(Default)]
struct PathNames<'p> {
    account_id: Option<&'p str>,
    account_hash: Option<&'p str>,
    image_id: Option<&'p str>,
    name: Option<&'p str>,
}

impl<'p> PathNames<'p> {
    /// Reads a path by a pattern; `None` if it does not fit.
    fn read(mut pattern: &str, mut path: &'p str) -> Option<PathNames<'p>> {
        let mut names = PathNames::default();
        while let Some((literal, tail)) = pattern.split_once('{') {
            let (name, after) = tail.split_once('}')?;
            path = path.strip_prefix(literal)?;
            let end = match name {
                "image_id" | "rest" => path.strip_suffix(after)?.len(),
                _ => path.find('/').unwrap_or(path.len()),
            };
            let (value, rest) = path.split_at(end);
            match name {
                _ if value.is_empty() => return None,
                "account_id" => names.account_id = Some(value),
                "account_hash" => names.account_hash = Some(value),
                "image_id" => names.image_id = Some(value),
                "variant_id" | "signing_key_name" => names.name = Some(value),
                _ => {}
            }
            (pattern, path) = (after, rest);
        }
        (path == pattern).then_some(names)
    }

    fn found(self, endpoint: &'static Endpoint) -> Result<Found, ApiError> {
        let account_id = match self.account_id {
            Some(raw) => Some(parse_account_id(raw).ok_or_else(ApiError::no_route)?),
            None => None,
        };
        Ok(Found {
            endpoint,
            account_id,
            raw_account_hash: self.account_hash.map(str::to_owned),
            raw_image_id: self.image_id.map(str::to_owned),
            raw_name: self.name.map(str::to_owned),
        })
    }
}

fn parse_account_id(raw: &str) -> Option<AccountId> {
    AccountId::parse(&percent_decode_str(raw).decode_utf8().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    const ACCOUNT: &str = "023e105f4ecef8ad9ca31a8372d0c353";

    /// Finds the call for a path below the account.
    fn find_in_account(method: &str, path: &str) -> Result<Found, ApiError> {
        find(method, &format!("/accounts/{ACCOUNT}{path}"))
    }

    fn check(method: &str, path: &str, name: EndpointName) {
        let found = find_in_account(method, path).unwrap();
        assert_eq!(found.endpoint.name, name, "{method} {path}");
        assert_eq!(found.account_id.as_ref().map(AccountId::as_str), Some(ACCOUNT), "{method} {path}");
    }

    fn check_id(method: &str, raw_id: &str, name: EndpointName, id: &str) {
        let found = find_in_account(method, &format!("/images/v1/{raw_id}")).unwrap();
        assert_eq!(found.endpoint.name, name, "{method} {raw_id}");
        assert_eq!(found.image_id().unwrap().as_str(), id, "{method} {raw_id}");
    }

    #[test]
    fn every_call_of_the_reference_is_found() {
        use EndpointName::*;
        for (method, path, name) in [
            ("POST", "/images/v1", UploadImage),
            ("GET", "/images/v1", ListImagesV1),
            ("GET", "/images/v1/abc", ImageDetails),
            ("PATCH", "/images/v1/abc", EditImage),
            ("DELETE", "/images/v1/abc", DeleteImage),
            ("GET", "/images/v1/abc/blob", ImageBlob),
            ("GET", "/images/v1/stats", Stats),
            ("GET", "/images/v1/variants", ListVariants),
            ("POST", "/images/v1/variants", CreateVariant),
            ("GET", "/images/v1/variants/hero", VariantDetails),
            ("PATCH", "/images/v1/variants/hero", EditVariant),
            ("DELETE", "/images/v1/variants/hero", DeleteVariant),
            ("GET", "/images/v1/variants/hero/flat", FlatVariant),
            ("GET", "/images/v1/keys", ListKeys),
            ("PUT", "/images/v1/keys/default", CreateKey),
            ("DELETE", "/images/v1/keys/default", DeleteKey),
            ("PATCH", "/images/v1/config", EditConfig),
            ("GET", "/images/v1/config", Config),
            ("POST", "/images/v2/direct_upload", CreateDirectUpload),
            ("POST", "/images/v1/direct_upload", CreateDirectUploadV1),
            ("GET", "/images/v1/batch_token", BatchToken),
            ("GET", "/images/v2", ListImagesV2),
            ("PUT", "/images/v2/sourcingkit/sources/1", SourcingKit),
        ] {
            check(method, path, name);
            if method == "GET" {
                check("HEAD", path, name);
            }
        }
        let verify = find("GET", "/user/tokens/verify").unwrap();
        assert_eq!((verify.endpoint.name, verify.account_id), (VerifyToken, None));
        let upload = find_at_root("POST", "/upload/hash/a/b").unwrap().unwrap();
        assert_eq!(upload.endpoint.name, DirectUpload);
        assert_eq!(upload.image_id().unwrap().as_str(), "a/b");
    }

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
            let errors: HashSet<_> = endpoint.errors.iter().chain(COMMON_ERRORS).collect();
            assert_eq!(errors.len(), endpoint.errors.len() + COMMON_ERRORS.len(), "{:?}", endpoint.name);
        }
    }

    #[test]
    fn writing_takes_more_than_reading() {
        for endpoint in ENDPOINTS.iter().filter(|endpoint| endpoint.scope == Some(Scope::Read)) {
            assert_eq!(endpoint.method, "GET", "{:?}", endpoint.name);
        }
    }

    #[test]
    fn ids_are_decoded_once_and_may_have_raw_slashes() {
        use EndpointName::*;
        check_id("GET", "a%2Fb%20c", ImageDetails, "a/b c");
        check_id("GET", "a/b%20c", ImageDetails, "a/b c");
        check_id("GET", "a+b", ImageDetails, "a+b");
        check_id("GET", "%2525", ImageDetails, "%25");
        check_id("GET", "100%", ImageDetails, "100%");
        check_id("GET", "na%C3%AFve", ImageDetails, "naïve");
        check_id("DELETE", "a/b", DeleteImage, "a/b");
        check_id("GET", "a/b/blob", ImageBlob, "a/b");
        check_id("GET", "a%2Fblob", ImageDetails, "a/blob");
        check_id("GET", "a/blob/blob", ImageBlob, "a/blob");
        check_id("GET", "blob", ImageDetails, "blob");
        check_id("GET", "blob/blob", ImageBlob, "blob");
        check_id("GET", "variants%2Fhero", ImageDetails, "variants/hero");
        check_id("GET", "keys/a/b", ImageDetails, "keys/a/b");
        check_id("GET", "stats.png", ImageDetails, "stats.png");
        check_id(
            "GET",
            "8f14e45f-ceea-4e7a-9c1b-2d3a5b6c7d12",
            ImageDetails,
            "8f14e45f-ceea-4e7a-9c1b-2d3a5b6c7d12",
        );
    }

    #[test]
    fn an_id_that_none_can_have_is_an_image_that_is_not_there() {
        let long = "a".repeat(1025);
        for raw_id in
            ["..", "a/../b", "%2e%2e", "%00", "a%0Ab", "%FF", "%2Fa", "a%2F", "a%2F%2Fb", "st%61ts", &long]
        {
            let found = find_in_account("GET", &format!("/images/v1/{raw_id}")).unwrap();
            assert_eq!(found.image_id(), Err(ApiError::image_not_found()), "{raw_id}");
        }
        let list = find_in_account("GET", "/images/v2").unwrap();
        assert_eq!(list.image_id(), Err(ApiError::image_not_found()));
    }

    #[test]
    fn other_paths_have_no_route() {
        for path in [
            "/",
            "",
            "/user",
            "/user/tokens",
            "/user/tokens/verify/",
            "/accounts",
            "/accounts/a",
            "/accounts/a/images",
            "/accounts/a/images/v1/",
            "/accounts/a/images/v2/",
            "/accounts/a/images/v3",
            "/accounts/a/images//v2",
            "//accounts/a/images/v2",
            "/accounts//images/v2",
            "/accounts/a/images/v2/x",
            "/accounts/a/images/v1/a//b",
            "/accounts/a/images/v1/a/",
            "/accounts/a/images/v1//blob",
            "/accounts/a b/images/v2",
            "/accounts/%FF/images/v2",
            "/accounts/a/b/images/v2",
            "/Accounts/a/images/v2",
            "/upload/hash/a",
            "accounts/a/images/v2",
        ] {
            assert_eq!(find("GET", path), Err(ApiError::no_route()), "{path:?}");
        }
        assert_eq!(find_at_root("GET", "/hash/a/public"), None);
        assert_eq!(find_at_root("POST", "/upload/hash"), None);
        assert_eq!(find_at_root("POST", "/accounts/a/images/v1"), None);
    }

    #[test]
    fn names_are_decoded_once() {
        let variant = |raw: &str| {
            let found = find_in_account("GET", &format!("/images/v1/variants/{raw}")).unwrap();
            found.variant_name().map(|name| name.as_str().to_owned())
        };
        assert_eq!(variant("hero"), Ok("hero".to_owned()));
        assert_eq!(variant("h%65ro"), Ok("hero".to_owned()));
        for raw in ["a%2Fb", "w=5", "%FF", "%C3%A9", &"a".repeat(100)] {
            assert_eq!(variant(raw), Err(ApiError::variant_not_found()), "{raw}");
        }
        let flat = find_in_account("GET", "/images/v1/variants/hero/flat").unwrap();
        assert_eq!(flat.variant_name().unwrap().as_str(), "hero");
        let key =
            |raw: &str| find_in_account("PUT", &format!("/images/v1/keys/{raw}")).unwrap().signing_key_name();
        assert_eq!(key("my%2Dkey").unwrap().as_str(), "my-key");
        for raw in ["a%2Fb", "%C3%A9", "a%20b", &"a".repeat(21)] {
            assert_eq!(key(raw), None, "{raw}");
        }
    }

    #[test]
    fn the_batch_host_has_some_calls_and_forbids_the_others() {
        use EndpointName::*;
        for (method, path, name) in [
            ("POST", "/images/v1", UploadImage),
            ("GET", "/images/v1/a/b%20c", ImageDetails),
            ("HEAD", "/images/v1/a", ImageDetails),
            ("PATCH", "/images/v1/a", EditImage),
            ("DELETE", "/images/v1/a", DeleteImage),
            ("GET", "/images/v2", ListImagesV2),
            ("POST", "/images/v2/direct_upload", CreateDirectUpload),
        ] {
            let found = find_in_batch(method, path).unwrap();
            assert_eq!((found.endpoint.name, found.account_id), (name, None), "{method} {path}");
        }
        for (method, path) in [
            ("GET", "/images/v1"),
            ("PUT", "/images/v1"),
            ("GET", "/images/v1/stats"),
            ("GET", "/images/v1/keys"),
            ("GET", "/images/v1/a/blob"),
            ("POST", "/images/v1/direct_upload"),
            ("GET", "/images/v1/batch_token"),
            ("GET", "/accounts/a/images/v2"),
            ("GET", "/client/v4/user/tokens/verify"),
            ("GET", "/"),
            ("GET", ""),
            ("OPTIONS", "*"),
        ] {
            assert_eq!(find_in_batch(method, path), Err(ApiError::forbidden_endpoint()), "{method} {path}");
        }
    }

    #[test]
    fn an_account_id_is_decoded_too() {
        assert_eq!(find("GET", "/accounts/%61b/images/v2").unwrap().account_id.unwrap().as_str(), "ab");
    }

    #[test]
    fn other_methods_are_told_which_there_are() {
        for (method, path, allow) in [
            ("POST", "/images/v2", "GET"),
            ("OPTIONS", "/images/v2", "GET"),
            ("get", "/images/v2", "GET"),
            ("DELETE", "/images/v1", "POST, GET"),
            ("PUT", "/images/v1/abc", "GET, PATCH, DELETE"),
            ("DELETE", "/images/v1/abc/blob", "GET"),
            ("DELETE", "/images/v1/stats", "GET"),
            ("PATCH", "/images/v1/keys/k", "PUT, DELETE"),
        ] {
            let error = find_in_account(method, path).unwrap_err();
            assert_eq!(error, ApiError::method_not_allowed(&[allow]), "{method} {path}");
        }
        let error = find_at_root("GET", "/upload/hash/a").unwrap().unwrap_err();
        assert_eq!(error, ApiError::upload_host_method_not_allowed(&["POST"]));
        assert_eq!((error.status, error.code), (405, 5405));
    }
}
