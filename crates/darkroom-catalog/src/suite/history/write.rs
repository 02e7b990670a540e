//! The writes of a history.

use std::sync::Arc;

use darkroom_model::{
    Account, AccountId, AccountSettings, AccountSettingsChange, ApiToken, Draft, Edit, Entry, ImageId,
    NewImage, OriginalKey, Timestamp,
};

use crate::{Catalog, CatalogError};

/// One write, to be given to both engines.
#[derive(Clone, Debug)]
pub(super) enum Write {
    CreateAccount(Account),
    ChangeSettings(AccountId, AccountSettingsChange),
    PutApiToken(ApiToken),
    DeleteApiToken([u8; 32]),
    Insert(AccountId, NewImage),
    InsertDraft(AccountId, Draft),
    /// Id, file name and original are those of the image.
    CompleteDraft(AccountId, NewImage),
    Edit(AccountId, ImageId, Edit),
    Delete(AccountId, ImageId),
    RemoveExpired {
        drafts_before: Timestamp,
        tokens_before: Timestamp,
    },
    ForgetGarbage(Vec<OriginalKey>),
}

/// What a write is answered.
#[derive(PartialEq, Debug)]
pub(super) enum Answer {
    Done,
    Entry(Option<Box<Entry>>),
    Settings(Arc<AccountSettings>),
    WasThere(bool),
    Removed(usize),
}

/// More than a history has: which ones go first is up to the engine.
const EXPIRED_MAX: usize = 10_000;

impl Write {
    pub(super) async fn run(&self, catalog: &dyn Catalog) -> Result<Answer, CatalogError> {
        let entry = |entry: Option<Entry>| Answer::Entry(entry.map(Box::new));
        let image = |image| entry(Some(Entry::Image(image)));
        let done = |()| Answer::Done;
        match self.clone() {
            Write::CreateAccount(account) => catalog.create_account(account).await.map(done),
            Write::ChangeSettings(account, change) => {
                catalog.change_account_settings(&account, change).await.map(Answer::Settings)
            }
            Write::PutApiToken(token) => catalog.put_api_token(token).await.map(done),
            Write::DeleteApiToken(hash) => catalog.delete_api_token(&hash).await.map(Answer::WasThere),
            Write::Insert(account, new) => catalog.insert(&account, new).await.map(image),
            Write::InsertDraft(account, draft) => catalog.insert_draft(&account, draft).await.map(done),
            Write::CompleteDraft(account, NewImage { id, filename, original, .. }) => {
                catalog.complete_draft(&account, &id, filename, original).await.map(image)
            }
            Write::Edit(account, id, edit) => catalog.edit(&account, &id, edit).await.map(entry),
            Write::Delete(account, id) => catalog.delete(&account, &id).await.map(entry),
            Write::RemoveExpired { drafts_before, tokens_before } => {
                catalog.remove_expired(drafts_before, tokens_before, EXPIRED_MAX).await.map(Answer::Removed)
            }
            Write::ForgetGarbage(keys) => catalog.forget_garbage(keys).await.map(done),
        }
    }
}
