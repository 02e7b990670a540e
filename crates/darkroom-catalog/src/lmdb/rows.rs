//! The small rows: accounts, their states, tokens, and where an id leads.

use darkroom_model::{
    Account, AccountHash, AccountId, ApiToken, ApiTokenKind, Creator, Draft, Grant, ImageId, Metadata, Scope,
    Sequence, Timestamp,
};

use super::keys::AccountNumber;
use crate::record::{Reader, push_text16};

const VERSION: u8 = 1;

/// What changes of an account with every commit that concerns it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct AccountState {
    /// One more with every such commit.
    pub(crate) version: u64,
    /// The number of the next upload.
    pub(crate) next: Sequence,
    /// The lowest number given so far; an import of older images goes below it.
    pub(crate) lowest: Sequence,
    /// When the newest image was uploaded.
    pub(crate) last_uploaded: Timestamp,
}

impl AccountState {
    /// The state of a new account.
    pub(crate) const NEW: AccountState = AccountState {
        version: 0,
        next: Sequence::FIRST,
        lowest: Sequence::FIRST,
        last_uploaded: Timestamp(0),
    };

    pub(crate) fn to_bytes(self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        for value in [self.version, self.next.0, self.lowest.0, self.last_uploaded.0] {
            bytes.extend(value.to_be_bytes());
        }
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<AccountState> {
        let mut reader = versioned(bytes)?;
        Some(AccountState {
            version: reader.u64()?,
            next: Sequence(reader.u64()?),
            lowest: Sequence(reader.u64()?),
            last_uploaded: Timestamp(reader.u64()?),
        })
    }
}

/// Where an id leads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum IdRow {
    /// To an image.
    Image(Sequence),
    /// To a draft, which reserves the id and has no number until its bytes arrive.
    Draft,
}

impl IdRow {
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        match self {
            IdRow::Image(sequence) => [&[0][..], &sequence.0.to_be_bytes()].concat(),
            IdRow::Draft => vec![1],
        }
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<IdRow> {
        let mut reader = Reader { bytes };
        match reader.u8()? {
            0 => Some(IdRow::Image(Sequence(reader.u64()?))),
            1 => Some(IdRow::Draft),
            _ => None,
        }
    }
}

pub(crate) fn write_account(account: &Account) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    push_text(&mut bytes, account.id.as_str());
    push_text(&mut bytes, account.hash.as_str());
    bytes
}

/// Reads a row of the table of accounts, key and value.
pub(crate) fn account_of((key, bytes): (&[u8], &[u8])) -> Option<(AccountNumber, Account)> {
    Some((AccountNumber::from_be_bytes(key.try_into().ok()?), read_account(bytes)?))
}

fn read_account(bytes: &[u8]) -> Option<Account> {
    let mut reader = versioned(bytes)?;
    Some(Account {
        id: AccountId::parse(reader.text8()?).ok()?,
        hash: AccountHash::parse(reader.text8()?).ok()?,
    })
}

/// Stands for a token that does not expire.
const NEVER: u64 = u64::MAX;

/// Writes a token; its secret's hash is its key.
pub(crate) fn write_api_token(token: &ApiToken) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    push_text(&mut bytes, &token.id);
    bytes.push(match token.kind {
        ApiTokenKind::Api => 0,
        ApiTokenKind::Batch => 1,
    });
    bytes.extend(token.expires_at.map_or(NEVER, |at| at.0).to_be_bytes());
    bytes.extend((token.grants.len() as u32).to_be_bytes());
    for Grant { account, scope } in &token.grants {
        push_text(&mut bytes, account.as_str());
        bytes.push(match scope {
            Scope::Read => 0,
            Scope::Write => 1,
        });
    }
    bytes
}

pub(crate) fn read_api_token(secret_hash: [u8; 32], bytes: &[u8]) -> Option<ApiToken> {
    let mut reader = versioned(bytes)?;
    let id = reader.text8()?.to_owned();
    let kind = match reader.u8()? {
        0 => ApiTokenKind::Api,
        1 => ApiTokenKind::Batch,
        _ => return None,
    };
    let expires_at = Some(reader.u64()?).filter(|at| *at != NEVER).map(Timestamp);
    let count = reader.u32()?;
    let mut grants = Vec::new();
    for _ in 0..count {
        let account = AccountId::parse(reader.text8()?).ok()?;
        let scope = match reader.u8()? {
            0 => Scope::Read,
            1 => Scope::Write,
            _ => return None,
        };
        grants.push(Grant { account, scope });
    }
    Some(ApiToken { id, secret_hash, grants, kind, expires_at })
}

/// Writes a draft, with flags for what it has: 1 creator, 2 metadata, 4 requireSignedURLs.
pub(crate) fn write_draft(draft: &Draft) -> Vec<u8> {
    let flag = |present: bool, flag: u8| if present { flag } else { 0 };
    let mut bytes = vec![VERSION];
    bytes.push(
        flag(draft.creator.is_some(), 1)
            | flag(draft.metadata.is_some(), 2)
            | flag(draft.require_signed_urls, 4),
    );
    bytes.extend(draft.created.0.to_be_bytes());
    bytes.extend(draft.expires_at.0.to_be_bytes());
    let view = draft.view();
    for text in [view.id, view.creator.unwrap_or_default(), view.metadata_json.unwrap_or_default()] {
        push_text16(&mut bytes, text);
    }
    bytes
}

pub(crate) fn read_draft(bytes: &[u8]) -> Option<Draft> {
    let mut reader = versioned(bytes)?;
    let flags = reader.u8()?;
    let (created, expires_at) = (Timestamp(reader.u64()?), Timestamp(reader.u64()?));
    let id = ImageId::parse(reader.text16()?).ok()?;
    let (creator, metadata) = (reader.text16()?, reader.text16()?);
    Some(Draft {
        id,
        creator: if flags & 1 != 0 { Some(Creator::from_stored(creator)?) } else { None },
        metadata: if flags & 2 != 0 { Some(Metadata::from_stored(metadata)?) } else { None },
        require_signed_urls: flags & 4 != 0,
        created,
        expires_at,
    })
}

pub(crate) fn versioned(bytes: &[u8]) -> Option<Reader<'_>> {
    let mut reader = Reader { bytes };
    (reader.u8()? == VERSION).then_some(reader)
}

pub(crate) fn push_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.push(u8::try_from(text.len()).expect("names of accounts and tokens are at most 64 bytes"));
    bytes.extend(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_returns() {
        let account = Account { id: AccountId::parse("a").unwrap(), hash: AccountHash::parse("h").unwrap() };
        assert_eq!(read_account(&write_account(&account)), Some(account.clone()));
        let grants = vec![
            Grant { account: account.id.clone(), scope: Scope::Read },
            Grant { account: account.id, scope: Scope::Write },
        ];
        for (kind, expires_at) in [(ApiTokenKind::Api, None), (ApiTokenKind::Batch, Some(Timestamp(5)))] {
            let id = "t".repeat(32);
            let token = ApiToken { id, secret_hash: [3; 32], grants: grants.clone(), kind, expires_at };
            assert_eq!(read_api_token([3; 32], &write_api_token(&token)), Some(token));
        }
        let limits = darkroom_model::Limits::default();
        let whole = Draft {
            id: ImageId::custom("a/b").unwrap(),
            creator: Creator::from_stored("c"),
            metadata: Some(Metadata::parse(r#"{"a":1}"#, &limits).unwrap()),
            require_signed_urls: true,
            created: Timestamp(1),
            expires_at: Timestamp(2),
        };
        let bare = Draft { creator: None, metadata: None, require_signed_urls: false, ..whole.clone() };
        for draft in [whole, bare] {
            assert_eq!(read_draft(&write_draft(&draft)), Some(draft));
        }
        let state = AccountState { version: 5, last_uploaded: Timestamp(7), ..AccountState::NEW };
        assert_eq!(AccountState::from_bytes(&state.to_bytes()), Some(state));
        for row in [IdRow::Image(Sequence(9)), IdRow::Draft] {
            assert_eq!(IdRow::from_bytes(&row.to_bytes()), Some(row));
        }
    }
}
