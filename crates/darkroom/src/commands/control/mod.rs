//! Commands that manage a data folder: what is asked, and how it is done.
//!
//! While a server runs, they go to it through a Unix socket in the data folder ([`server`]); otherwise the command opens
//! the folder itself, under its lock ([`client`]). Both end in [`Command::execute`].
//!
//! On the socket, a request and its answer are one line of JSON each:
//!
//! ```text
//! {"version":1,"command":{"revoke_token":{"id":"…"}}}
//! {"version":1,"done":{"revoked":{"id":"…"}}}      or      {"version":1,"failed":"there is no token …"}
//! ```

use darkroom_model::{Account, AccountId, ApiToken, ApiTokenKind, Grant, Ids, Scope};
use darkroom_service::{Purged, Service, ServiceError};
use serde::{Deserialize, Serialize};

use super::new_names;
use crate::settings::parse_account_hash;

mod client;
pub(super) mod server;

pub(super) use client::run;

/// The version of the lines on the socket. A change that the other side would misunderstand raises it.
const VERSION: u32 = 1;
/// A line that asks has at most so many bytes: a thousand grants fit.
const REQUEST_BYTES_MAX: usize = 256 << 10;

/// What is asked.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Command {
    /// Makes an account, with an id and a hash of its own unless they are given.
    CreateAccount { id: Option<String>, hash: Option<String> },
    /// Names every account.
    ListAccounts {},
    /// Makes a token.
    CreateToken { grants: Vec<GrantText> },
    /// Names every token.
    ListTokens {},
    /// Makes a token worthless.
    RevokeToken { id: String },
    /// Removes every rendition that is kept.
    PurgeRenditions {},
}

/// What was done. It may hold a secret, so it cannot be shown by accident.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Done {
    /// The accounts that were asked for, or the one that was made.
    Accounts(Vec<AccountText>),
    /// A token that was made, and its secret, which nobody can ask for again.
    Token { id: String, secret: String },
    /// The tokens that there are.
    Tokens(Vec<TokenText>),
    /// The token that is worth nothing any more.
    Revoked { id: String },
    /// How many renditions were removed from the data folder, and their bytes.
    Purged { renditions: u64, bytes: u64 },
}

/// An account on the wire.
#[derive(Serialize, Deserialize)]
pub(super) struct AccountText {
    pub(super) id: String,
    pub(super) hash: String,
}

/// A token on the wire, without its secret, which nobody has.
#[derive(Serialize, Deserialize)]
pub(super) struct TokenText {
    pub(super) id: String,
    /// `api` or `batch`.
    pub(super) kind: String,
    pub(super) grants: Vec<GrantText>,
    /// When it ends, if it does.
    pub(super) expires_at: Option<String>,
}

/// A grant on the wire.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct GrantText {
    pub(super) account: String,
    /// `read` or `write`.
    pub(super) scope: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    version: u32,
    command: Command,
}

#[derive(Serialize, Deserialize)]
struct Answer {
    version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    done: Option<Done>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failed: Option<String>,
}

impl Answer {
    fn of(outcome: Result<Done, String>) -> Answer {
        let (done, failed) = match outcome {
            Ok(done) => (Some(done), None),
            Err(failed) => (None, Some(failed)),
        };
        Answer { version: VERSION, done, failed }
    }
}

impl Command {
    /// Returns the name under which the log knows the command.
    fn name(&self) -> &'static str {
        match self {
            Command::CreateAccount { .. } => "create_account",
            Command::ListAccounts {} => "list_accounts",
            Command::CreateToken { .. } => "create_token",
            Command::ListTokens {} => "list_tokens",
            Command::RevokeToken { .. } => "revoke_token",
            Command::PurgeRenditions {} => "purge_renditions",
        }
    }

    /// Does what is asked, or says in a sentence for the operator why not.
    async fn execute(self, service: &Service, ids: &dyn Ids) -> Result<Done, String> {
        match self {
            Command::CreateAccount { id, hash } => create_account(service, ids, id, hash).await,
            Command::ListAccounts {} => {
                let accounts = service.accounts().await.map_err(told)?;
                Ok(Done::Accounts(accounts.iter().map(account_text).collect()))
            }
            Command::CreateToken { grants } => create_token(service, ids, &grants).await,
            Command::ListTokens {} => {
                let mut tokens = service.api_tokens().await.map_err(told)?;
                tokens.sort_by(|a, b| a.id.cmp(&b.id));
                Ok(Done::Tokens(tokens.iter().map(token_text).collect()))
            }
            Command::PurgeRenditions {} => {
                let Purged { renditions, bytes } = service.purge_renditions().await;
                Ok(Done::Purged { renditions, bytes })
            }
            Command::RevokeToken { id } => match service.revoke_api_token(&id).await.map_err(told)? {
                true => Ok(Done::Revoked { id }),
                false => {
                    Err("there is no token with this id; `darkroom token list` shows those there are".into())
                }
            },
        }
    }
}

async fn create_account(
    service: &Service,
    ids: &dyn Ids,
    id: Option<String>,
    hash: Option<String>,
) -> Result<Done, String> {
    let id = match id {
        Some(text) => AccountId::parse(&text).map_err(|error| format!("the id of an account: {error}"))?,
        None => new_names::account_id(ids),
    };
    let hash = match hash {
        Some(text) => parse_account_hash(&text).ok_or_else(|| format!("expected {ACCOUNT_HASH}"))?,
        None => new_names::account_hash(ids),
    };
    let account = Account { id, hash };
    match service.create_account(account.clone()).await {
        Ok(()) => Ok(Done::Accounts(vec![account_text(&account)])),
        Err(ServiceError::Exists) => Err(taken(service, &account).await),
        Err(error) => Err(told(error)),
    }
}

/// What a hash must be, to end the sentence "expected …".
pub(super) const ACCOUNT_HASH: &str =
    "1 to 64 letters, digits, '_' or '-', and no word that other paths begin with, such as upload";

/// Says which name of a new account belongs to another one.
async fn taken(service: &Service, account: &Account) -> String {
    match service.account(&account.id).await {
        Ok(Some(_)) => format!("there is an account {} already", account.id),
        _ => format!("another account has the hash {} already", account.hash),
    }
}

async fn create_token(service: &Service, ids: &dyn Ids, grants: &[GrantText]) -> Result<Done, String> {
    let grants = grants.iter().map(parse_grant).collect::<Result<Vec<Grant>, String>>()?;
    check_grants(&grants)?;
    for Grant { account, .. } in &grants {
        if service.account(account).await.map_err(told)?.is_none() {
            return Err(format!(
                "there is no account {account}; `darkroom account list` shows those there are"
            ));
        }
    }
    let secret = new_names::token_secret(ids);
    let token = service.create_api_token(&secret, grants).await.map_err(told)?;
    Ok(Done::Token { id: token.id, secret })
}

/// Refuses a token for nothing, and one that is told two things about one account.
pub(super) fn check_grants(grants: &[Grant]) -> Result<(), String> {
    if grants.is_empty() {
        return Err("expected an --account and a --scope: a token for nothing opens nothing".into());
    }
    for (at, Grant { account, .. }) in grants.iter().enumerate() {
        if grants[..at].iter().any(|before| before.account == *account) {
            return Err(format!("expected each account once, got {account} twice"));
        }
    }
    Ok(())
}

fn parse_grant(grant: &GrantText) -> Result<Grant, String> {
    let account =
        AccountId::parse(&grant.account).map_err(|error| format!("the id of an account: {error}"))?;
    let scope = parse_scope(&grant.scope).ok_or("the scope of a token: expected read or write")?;
    Ok(Grant { account, scope })
}

/// Reads a scope as commands spell it.
pub(super) fn parse_scope(text: &str) -> Option<Scope> {
    match text {
        "read" => Some(Scope::Read),
        "write" => Some(Scope::Write),
        _ => None,
    }
}

/// Writes a grant as commands spell it.
pub(super) fn grant_text(grant: &Grant) -> GrantText {
    let scope = match grant.scope {
        Scope::Read => "read",
        Scope::Write => "write",
    };
    GrantText { account: grant.account.to_string(), scope: scope.into() }
}

fn account_text(account: &Account) -> AccountText {
    let Account { id, hash } = account;
    AccountText { id: id.to_string(), hash: hash.to_string() }
}

fn token_text(token: &ApiToken) -> TokenText {
    let kind = match token.kind {
        ApiTokenKind::Api => "api",
        ApiTokenKind::Batch => "batch",
    };
    TokenText {
        id: token.id.clone(),
        kind: kind.into(),
        grants: token.grants.iter().map(grant_text).collect(),
        expires_at: token.expires_at.map(|end| end.to_string()),
    }
}

/// Tells a failure of the stores with what led to it.
fn told(error: ServiceError) -> String {
    super::with_causes(&error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_one_line_that_says_its_version() {
        let command = Command::RevokeToken { id: "0af".into() };
        let line = serde_json::to_string(&Request { version: VERSION, command }).unwrap();
        assert_eq!(line, r#"{"version":1,"command":{"revoke_token":{"id":"0af"}}}"#);
        let command = Command::ListTokens {};
        let line = serde_json::to_string(&Request { version: VERSION, command }).unwrap();
        assert_eq!(line, r#"{"version":1,"command":{"list_tokens":{}}}"#);
    }

    #[test]
    fn an_answer_is_one_of_two_things() {
        let line = serde_json::to_string(&Answer::of(Err("no".into()))).unwrap();
        assert_eq!(line, r#"{"version":1,"failed":"no"}"#);
        let line = serde_json::to_string(&Answer::of(Ok(Done::Revoked { id: "0af".into() }))).unwrap();
        assert_eq!(line, r#"{"version":1,"done":{"revoked":{"id":"0af"}}}"#);
    }

    #[test]
    fn grants_name_each_account_once() {
        let grant = |account: &str, scope| Grant { account: AccountId::parse(account).unwrap(), scope };
        assert!(check_grants(&[]).is_err());
        assert!(check_grants(&[grant("a", Scope::Read), grant("b", Scope::Read)]).is_ok());
        assert!(check_grants(&[grant("a", Scope::Read), grant("a", Scope::Write)]).is_err());
    }
}
