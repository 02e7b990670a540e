//! The first account and its token: made at the first start, or given by the operator.

use std::path::{Path, PathBuf};

use darkroom_model::{Account, AccountHash, AccountId, Grant, Ids, Scope};
use darkroom_service::{Service, ServiceError};

use super::new_names;
use super::token_file::TokenFile;
use crate::settings::{Settings, is_bearer_token};

/// The account that the operator begins with.
pub(super) struct FirstAccount {
    /// The account.
    pub(super) account: Account,
    /// Its token, if this start made the account.
    pub(super) made_with: Option<FirstToken>,
}

/// Where the operator finds the token of a new account.
pub(super) enum FirstToken {
    /// The operator gave it.
    Given,
    /// It was made, and is kept here.
    Kept {
        /// The token itself.
        secret: String,
        /// The file that it is in.
        path: PathBuf,
    },
}

/// Why there is no account to begin with.
#[derive(Debug, thiserror::Error)]
pub enum FirstStartError {
    /// The file of the token could not be read or written.
    #[error("the file '{}' could not be used", path.display())]
    TokenFile {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file of the token has something else in it.
    #[error("the file '{}' holds no token; remove it, and a new one will be made", .0.display())]
    NotAToken(PathBuf),
    /// The settings name an account that the data folder does not have.
    #[error("the setting 'account_id' is {given}, but the data folder has {}", list(.existing))]
    OtherAccount {
        /// The account in the settings.
        given: AccountId,
        /// Those in the folder.
        existing: Vec<AccountId>,
    },
    /// The settings give an account another hash than it has.
    #[error("the setting 'account_hash' is {given}, but account {account} has the hash {existing}")]
    OtherHash {
        /// The hash in the settings.
        given: AccountHash,
        /// Whose hash it should be.
        account: AccountId,
        /// The hash that it has.
        existing: AccountHash,
    },
    /// The catalog refused or failed.
    #[error("the first account could not be made")]
    Service(#[from] ServiceError),
}

/// Sees to it that there is an account, and that a token whose secret the operator has can act on it.
///
/// A crash at any point locks nobody out: the secret is in its file before there is an account, and the file has the
/// name of an unfinished start until the catalog knows the token.
pub(super) async fn ensure(
    service: &Service,
    settings: &Settings,
    token_path: &Path,
    ids: &dyn Ids,
) -> Result<FirstAccount, FirstStartError> {
    let file = TokenFile::at(token_path);
    let failed = |source| FirstStartError::TokenFile { path: token_path.to_owned(), source };
    let accounts = service.accounts().await?;
    if !accounts.is_empty() && file.pending().map_err(failed)?.is_none() {
        let account = chosen_account(settings, accounts)?;
        if let Some(given) = &settings.api_token {
            admit(service, given.expose(), &account).await?;
        }
        return Ok(FirstAccount { account, made_with: None });
    }
    let (secret, token) = first_token(settings, &file, ids)?;
    let account = match accounts.is_empty() {
        true => {
            let account = new_account(settings, ids);
            service.create_account(account.clone()).await?;
            account
        }
        false => chosen_account(settings, accounts)?,
    };
    admit(service, &secret, &account).await?;
    file.finish().map_err(failed)?;
    Ok(FirstAccount { account, made_with: Some(token) })
}

/// Returns the token of a first start: the operator's, or one that an earlier start made, or a new one. One that is
/// ours is on the disk when this returns.
fn first_token(
    settings: &Settings,
    file: &TokenFile,
    ids: &dyn Ids,
) -> Result<(String, FirstToken), FirstStartError> {
    let path = file.path();
    let failed = |source| FirstStartError::TokenFile { path: path.to_owned(), source };
    if let Some(given) = &settings.api_token {
        file.abandon().map_err(failed)?;
        return Ok((given.expose().to_owned(), FirstToken::Given));
    }
    let known = match file.pending().map_err(failed)? {
        Some(pending) => Some(pending),
        None => file.kept().map_err(failed)?,
    };
    let secret = match known {
        Some(known) if is_bearer_token(&known) => known,
        Some(_) => return Err(FirstStartError::NotAToken(path.to_owned())),
        None => {
            let made = new_names::token_secret(ids);
            file.begin(&made).map_err(failed)?;
            made
        }
    };
    Ok((secret.clone(), FirstToken::Kept { secret, path: path.to_owned() }))
}

fn new_account(settings: &Settings, ids: &dyn Ids) -> Account {
    let id = settings.account_id.clone().unwrap_or_else(|| new_names::account_id(ids));
    let hash = settings.account_hash.clone().unwrap_or_else(|| new_names::account_hash(ids));
    Account { id, hash }
}

/// Returns the account that the settings mean: the one they name, or the first. A name or a hash that the folder does
/// not have is more likely a mistake than a wish.
fn chosen_account(settings: &Settings, accounts: Vec<Account>) -> Result<Account, FirstStartError> {
    let wanted = |account: &&Account| settings.account_id.as_ref().is_none_or(|given| *given == account.id);
    let Some(account) = accounts.iter().find(wanted).cloned() else {
        let given = settings.account_id.clone().expect("without a name, any account is wanted");
        let existing = accounts.into_iter().map(|account| account.id).collect();
        return Err(FirstStartError::OtherAccount { given, existing });
    };
    match &settings.account_hash {
        Some(given) if *given != account.hash => {
            let (given, existing) = (given.clone(), account.hash);
            Err(FirstStartError::OtherHash { given, account: account.id, existing })
        }
        _ => Ok(account),
    }
}

/// Lets a token write in an account, and whatever it could do already.
async fn admit(service: &Service, secret: &str, account: &Account) -> Result<(), FirstStartError> {
    let known = service.find_api_token(secret).await?;
    if known.as_ref().is_some_and(|token| token.scope_in(&account.id) == Some(Scope::Write)) {
        return Ok(());
    }
    let mut grants = known.map(|token| token.grants).unwrap_or_default();
    grants.push(write_grant(account));
    service.create_api_token(secret, grants).await?;
    Ok(())
}

fn write_grant(account: &Account) -> Grant {
    Grant { account: account.id.clone(), scope: Scope::Write }
}

fn list(accounts: &[AccountId]) -> String {
    accounts.iter().map(AccountId::as_str).collect::<Vec<_>>().join(", ")
}
