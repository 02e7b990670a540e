//! Which call a path asks for, and what it names on the way.

use std::borrow::Cow;

use darkroom_model::{AccountHash, AccountId, ImageId, SigningKeyName, VariantName};
use percent_encoding::percent_decode_str;

use super::{BATCH_CALLS, Base, ENDPOINTS, Endpoint};
use crate::error_codes::ApiError;

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
    let Some(endpoint) = same_path.clone().find(|endpoint| endpoint.method == method) else {
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
    use crate::endpoints::EndpointName;

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
            "/accounts/a/images/v2/sourcingkit/sources",
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
