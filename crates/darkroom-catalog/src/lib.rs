//! Which images exist, and which of them match.
//!
//! [`Catalog`] is the whole interface: it speaks of accounts, images and pages, and hides transactions. Two engines
//! stand behind it. [`MemoryCatalog`] applies [`darkroom_model::Filters::matches`] to every image in turn: it is the
//! meaning. [`LmdbCatalog`] answers the same from postings, in a time that depends on the page: it is what serves.
//! `suite` holds the functions that every engine must pass.
//!
//! What every engine promises:
//!
//! - An answer to a write is given after the write stands; the next request sees it.
//! - A page shows one state of its account: nothing twice, nothing left out.
//! - Within an account, sequence order = commit order = order of `uploaded`.

mod error;
mod lmdb;
mod memory;
mod page;
mod posting;
mod record;
pub mod suite;

use std::sync::Arc;

use async_trait::async_trait;
use darkroom_model::{
    Account, AccountHash, AccountId, AccountSettings, AccountSettingsChange, ApiToken, Draft, Edit, Entry,
    Filters, Image, ImageId, NewImage, Original, OriginalKey, Secrets, Timestamp,
};

pub use error::CatalogError;

pub use lmdb::{LmdbCatalog, LmdbOptions, OpenError};
pub use memory::MemoryCatalog;
pub use page::{Page, PageQuery, PageWork};

/// The catalog: which images exist and which match.
///
/// Every method that names an account fails with [`CatalogError::UnknownAccount`] if there is none.
#[async_trait]
pub trait Catalog: Send + Sync + 'static {
    /// Returns the keys that this catalog was made with.
    fn secrets(&self) -> &Secrets;

    /// Adds an account; [`CatalogError::Exists`] if its id or its hash is taken.
    async fn create_account(&self, account: Account) -> Result<(), CatalogError>;

    /// Returns every account, by id.
    async fn accounts(&self) -> Result<Vec<Account>, CatalogError>;

    /// Returns the account with this id.
    async fn account(&self, id: &AccountId) -> Result<Option<Account>, CatalogError>;

    /// Returns the account with this hash.
    async fn account_by_hash(&self, hash: &AccountHash) -> Result<Option<Account>, CatalogError>;

    /// Returns what an account decides about itself.
    async fn account_settings(&self, account: &AccountId) -> Result<Arc<AccountSettings>, CatalogError>;

    /// Changes what an account decides about itself, and returns what it is now; [`CatalogError::Settings`] if it
    /// cannot be changed in this way. Of simultaneous changes each sees the ones before it.
    async fn change_account_settings(
        &self,
        account: &AccountId,
        change: AccountSettingsChange,
    ) -> Result<Arc<AccountSettings>, CatalogError>;

    /// Adds a token, or replaces the one with the same secret.
    async fn put_api_token(&self, token: ApiToken) -> Result<(), CatalogError>;

    /// Returns every token, in no order.
    async fn api_tokens(&self) -> Result<Vec<ApiToken>, CatalogError>;

    /// Removes a token; says whether there was one.
    async fn delete_api_token(&self, secret_hash: &[u8; 32]) -> Result<bool, CatalogError>;

    /// Returns the token whose secret has this keyed hash.
    async fn api_token(&self, secret_hash: &[u8; 32]) -> Result<Option<ApiToken>, CatalogError>;

    /// Adds an image as the newest of its account; [`CatalogError::Exists`] if the id is taken, by an image or by a
    /// draft that is open. Of any number of simultaneous inserts of one id, one succeeds.
    async fn insert(&self, account: &AccountId, image: NewImage) -> Result<Image, CatalogError>;

    /// Reserves an id; [`CatalogError::Exists`] if it is taken.
    async fn insert_draft(&self, account: &AccountId, draft: Draft) -> Result<(), CatalogError>;

    /// Returns the draft with this id, also for some time after it has expired.
    async fn draft(&self, account: &AccountId, id: &ImageId) -> Result<Option<Draft>, CatalogError>;

    /// Makes a draft an image, as the newest of its account. [`CatalogError::Exists`] if it is an image already,
    /// [`CatalogError::Expired`] if it came too late, [`CatalogError::NotFound`] if there is none. Of any number of
    /// simultaneous completions, one succeeds.
    async fn complete_draft(
        &self,
        account: &AccountId,
        id: &ImageId,
        filename: Option<String>,
        original: Original,
    ) -> Result<Image, CatalogError>;

    /// Removes at most `max` drafts and tokens that expired before these moments, and returns how many it were.
    async fn remove_expired(
        &self,
        drafts_before: Timestamp,
        tokens_before: Timestamp,
        max: usize,
    ) -> Result<usize, CatalogError>;

    /// Returns the image or open draft with this id.
    async fn entry(&self, account: &AccountId, id: &ImageId) -> Result<Option<Entry>, CatalogError>;

    /// Returns the image with this id.
    async fn image(&self, account: &AccountId, id: &ImageId) -> Result<Option<Image>, CatalogError>;

    /// Changes an image or open draft and returns what it became; `None` if there is none.
    async fn edit(
        &self,
        account: &AccountId,
        id: &ImageId,
        edit: Edit,
    ) -> Result<Option<Entry>, CatalogError>;

    /// Removes an image or open draft and returns what it was; `None` if there was none. The key of an image's
    /// original is noted as garbage by the same commit.
    async fn delete(&self, account: &AccountId, id: &ImageId) -> Result<Option<Entry>, CatalogError>;

    /// Returns one page of a listing.
    async fn page(&self, account: &AccountId, query: PageQuery) -> Result<Page, CatalogError>;

    /// Returns how many images pass.
    async fn count(&self, account: &AccountId, filters: Filters) -> Result<u64, CatalogError>;

    /// Returns the page that begins after `offset` matches, and how many matches there are, both of one state. The
    /// query's cursor is not looked at. What it takes grows with the images that it goes over, by one 65,536th of a
    /// container each: for the calls that ask for numbered pages.
    async fn numbered_page(
        &self,
        account: &AccountId,
        query: PageQuery,
        offset: u64,
    ) -> Result<(Page, u64), CatalogError>;

    /// Says whether a row refers to this original.
    async fn knows_original(&self, key: &OriginalKey) -> Result<bool, CatalogError>;

    /// Returns at most `max` originals that no row refers to any more, and that are still to be removed.
    async fn garbage(&self, max: usize) -> Result<Vec<OriginalKey>, CatalogError>;

    /// Forgets originals that have been removed.
    async fn forget_garbage(&self, keys: Vec<OriginalKey>) -> Result<(), CatalogError>;

    /// Returns the named counters (their names end in `_total`) and gauges of this engine, for the metrics.
    fn metrics(&self) -> Vec<(&'static str, u64)>;

    /// Says whether requests can be answered now: not before the catalog is open, nor while it is opened anew after a
    /// failed commit, nor after it was closed.
    fn is_ready(&self) -> bool;

    /// Finishes what was accepted and stops; later calls fail with [`CatalogError::Unavailable`].
    async fn close(&self);
}
