//! Accounts, their settings, tokens, and what has expired.

use std::sync::Arc;

use darkroom_model::{Account, AccountSettings, AccountSettingsChange, ApiToken, OriginalKey, Timestamp};
use heed::{RoTxn, RwTxn};

use super::operations::Outcome;
use super::{Group, Writer};
use crate::CatalogError;
use crate::lmdb::keys::{self, AccountNumber};
use crate::lmdb::rows::{self, AccountState};
use crate::lmdb::settings_row;
use crate::lmdb::shared::{AccountEntry, Shared, damaged};
use crate::lmdb::store::{Opened, failed, get};

impl Writer {
    pub(super) fn create_account(
        &mut self,
        opened: &Opened,
        txn: &mut RwTxn<'_>,
        group: &mut Group,
        account: Account,
    ) -> Result<Outcome, CatalogError> {
        let same = |other: &Account| other.id == account.id || other.hash == account.hash;
        let known =
            self.shared.entry(&account.id).is_some() || self.shared.entry_by_hash(&account.hash).is_some();
        if known || group.new_accounts.iter().any(|(_, other)| same(other)) {
            return Err(CatalogError::Exists);
        }
        let number = self.next_account;
        self.next_account += 1;
        let key = keys::account(number);
        opened.tables.accounts.put(txn, &key, &rows::write_account(&account)).map_err(failed)?;
        let state = AccountState::NEW;
        #[cfg(test)]
        let state = AccountState { next: self.shared.options.first_sequence, ..state };
        opened.tables.states.put(txn, &key, &state.to_bytes()).map_err(failed)?;
        group.new_accounts.push((number, account));
        group.wrote = true;
        Ok(Outcome::Done)
    }

    pub(super) fn change_settings(
        &self,
        opened: &Opened,
        txn: &mut RwTxn<'_>,
        group: &mut Group,
        entry: Arc<AccountEntry>,
        change: AccountSettingsChange,
    ) -> Result<Outcome, CatalogError> {
        // As this transaction knows them: an earlier change of the group may be among them.
        let mut settings = read_settings(&self.shared, opened, txn, entry.number, &entry.account)?;
        settings.apply(change).map_err(CatalogError::Settings)?;
        let row = settings_row::write(&settings);
        opened.tables.settings.put(txn, &keys::account(entry.number), &row).map_err(failed)?;
        self.touch(opened, txn, group, &entry)?;
        let settings = Arc::new(settings);
        group.settings.push((entry, Arc::clone(&settings)));
        group.wrote = true;
        Ok(Outcome::Settings(settings))
    }

    pub(super) fn put_api_token(
        &self,
        opened: &Opened,
        txn: &mut RwTxn<'_>,
        group: &mut Group,
        token: &ApiToken,
    ) -> Result<Outcome, CatalogError> {
        let row = rows::write_api_token(token);
        opened.tables.api_tokens.put(txn, &token.secret_hash, &row).map_err(failed)?;
        group.wrote = true;
        Ok(Outcome::Done)
    }

    pub(super) fn delete_api_token(
        &self,
        opened: &Opened,
        txn: &mut RwTxn<'_>,
        group: &mut Group,
        secret_hash: &[u8; 32],
    ) -> Result<Outcome, CatalogError> {
        let deleted = opened.tables.api_tokens.delete(txn, secret_hash).map_err(failed)?;
        group.wrote |= deleted;
        Ok(Outcome::Count(usize::from(deleted)))
    }

    pub(super) fn forget_garbage(
        &self,
        opened: &Opened,
        txn: &mut RwTxn<'_>,
        group: &mut Group,
        originals: &[(AccountNumber, OriginalKey)],
    ) -> Result<Outcome, CatalogError> {
        for (account, key) in originals {
            group.wrote |=
                opened.tables.garbage.delete(txn, &keys::garbage(*account, key)).map_err(failed)?;
        }
        Ok(Outcome::Done)
    }

    pub(super) fn remove_expired(
        &self,
        opened: &Opened,
        txn: &mut RwTxn<'_>,
        group: &mut Group,
        drafts_before: Timestamp,
        tokens_before: Timestamp,
        max: usize,
    ) -> Result<Outcome, CatalogError> {
        let mut drafts = Vec::new();
        for row in opened.tables.drafts.iter(txn).map_err(failed)? {
            let (key, bytes) = row.map_err(failed)?;
            let draft = rows::read_draft(bytes).ok_or_else(|| damaged("draft"))?;
            if drafts.len() < max && draft.expires_at < drafts_before {
                drafts.push(key.to_vec());
            }
        }
        let mut tokens = Vec::new();
        for row in opened.tables.api_tokens.iter(txn).map_err(failed)? {
            let (key, bytes) = row.map_err(failed)?;
            let token = rows::read_api_token([0; 32], bytes).ok_or_else(|| damaged("token"))?;
            if drafts.len() + tokens.len() < max && token.expires_at.is_some_and(|at| at < tokens_before) {
                tokens.push(key.to_vec());
            }
        }
        for key in &drafts {
            // An id that leads to a draft has the same key.
            opened.tables.drafts.delete(txn, key).map_err(failed)?;
            opened.tables.ids.delete(txn, key).map_err(failed)?;
        }
        for key in &tokens {
            opened.tables.api_tokens.delete(txn, key).map_err(failed)?;
        }
        let count = drafts.len() + tokens.len();
        group.wrote |= count > 0;
        Ok(Outcome::Count(count))
    }
}

/// Returns the settings of an account in a transaction.
pub(crate) fn read_settings(
    shared: &Shared,
    opened: &Opened,
    txn: &RoTxn<'_>,
    number: AccountNumber,
    account: &Account,
) -> Result<AccountSettings, CatalogError> {
    match get(opened.tables.settings, txn, &keys::account(number))? {
        Some(row) => settings_row::read(row).ok_or_else(|| damaged("account settings")),
        None => Ok(AccountSettings::initial(&shared.secrets, &account.id)),
    }
}
