//! Accounts, and the tokens that may act on them (reference: api §1.1, §1.2, §16).

use std::fmt;

use crate::Timestamp;

/// The id of an account: 1 to 64 letters, digits, `_` or `-` (reference: api §1.1).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AccountId(Box<str>);

/// The public name of an account in delivery URLs; stable, and not derived from the id alone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AccountHash(Box<str>);

/// A text that cannot be an [`AccountId`] or [`AccountHash`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("expected 1 to 64 letters, digits, '_' or '-'")]
pub struct AccountNameError;

fn is_account_name(text: &str) -> bool {
    (1..=AccountId::CHARS_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

impl AccountId {
    /// Longest id, and longest hash, in characters.
    pub const CHARS_MAX: usize = 64;

    /// Reads an account id.
    pub fn parse(text: &str) -> Result<AccountId, AccountNameError> {
        if is_account_name(text) { Ok(AccountId(text.into())) } else { Err(AccountNameError) }
    }

    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AccountHash {
    /// Reads an account hash.
    pub fn parse(text: &str) -> Result<AccountHash, AccountNameError> {
        if is_account_name(text) { Ok(AccountHash(text.into())) } else { Err(AccountNameError) }
    }

    /// Returns the hash as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for AccountHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An account: what owns images, and what no request may look across.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Account {
    /// Names the account in API paths.
    pub id: AccountId,
    /// Names the account in delivery URLs.
    pub hash: AccountHash,
}

/// What a token may do in an account. `Write` includes `Read`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Scope {
    /// *Images Read*.
    Read,
    /// *Images Write*.
    Write,
}

/// One account that a token may act on, and how far.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Grant {
    /// The account.
    pub account: AccountId,
    /// How far.
    pub scope: Scope,
}

/// An API token as the catalog keeps it: never the secret, only its keyed hash.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ApiToken {
    /// A public id, 32 hexadecimal digits, that names the token in answers and logs.
    pub id: String,
    /// Keyed hash of the secret.
    pub secret_hash: [u8; 32],
    /// What the token may do.
    pub grants: Vec<Grant>,
    /// What it is for.
    pub kind: ApiTokenKind,
    /// From when on it is worth nothing; `None` if it lasts until it is revoked.
    pub expires_at: Option<Timestamp>,
}

/// What a token is for: each opens its own paths and no others (reference: api §15).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum ApiTokenKind {
    /// The API.
    #[default]
    Api,
    /// The paths of the batch host.
    Batch,
}

impl ApiToken {
    /// Says whether the token is worth something at a moment.
    pub fn is_valid_at(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|expires_at| now < expires_at)
    }

    /// Returns how far the token may go in an account; `None` if it may not act on it at all.
    pub fn scope_in(&self, account: &AccountId) -> Option<Scope> {
        self.grants.iter().filter(|grant| grant.account == *account).map(|grant| grant.scope).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn account_ids_are_short_words() {
        assert!(AccountId::parse("023e105f4ecef8ad9ca31a8372d0c353").is_ok());
        for text in ["", "a/b", "a b", "é", "a.b", &"a".repeat(65)] {
            assert_eq!(AccountId::parse(text), Err(AccountNameError), "{text:?}");
        }
    }

    #[test]
    fn the_widest_grant_counts_and_other_accounts_do_not() {
        let account = |text: &str| AccountId::parse(text).unwrap();
        let grant = |text: &str, scope| Grant { account: account(text), scope };
        let token = ApiToken {
            id: "t".into(),
            secret_hash: [0; 32],
            grants: vec![grant("a", Scope::Write), grant("a", Scope::Read), grant("b", Scope::Read)],
            kind: ApiTokenKind::Api,
            expires_at: None,
        };
        assert_eq!(token.scope_in(&account("a")), Some(Scope::Write));
        assert_eq!(token.scope_in(&account("b")), Some(Scope::Read));
        assert_eq!(token.scope_in(&account("c")), None);
    }
}
