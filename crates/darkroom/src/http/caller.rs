//! Who asks, and what they may do (reference: api §1.2).
//!
//! A [`Caller`] can only be made by [`Caller::admit`], so a handler that takes one cannot be reached without it.

use std::marker::PhantomData;

use darkroom_api::ApiError;
use darkroom_model::{Account, AccountId, ApiToken, ApiTokenKind, Scope};
use darkroom_service::Service;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::failures::api_error;
use super::rate_limit::RequestRates;

const AUTH_KEY: HeaderName = HeaderName::from_static("x-auth-key");

/// May look at images.
pub(crate) enum Read {}

/// May look at images and change them.
pub(crate) enum Write {}

/// What a caller may do.
pub(crate) trait Permission {
    /// What a token must have been given.
    const SCOPE: Scope;
}

impl Permission for Read {
    const SCOPE: Scope = Scope::Read;
}

impl Permission for Write {
    const SCOPE: Scope = Scope::Write;
}

/// Someone who has shown a token that may do this in this account.
pub(crate) struct Caller<P> {
    account: Account,
    scope: Scope,
    permission: PhantomData<P>,
}

impl<P: Permission> Caller<P> {
    /// Admits a request to an account, or says why not, in the order of the reference: credentials missing,
    /// malformed, unknown; called too often; the token of another kind; the account not the token's; the token without
    /// the permission.
    pub(crate) async fn admit(
        service: &Service,
        headers: &HeaderMap,
        door: Door<'_>,
        rates: &RequestRates<'_>,
    ) -> Result<Caller<P>, ApiError> {
        let credential = Credential::of(headers)?;
        let token = credential.find(service).await?.ok_or_else(|| credential.unknown())?;
        rates.count_token(&token)?;
        if token.kind != door.token_kind() {
            return Err(ApiError::no_permission());
        }
        let account = door.account(&token).ok_or_else(ApiError::unusable_account)?;
        let scope = token.scope_in(account).ok_or_else(ApiError::unusable_account)?;
        if scope < P::SCOPE {
            return Err(ApiError::no_permission());
        }
        let account = service.account(account).await.map_err(api_error)?;
        Ok(Caller {
            account: account.ok_or_else(ApiError::unusable_account)?,
            scope,
            permission: PhantomData,
        })
    }

    /// Returns how far the token may go in the account: as far as the permission, or farther.
    pub(crate) fn scope(&self) -> Scope {
        self.scope
    }

    /// Returns the account.
    pub(crate) fn account(&self) -> &Account {
        &self.account
    }
}

/// Which way a request came in, and with that which account it is about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Door<'r> {
    /// The API, with the account in the path.
    Api(&'r AccountId),
    /// The batch host, where the token implies the account (reference: api §15).
    Batch,
}

impl<'r> Door<'r> {
    fn token_kind(self) -> ApiTokenKind {
        match self {
            Door::Api(_) => ApiTokenKind::Api,
            Door::Batch => ApiTokenKind::Batch,
        }
    }

    fn account(self, token: &'r ApiToken) -> Option<&'r AccountId> {
        match self {
            Door::Api(account) => Some(account),
            Door::Batch => token.grants.first().map(|grant| &grant.account),
        }
    }
}

/// Returns the token of a request of the API that names no account; `None` if its credentials are well formed and not
/// known.
pub(crate) async fn token_of(
    service: &Service,
    headers: &HeaderMap,
    rates: &RequestRates<'_>,
) -> Result<Option<ApiToken>, ApiError> {
    let token = Credential::of(headers)?.find(service).await?;
    if let Some(token) = &token {
        rates.count_token(token)?;
        if token.kind != ApiTokenKind::Api {
            return Err(ApiError::no_permission());
        }
    }
    Ok(token)
}

/// Says whether a text can stand after `Bearer` (RFC 9110 §11.2, token68).
pub(crate) fn is_token68(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    !body.is_empty() && body.bytes().all(legal)
}

/// What a request shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Credential<'h> {
    /// `Authorization: Bearer …`
    Bearer(&'h str),
    /// `X-Auth-Key: …`, which carries a token of ours too; `X-Auth-Email` beside it is not judged.
    Key(&'h str),
}

impl<'h> Credential<'h> {
    /// Reads the credentials; `Authorization` is preferred, because SDKs send every scheme that they are set up with.
    fn of(headers: &'h HeaderMap) -> Result<Credential<'h>, ApiError> {
        if let Some(value) = only(headers, &header::AUTHORIZATION) {
            return value
                .and_then(bearer)
                .map(Credential::Bearer)
                .ok_or_else(ApiError::malformed_authorization);
        }
        match only(headers, &AUTH_KEY) {
            Some(value) => value
                .filter(|key| is_token68(key))
                .map(Credential::Key)
                .ok_or_else(ApiError::malformed_auth_key),
            None => Err(ApiError::missing_credentials()),
        }
    }

    async fn find(self, service: &Service) -> Result<Option<ApiToken>, ApiError> {
        let (Credential::Bearer(secret) | Credential::Key(secret)) = self;
        service.find_api_token(secret).await.map_err(api_error)
    }

    fn unknown(self) -> ApiError {
        match self {
            Credential::Bearer(_) => ApiError::unknown_access_token(),
            Credential::Key(_) => ApiError::unknown_auth_key(),
        }
    }
}

/// Returns a header that must stand once: `None` if it does not stand at all, `Some(None)` if it cannot be read.
fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<Option<&'h str>> {
    let mut values = headers.get_all(name).iter();
    let first: &HeaderValue = values.next()?;
    match values.next() {
        Some(_) => Some(None),
        None => Some(first.to_str().ok()),
    }
}

/// Reads `Bearer` and a token; the scheme in any case.
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim_start_matches(' ');
    (scheme.eq_ignore_ascii_case("bearer") && is_token68(token)).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(sent: &[(&'static str, &'static str)], expected: Result<Credential<'static>, ApiError>) {
        let mut headers = HeaderMap::new();
        for (name, value) in sent {
            headers.append(*name, HeaderValue::from_static(value));
        }
        assert_eq!(Credential::of(&headers), expected, "{sent:?}");
    }

    #[test]
    fn a_bearer_token_is_found_whatever_the_case_of_its_scheme() {
        check(&[("authorization", "Bearer a-._~+/9==")], Ok(Credential::Bearer("a-._~+/9==")));
        check(&[("authorization", "bearer a")], Ok(Credential::Bearer("a")));
        check(&[("authorization", "BEARER  a")], Ok(Credential::Bearer("a")));
    }

    #[test]
    fn authorization_is_preferred() {
        check(&[("x-auth-key", "k"), ("authorization", "Bearer t")], Ok(Credential::Bearer("t")));
        check(&[("x-auth-key", "k"), ("authorization", "Basic t")], Err(ApiError::malformed_authorization()));
    }

    #[test]
    fn what_is_not_a_token_is_malformed() {
        for value in
            ["", "Bearer", "Bearer ", "Bearer a b", "Bearer =", "Bearer a=b", "Bearer \u{7f}", "Basic a", "a"]
        {
            let Ok(value) = HeaderValue::from_str(value) else { continue };
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, value.clone())]);
            assert_eq!(Credential::of(&headers), Err(ApiError::malformed_authorization()), "{value:?}");
        }
        check(
            &[("authorization", "Bearer a"), ("authorization", "Bearer a")],
            Err(ApiError::malformed_authorization()),
        );
        check(&[("x-auth-key", "a b")], Err(ApiError::malformed_auth_key()));
    }

    #[test]
    fn an_address_alone_is_no_credential() {
        check(&[], Err(ApiError::missing_credentials()));
        check(&[("x-auth-email", "ann@example.com")], Err(ApiError::missing_credentials()));
        check(&[("x-auth-email", "ann@example.com"), ("x-auth-key", "k")], Ok(Credential::Key("k")));
    }
}
