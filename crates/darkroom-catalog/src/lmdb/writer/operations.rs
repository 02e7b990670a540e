//! What can be asked of the writer, and where it is done.

use std::sync::Arc;

use darkroom_model::{
    Account, AccountSettings, AccountSettingsChange, ApiToken, Draft, Edit, Entry, ImageId, NewImage,
    Original, OriginalKey, Timestamp,
};
use heed::RwTxn;
use tokio::sync::oneshot;

use super::{Group, Writer};
use crate::CatalogError;
use crate::lmdb::keys::AccountNumber;
use crate::lmdb::shared::AccountEntry;
use crate::lmdb::store::Opened;

/// A change that somebody waits for.
pub(crate) struct Mutation {
    pub(crate) operation: Operation,
    pub(crate) reply: oneshot::Sender<Result<Outcome, CatalogError>>,
}

/// What to change.
pub(crate) enum Operation {
    CreateAccount(Account),
    ChangeSettings(Arc<AccountEntry>, AccountSettingsChange),
    PutApiToken(ApiToken),
    DeleteApiToken([u8; 32]),
    Insert(Arc<AccountEntry>, Box<NewImage>),
    InsertDraft(Arc<AccountEntry>, Box<Draft>),
    CompleteDraft(Arc<AccountEntry>, ImageId, Option<String>, Box<Original>),
    Edit(Arc<AccountEntry>, ImageId, Edit),
    Delete(Arc<AccountEntry>, ImageId),
    ForgetGarbage(Vec<(AccountNumber, OriginalKey)>),
    RemoveExpired {
        drafts_before: Timestamp,
        tokens_before: Timestamp,
        max: usize,
    },
    /// Finish what came before, and stop.
    Close,
}

/// What a change brought.
pub(crate) enum Outcome {
    Done,
    /// The image or draft as it is after an insert or edit, as it was before a delete; `None` if there was none.
    Entry(Option<Box<Entry>>),
    /// The settings as they are now.
    Settings(Arc<AccountSettings>),
    /// How many rows it concerned.
    Count(usize),
}

impl Writer {
    pub(super) fn execute(
        &mut self,
        opened: &Opened,
        txn: &mut RwTxn<'_>,
        group: &mut Group,
        operation: Operation,
    ) -> Result<Outcome, CatalogError> {
        match operation {
            Operation::CreateAccount(account) => self.create_account(opened, txn, group, account),
            Operation::ChangeSettings(entry, change) => {
                self.change_settings(opened, txn, group, entry, change)
            }
            Operation::PutApiToken(token) => self.put_api_token(opened, txn, group, &token),
            Operation::DeleteApiToken(secret_hash) => self.delete_api_token(opened, txn, group, &secret_hash),
            Operation::Insert(entry, image) => self.insert(opened, txn, group, &entry, *image),
            Operation::InsertDraft(entry, draft) => self.insert_draft(opened, txn, group, &entry, &draft),
            Operation::CompleteDraft(entry, id, filename, original) => {
                self.complete_draft(opened, txn, group, &entry, &id, filename, *original)
            }
            Operation::Edit(entry, id, edit) => self.edit(opened, txn, group, &entry, &id, edit),
            Operation::Delete(entry, id) => self.delete(opened, txn, group, &entry, &id),
            Operation::ForgetGarbage(originals) => self.forget_garbage(opened, txn, group, &originals),
            Operation::RemoveExpired { drafts_before, tokens_before, max } => {
                self.remove_expired(opened, txn, group, drafts_before, tokens_before, max)
            }
            Operation::Close => Ok(Outcome::Done),
        }
    }
}
