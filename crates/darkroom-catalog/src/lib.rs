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

use async_trait::async_trait;
use darkroom_model::{
    Account, AccountHash, AccountId, ApiToken, Edit, Image, ImageId, NewImage, OriginalKey, Secrets,
};

pub use error::CatalogError;

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

    /// Adds a token, or replaces the one with the same secret.
    async fn put_api_token(&self, token: ApiToken) -> Result<(), CatalogError>;

    /// Returns the token whose secret has this keyed hash.
    async fn api_token(&self, secret_hash: &[u8; 32]) -> Result<Option<ApiToken>, CatalogError>;

    /// Adds an image as the newest of its account; [`CatalogError::Exists`] if the id is taken. Of any number of
    /// simultaneous inserts of one id, one succeeds.
    async fn insert(&self, account: &AccountId, image: NewImage) -> Result<Image, CatalogError>;

    /// Returns the image with this id.
    async fn image(&self, account: &AccountId, id: &ImageId) -> Result<Option<Image>, CatalogError>;

    /// Changes an image and returns what it became; `None` if there is none.
    async fn edit(
        &self,
        account: &AccountId,
        id: &ImageId,
        edit: Edit,
    ) -> Result<Option<Image>, CatalogError>;

    /// Removes an image and returns what it was; `None` if there was none. The key of its original is noted as
    /// garbage by the same commit.
    async fn delete(&self, account: &AccountId, id: &ImageId) -> Result<Option<Image>, CatalogError>;

    /// Returns one page of a listing.
    async fn page(&self, account: &AccountId, query: PageQuery) -> Result<Page, CatalogError>;

    /// Says whether a row refers to this original.
    async fn knows_original(&self, key: &OriginalKey) -> Result<bool, CatalogError>;

    /// Returns at most `max` originals that no row refers to any more, and that are still to be removed.
    async fn garbage(&self, max: usize) -> Result<Vec<OriginalKey>, CatalogError>;

    /// Forgets originals that have been removed.
    async fn forget_garbage(&self, keys: Vec<OriginalKey>) -> Result<(), CatalogError>;

    /// Returns the named counters and gauges of this engine, for the metrics.
    fn metrics(&self) -> Vec<(&'static str, u64)>;

    /// Finishes what was accepted and stops; later calls fail with [`CatalogError::Unavailable`].
    async fn close(&self);
}
