//! Every error that a call of the API can answer: one table, one constructor a row (reference: errors §1, §2).
//!
//! Clients choose their exception by status and never by code, and none should read messages; so where the reference
//! gives no code, the error is [`ErrorName::Invalid`], and no code is invented.

use std::borrow::Cow;
use std::time::Duration;

/// The rows of [`ERROR_ROWS`], in the same order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(missing_docs, reason = "each row of the table says when it occurs")]
pub enum ErrorName {
    ForbiddenEndpoint,
    InvalidApiToken,
    InvalidRequestHeaders,
    NoRoute,
    TooLarge,
    UnknownAuthKey,
    MissingCredentials,
    UnknownAccessToken,
    NoPermission,
    MethodNotAllowed,
    RateLimited,
    Invalid,
    UnusableAccount,
    ImageNotFound,
    VariantNotFound,
    KeyNotFound,
    UploadHostMethodNotAllowed,
    UploadTimedOut,
    Duplicate,
    UploadLinkExpired,
    PrivateCustomId,
    InvalidCustomId,
    DimensionsTooLarge,
    NotAForm,
    AnimationTooLarge,
    FetchFailed,
    NotAnImage,
    Internal,
    Unavailable,
    InsufficientStorage,
}

/// What is known of an error before it happens.
#[derive(Clone, Copy, Debug)]
pub struct ErrorRow {
    /// Which error.
    pub name: ErrorName,
    /// HTTP status.
    pub status: u16,
    /// Code in the envelope.
    pub code: u32,
    /// Message in the envelope, or how it begins where the request decides the rest.
    pub message: &'static str,
    /// When it is answered, for the documents.
    pub occurs: &'static str,
    /// Headers that go with it always. SDKs retry 408, 409, 429 and 5xx unless one of these says otherwise.
    pub headers: &'static [(&'static str, &'static str)],
}

const NO_RETRY: &[(&str, &str)] = &[("x-should-retry", "false")];

const fn row(
    name: ErrorName,
    status: u16,
    code: u32,
    message: &'static str,
    occurs: &'static str,
) -> ErrorRow {
    ErrorRow { name, status, code, message, occurs, headers: &[] }
}

const fn row_with(headers: &'static [(&'static str, &'static str)], row: ErrorRow) -> ErrorRow {
    ErrorRow { headers, ..row }
}

/// Every error of the API, by code in the order of the reference.
#[rustfmt::skip]
pub static ERROR_ROWS: &[ErrorRow] = &[
    row(ErrorName::ForbiddenEndpoint, 403, 103, "forbidden endpoint", "a call that the batch host does not have; the code is a text"),
    row(ErrorName::InvalidApiToken, 401, 1000, "Invalid API Token", "verifying a token that is not known"),
    row(ErrorName::InvalidRequestHeaders, 400, 6003, "Invalid request headers", "credentials that are malformed; `error_chain` says which"),
    row(ErrorName::NoRoute, 404, 7003, "No route for the URI", "an unknown path or a malformed account id"),
    row(ErrorName::TooLarge, 413, 7011, "Request entity is too large", "a body or a file above its limit"),
    row(ErrorName::UnknownAuthKey, 403, 9103, "Unknown X-Auth-Key or X-Auth-Email", "an X-Auth-Key that is not known"),
    row(ErrorName::MissingCredentials, 400, 9106, "Missing X-Auth-Key, X-Auth-Email or Authorization headers", "no credentials at all"),
    row(ErrorName::UnknownAccessToken, 403, 9109, "Invalid access token", "a well-formed token that is not known"),
    row(ErrorName::NoPermission, 403, 10000, "Authentication error", "a token that may not do this"),
    row(ErrorName::MethodNotAllowed, 405, 10405, "Method not allowed for this authentication scheme", "a known path with another method; `allow` names those it has"),
    row(ErrorName::RateLimited, 429, 10429, "Rate limited. Please wait and consider throttling your request speed", "a token or an address that calls more often than the operator allows; `retry-after` says when to call again"),
    row(ErrorName::Invalid, 400, 5400, "", "a request that breaks a rule; the message says which"),
    row(ErrorName::UnusableAccount, 403, 5403, "The given account is not valid or is not authorized to access this service", "an account that the token may not act on"),
    row(ErrorName::ImageNotFound, 404, 5404, "Image not found", "an image that does not exist"),
    row(ErrorName::VariantNotFound, 404, 5404, "Variant not found", "a variant that does not exist"),
    row(ErrorName::KeyNotFound, 404, 5404, "Key not found", "a signing key that does not exist"),
    row(ErrorName::UploadHostMethodNotAllowed, 405, 5405, "Method not allowed", "a one-time upload URL with another method than POST"),
    row(ErrorName::UploadTimedOut, 408, 5408, "Upload timed out", "a body whose bytes stopped coming or came too slowly, or a `url` whose origin took too long"),
    row_with(NO_RETRY, row(ErrorName::Duplicate, 409, 5409, "Resource already exists. Verify the resource information and try again.", "an upload under an id that is taken")),
    row(ErrorName::UploadLinkExpired, 410, 5400, "Upload link expired", "an upload to a one-time URL after its end"),
    row(ErrorName::PrivateCustomId, 400, 5410, "The image contains a custom ID and cannot be set to private. To make the image private, delete and upload the image again using a regular ID.", "a custom id together with requireSignedURLs"),
    row(ErrorName::InvalidCustomId, 400, 5411, "The Custom ID is invalid. Custom IDs can include 1024 characters or less, any number of subpaths, and support the UTF-8 encoding standard for characters. Enter a new Custom ID and try again", "an id that no image may have; the message ends with the reason"),
    row(ErrorName::DimensionsTooLarge, 413, 5413, "Image dimensions exceed the maximum", "an image with too many pixels in all or on a side"),
    row(ErrorName::NotAForm, 415, 5415, "Images must be uploaded as a form, not as raw image data. Please use multipart/form-data format", "an upload that is no form"),
    row(ErrorName::AnimationTooLarge, 413, 5443, "The frames of the animation exceed the maximum number of pixels in total", "an animation with too many pixels in all"),
    row(ErrorName::FetchFailed, 400, 5454, "Fetching the url failed", "an upload by URL whose file cannot be fetched; the message ends with the reason, and with the origin's status if there is one"),
    row(ErrorName::NotAnImage, 415, 5455, "Uploaded image must have image/jpeg, image/png, image/webp, image/gif or image/svg+xml content-type", "a file that is no image of an accepted type"),
    row(ErrorName::Internal, 500, 5500, "Internal error", "a fault of the server"),
    row_with(&[("retry-after", "1")], row(ErrorName::Unavailable, 503, 5503, "Service unavailable", "a server that starts, stops, or has too much to do")),
    row_with(NO_RETRY, row(ErrorName::InsufficientStorage, 507, 5507, "Insufficient storage", "a disk that is full or below its reserve")),
];

impl ErrorName {
    /// Returns the row of this error.
    pub fn row(self) -> &'static ErrorRow {
        &ERROR_ROWS[self as usize]
    }
}

/// An error as one request gets it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// HTTP status.
    pub status: u16,
    /// `code` in the envelope.
    pub code: u32,
    /// `message` in the envelope.
    pub message: String,
    /// `source.pointer` in the envelope: which part of the request is at fault, as a JSON Pointer.
    pub pointer: Option<String>,
    /// `documentation_url` in the envelope.
    pub documentation_url: Option<&'static str>,
    /// `error_chain` in the envelope: code and message of what lies behind.
    pub error_chain: Vec<(u32, &'static str)>,
    /// Headers that go with it, names in lower case.
    pub headers: Vec<(&'static str, Cow<'static, str>)>,
}

impl From<ErrorName> for ApiError {
    fn from(name: ErrorName) -> ApiError {
        let row = name.row();
        ApiError {
            status: row.status,
            code: row.code,
            message: row.message.to_owned(),
            pointer: None,
            documentation_url: None,
            error_chain: Vec::new(),
            headers: row.headers.iter().map(|(name, value)| (*name, Cow::Borrowed(*value))).collect(),
        }
    }
}

impl ApiError {
    /// 403: the batch host does not have this call.
    pub fn forbidden_endpoint() -> ApiError {
        ErrorName::ForbiddenEndpoint.into()
    }

    /// 401: the token asked about is not known.
    pub fn invalid_api_token() -> ApiError {
        ErrorName::InvalidApiToken.into()
    }

    /// 400: `Authorization` is not `Bearer` and a token.
    pub fn malformed_authorization() -> ApiError {
        ApiError::malformed_headers(6111, "Invalid format for Authorization header")
    }

    /// 400: `X-Auth-Key` is not a key.
    pub fn malformed_auth_key() -> ApiError {
        ApiError::malformed_headers(6103, "Invalid format for X-Auth-Key header")
    }

    fn malformed_headers(code: u32, message: &'static str) -> ApiError {
        ApiError { error_chain: vec![(code, message)], ..ErrorName::InvalidRequestHeaders.into() }
    }

    /// 404: no such path.
    pub fn no_route() -> ApiError {
        ErrorName::NoRoute.into()
    }

    /// 413: the body or the file is larger than allowed.
    pub fn too_large() -> ApiError {
        ErrorName::TooLarge.into()
    }

    /// 403: `X-Auth-Key` is not known.
    pub fn unknown_auth_key() -> ApiError {
        ErrorName::UnknownAuthKey.into()
    }

    /// 400: no credentials.
    pub fn missing_credentials() -> ApiError {
        ErrorName::MissingCredentials.into()
    }

    /// 403: the token is not known.
    pub fn unknown_access_token() -> ApiError {
        ErrorName::UnknownAccessToken.into()
    }

    /// 403: the token may not do this.
    pub fn no_permission() -> ApiError {
        ErrorName::NoPermission.into()
    }

    /// 405: the path has these methods only.
    pub fn method_not_allowed(methods: &[&str]) -> ApiError {
        let mut error = ApiError::from(ErrorName::MethodNotAllowed);
        error.headers.push(("allow", methods.join(", ").into()));
        error
    }

    /// 405: the same on the upload host, which has a code of its own.
    pub fn upload_host_method_not_allowed(methods: &[&str]) -> ApiError {
        let mut error = ApiError::from(ErrorName::UploadHostMethodNotAllowed);
        error.headers.push(("allow", methods.join(", ").into()));
        error
    }

    /// 400: the request breaks a rule.
    pub fn invalid(message: impl Into<String>, pointer: Option<String>) -> ApiError {
        ApiError { message: message.into(), pointer, ..ErrorName::Invalid.into() }
    }

    /// 400: the walk over an image's bytes found them damaged.
    pub fn bad_image_format() -> ApiError {
        ApiError::invalid("images.create: bad image format", None)
    }

    /// 403: the token may not act on this account.
    pub fn unusable_account() -> ApiError {
        ApiError { pointer: Some("/path/account_id".to_owned()), ..ErrorName::UnusableAccount.into() }
    }

    /// 404: no such image.
    pub fn image_not_found() -> ApiError {
        ErrorName::ImageNotFound.into()
    }

    /// 404: no such variant.
    pub fn variant_not_found() -> ApiError {
        ErrorName::VariantNotFound.into()
    }

    /// 404: no such signing key.
    pub fn key_not_found() -> ApiError {
        ErrorName::KeyNotFound.into()
    }

    /// 408: the bytes of the upload stopped coming.
    pub fn upload_timed_out() -> ApiError {
        ErrorName::UploadTimedOut.into()
    }

    /// 409: the id is taken. Sent again, the upload would fail again.
    pub fn duplicate() -> ApiError {
        ErrorName::Duplicate.into()
    }

    /// 410: a one-time URL after its end.
    pub fn upload_link_expired() -> ApiError {
        ErrorName::UploadLinkExpired.into()
    }

    /// 400: a one-time URL may not end so soon, or so late.
    pub fn expiry_out_of_range(min: Duration, max: Duration) -> ApiError {
        let (min, max) = (in_words(min), in_words(max));
        let message = format!("Invalid expiry: must be {min} to {max} from now");
        ApiError::invalid(message, Some("/expiry".to_owned()))
    }

    /// 400: an image with a custom id cannot be private.
    pub fn private_custom_id() -> ApiError {
        ErrorName::PrivateCustomId.into()
    }

    /// 400: the id cannot be chosen, for this reason.
    pub fn invalid_custom_id(reason: impl std::fmt::Display) -> ApiError {
        ApiError::from(ErrorName::InvalidCustomId).because(reason)
    }

    /// 413: too many pixels in all or on a side.
    pub fn dimensions_too_large() -> ApiError {
        ErrorName::DimensionsTooLarge.into()
    }

    /// 415: the upload is no form.
    pub fn not_a_form() -> ApiError {
        ErrorName::NotAForm.into()
    }

    /// 413: the frames together have too many pixels.
    pub fn animation_too_large() -> ApiError {
        ErrorName::AnimationTooLarge.into()
    }

    /// 400: the file at the `url` of an upload cannot be fetched, for this reason.
    pub fn fetch_failed(reason: impl std::fmt::Display) -> ApiError {
        let error = ApiError::from(ErrorName::FetchFailed).because(reason);
        ApiError { pointer: Some("/url".to_owned()), ..error }
    }

    /// 415: the file is no image of an accepted type.
    pub fn not_an_image() -> ApiError {
        ErrorName::NotAnImage.into()
    }

    /// 500: a fault of the server.
    pub fn internal() -> ApiError {
        ErrorName::Internal.into()
    }

    /// 429: called too often; may be called again in so many seconds.
    pub fn rate_limited(retry_after_seconds: u64) -> ApiError {
        let mut error = ApiError::from(ErrorName::RateLimited);
        error.headers.push(("retry-after", retry_after_seconds.to_string().into()));
        error
    }

    /// 503: the server starts, stops, or has too much to do.
    pub fn unavailable() -> ApiError {
        ErrorName::Unavailable.into()
    }

    /// 507: the disk is full or below its reserve.
    pub fn insufficient_storage() -> ApiError {
        ErrorName::InsufficientStorage.into()
    }

    /// Returns the error as the upload host writes it: plain text (reference: errors, shapes).
    pub fn to_plain_text(&self) -> String {
        format!("ERROR {}: {}", self.code, self.message)
    }

    fn because(mut self, reason: impl std::fmt::Display) -> ApiError {
        self.message = format!("{}: {reason}", self.message);
        self
    }
}

/// Writes a time in the largest unit of which it is a whole number.
pub(crate) fn in_words(time: Duration) -> String {
    let seconds = time.as_secs();
    let units = [("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)];
    let whole = units.into_iter().find(|(_, unit)| seconds >= *unit && seconds.is_multiple_of(*unit));
    let (name, unit) = whole.unwrap_or(("second", 1));
    let count = seconds / unit;
    format!("{count} {name}{}", if count == 1 { "" } else { "s" })
}

/// Characters of a caller's text that a message repeats (reference: list-v2 §6).
const ECHO_CHARS_MAX: usize = 100;

/// Returns as much of a caller's text as a message may repeat.
pub(crate) fn echo(text: &str) -> &str {
    text.char_indices().nth(ECHO_CHARS_MAX).map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_their_largest_whole_unit() {
        for (seconds, words) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (90, "90 seconds"),
            (120, "2 minutes"),
            (3_600, "1 hour"),
            (21_600, "6 hours"),
            (90_000, "25 hours"),
            (2_592_000, "30 days"),
        ] {
            assert_eq!(in_words(Duration::from_secs(seconds)), words);
        }
    }

    #[test]
    fn every_name_finds_its_own_row() {
        for (place, row) in ERROR_ROWS.iter().enumerate() {
            assert_eq!(row.name as usize, place, "{:?}", row.name);
            assert_eq!(row.name.row().code, row.code);
            assert!((400..600).contains(&row.status), "{:?}", row.name);
        }
    }

    #[test]
    fn what_would_fail_again_is_not_to_be_retried() {
        for error in [ApiError::duplicate(), ApiError::insufficient_storage()] {
            assert_eq!(error.headers, [("x-should-retry", "false".into())], "{error}");
        }
        assert_eq!(ApiError::unavailable().headers, [("retry-after", "1".into())]);
    }

    #[test]
    fn methods_that_are_allowed_are_named() {
        let error = ApiError::method_not_allowed(&["GET", "PATCH"]);
        assert_eq!((error.status, error.code), (405, 10405));
        assert_eq!(error.headers, [("allow", "GET, PATCH".into())]);
    }

    #[test]
    fn who_calls_too_often_is_told_when_to_call_again() {
        let error = ApiError::rate_limited(30);
        assert_eq!((error.status, error.code), (429, 10429));
        assert_eq!(error.headers, [("retry-after", "30".into())]);
    }

    #[test]
    fn reasons_end_the_message() {
        assert!(
            ApiError::invalid_custom_id("Must not be UUID").message.ends_with("try again: Must not be UUID")
        );
        assert_eq!(ApiError::not_an_image().to_plain_text().find("ERROR 5455: Uploaded image"), Some(0));
    }

    #[test]
    fn echoes_are_cut_at_characters() {
        assert_eq!(echo("five"), "five");
        assert_eq!(echo(&"é".repeat(100)), "é".repeat(100));
        assert_eq!(echo(&"é".repeat(101)), "é".repeat(100));
        assert_eq!(echo(""), "");
    }
}
