//! The oracle under watch: which calls the histories made.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use darkroom_model::{
    Account, AccountHash, AccountId, AccountSettings, AccountSettingsChange, ApiToken, Draft, Edit, Entry,
    Filters, Image, ImageId, NewImage, Original, OriginalKey, Secrets, Timestamp,
};

use crate::{Catalog, CatalogError, MemoryCatalog, Page, PageQuery};

/// The calls of [`Catalog`] that histories made; each is asked of both engines, and the answers are compared.
#[derive(Debug, Default)]
pub struct Calls(BTreeSet<&'static str>);

impl Calls {
    /// Adds those of another history.
    pub fn extend(&mut self, other: Calls) {
        self.0.extend(other.0);
    }

    /// Returns the calls that no history made. There are none in a few dozen histories, unless a call was added to the
    /// trait and forgotten here.
    pub fn missing(&self) -> Vec<&'static str> {
        CALLS.iter().copied().filter(|call| !self.0.contains(call)).collect()
    }
}

/// The memory engine, with a note of every call that is answered.
pub(super) struct Watched {
    /// For looks that are no question to both engines.
    pub(super) inner: MemoryCatalog,
    called: Mutex<BTreeSet<&'static str>>,
}

impl Watched {
    pub(super) fn new(inner: MemoryCatalog) -> Watched {
        Watched { inner, called: Mutex::default() }
    }

    pub(super) fn into_calls(self) -> Calls {
        Calls(self.called.into_inner().expect("nobody panics while noting a call"))
    }

    fn note(&self, call: &'static str) {
        self.called.lock().expect("nobody panics while noting a call").insert(call);
    }
}

/// Writes each call as a note and the inner call, and lists them all: one that is not here does not compile.
macro_rules! watch {
    ($(async fn $call:ident($($name:ident: $kind:ty),*) -> $answer:ty;)*) => {
        const CALLS: &[&str] = &[$(stringify!($call)),*];

        #[async_trait]
        impl Catalog for Watched {
            $(
                async fn $call(&self, $($name: $kind),*) -> Result<$answer, CatalogError> {
                    self.note(stringify!($call));
                    self.inner.$call($($name),*).await
                }
            )*

            fn secrets(&self) -> &Secrets {
                self.inner.secrets()
            }

            fn metrics(&self) -> Vec<(&'static str, u64)> {
                self.inner.metrics()
            }

            fn is_ready(&self) -> bool {
                self.inner.is_ready()
            }

            async fn close(&self) {
                self.inner.close().await;
            }
        }
    };
}

watch! {
    async fn create_account(account: Account) -> ();
    async fn accounts() -> Vec<Account>;
    async fn account(id: &AccountId) -> Option<Account>;
    async fn account_by_hash(hash: &AccountHash) -> Option<Account>;
    async fn account_settings(account: &AccountId) -> Arc<AccountSettings>;
    async fn change_account_settings(account: &AccountId, change: AccountSettingsChange) -> Arc<AccountSettings>;
    async fn put_api_token(token: ApiToken) -> ();
    async fn api_tokens() -> Vec<ApiToken>;
    async fn delete_api_token(secret_hash: &[u8; 32]) -> bool;
    async fn api_token(secret_hash: &[u8; 32]) -> Option<ApiToken>;
    async fn insert(account: &AccountId, image: NewImage) -> Image;
    async fn insert_draft(account: &AccountId, draft: Draft) -> ();
    async fn draft(account: &AccountId, id: &ImageId) -> Option<Draft>;
    async fn complete_draft(
        account: &AccountId, id: &ImageId, filename: Option<String>, original: Original
    ) -> Image;
    async fn remove_expired(drafts_before: Timestamp, tokens_before: Timestamp, max: usize) -> usize;
    async fn entry(account: &AccountId, id: &ImageId) -> Option<Entry>;
    async fn image(account: &AccountId, id: &ImageId) -> Option<Image>;
    async fn edit(account: &AccountId, id: &ImageId, edit: Edit) -> Option<Entry>;
    async fn delete(account: &AccountId, id: &ImageId) -> Option<Entry>;
    async fn page(account: &AccountId, query: PageQuery) -> Page;
    async fn count(account: &AccountId, filters: Filters) -> u64;
    async fn numbered_page(account: &AccountId, query: PageQuery, offset: u64) -> (Page, u64);
    async fn knows_original(key: &OriginalKey) -> bool;
    async fn garbage(max: usize) -> Vec<OriginalKey>;
    async fn forget_garbage(keys: Vec<OriginalKey>) -> ();
}
