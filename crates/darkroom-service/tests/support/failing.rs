//! Stores that fail on purpose, wait at a gate, and write down what they were asked.

use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use darkroom_catalog::{Catalog, CatalogError, Page, PageQuery};
use darkroom_model::{
    Account, AccountHash, AccountId, AccountSettings, AccountSettingsChange, ApiToken, Draft, Edit, Entry,
    Filters, Image, ImageId, NewImage, Original, OriginalKey, Secrets, Timestamp,
};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use tokio::sync::Semaphore;

/// A call that can be made to fail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Call {
    Put,
    Get,
    Remove,
    List,
    Insert,
    Edit,
    Delete,
    KnowsOriginal,
    Forget,
}

/// How a call fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// Some failure; nothing is done.
    Broken,
    /// Some failure, after all of it was done.
    BrokenAfterwards,
    /// No room; nothing is done.
    Full,
    /// Not now; nothing is done. Catalog only.
    Unavailable,
    /// Unknown, and nothing was done. Catalog only.
    UnknownAndUndone,
    /// Unknown, and all of it was done. Catalog only.
    UnknownAndDone,
}

/// Which calls fail now, and what was called.
#[derive(Default)]
pub struct Faults {
    failing: Mutex<Vec<(Call, Fault)>>,
    log: Mutex<Vec<Call>>,
    gates: Mutex<Vec<(Call, Arc<Semaphore>)>>,
    chance: Mutex<Option<Chance>>,
}

/// Numbers that follow from a seed.
#[derive(Clone)]
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Chance {
        Chance(seed.wrapping_mul(2).wrapping_add(1))
    }

    /// Returns a number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % end
    }
}

impl Faults {
    /// Lets a call fail until [`Faults::heal`].
    pub fn fail(&self, call: Call, fault: Fault) {
        self.failing.lock().unwrap().push((call, fault));
    }

    pub fn heal(&self) {
        *self.chance.lock().unwrap() = None;
        self.failing.lock().unwrap().clear();
    }

    /// Lets one call in five fail, in some way, until [`Faults::heal`].
    pub fn fail_by_chance(&self, seed: u64) {
        *self.chance.lock().unwrap() = Some(Chance::new(seed));
    }

    /// Holds every call of a kind until the answer gets permits.
    pub fn gate(&self, call: Call) -> Arc<Semaphore> {
        let gate = Arc::new(Semaphore::new(0));
        self.gates.lock().unwrap().push((call, Arc::clone(&gate)));
        gate
    }

    /// Returns what was called since the last time.
    pub fn calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.log.lock().unwrap())
    }

    async fn enter(&self, call: Call) -> Option<Fault> {
        self.log.lock().unwrap().push(call);
        let gate = self.gates.lock().unwrap().iter().find(|(gated, _)| *gated == call).cloned();
        if let Some((_, gate)) = gate {
            gate.acquire().await.unwrap().forget();
        }
        self.fault(call)
    }

    fn fault(&self, call: Call) -> Option<Fault> {
        if let Some(chance) = &mut *self.chance.lock().unwrap() {
            let faults: &[Fault] = match call {
                Call::Put => &[Fault::Broken, Fault::BrokenAfterwards, Fault::Full],
                Call::Get | Call::Remove | Call::List | Call::KnowsOriginal => &[Fault::Broken],
                Call::Insert | Call::Edit | Call::Delete | Call::Forget => &[
                    Fault::Broken,
                    Fault::Full,
                    Fault::Unavailable,
                    Fault::UnknownAndUndone,
                    Fault::UnknownAndDone,
                ],
            };
            return (chance.below(5) == 0).then(|| faults[chance.below(faults.len())]);
        }
        let failing = self.failing.lock().unwrap();
        failing.iter().find(|(failing, _)| *failing == call).map(|(_, fault)| *fault)
    }
}

fn store_error(fault: Fault) -> object_store::Error {
    let kind = match fault {
        Fault::Full => io::ErrorKind::StorageFull,
        _ => io::ErrorKind::Other,
    };
    object_store::Error::Generic { store: "failing", source: Box::new(io::Error::from(kind)) }
}

fn catalog_error(fault: Fault) -> CatalogError {
    let cause = Arc::new(io::Error::other("on purpose"));
    match fault {
        Fault::Full => CatalogError::Full,
        Fault::Unavailable => CatalogError::Unavailable,
        Fault::UnknownAndDone | Fault::UnknownAndUndone => CatalogError::OutcomeUnknown(cause),
        Fault::Broken | Fault::BrokenAfterwards => CatalogError::Failed(cause),
    }
}

/// A store of originals over another one.
pub struct FailingStore {
    pub inner: Arc<dyn ObjectStore>,
    pub faults: Arc<Faults>,
}

impl fmt::Debug for FailingStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FailingStore")
    }
}

impl fmt::Display for FailingStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FailingStore")
    }
}

#[async_trait]
impl ObjectStore for FailingStore {
    async fn put_opts(&self, at: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        match self.faults.enter(Call::Put).await {
            None => self.inner.put_opts(at, payload, options).await,
            Some(fault) => {
                if fault == Fault::BrokenAfterwards {
                    self.inner.put_opts(at, payload, options).await?;
                }
                Err(store_error(fault))
            }
        }
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(at, options).await
    }

    async fn get_opts(&self, at: &Path, options: GetOptions) -> Result<GetResult> {
        match self.faults.enter(Call::Get).await {
            None => self.inner.get_opts(at, options).await,
            Some(fault) => Err(store_error(fault)),
        }
    }

    async fn get_ranges(&self, at: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(at, ranges).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let (inner, faults) = (Arc::clone(&self.inner), Arc::clone(&self.faults));
        paths
            .then(move |path| {
                let (inner, faults) = (Arc::clone(&inner), Arc::clone(&faults));
                async move {
                    if let Some(fault) = faults.enter(Call::Remove).await {
                        return Err(store_error(fault));
                    }
                    let one = futures_util::stream::once(async move { path }).boxed();
                    inner.delete_stream(one).next().await.expect("an answer for each path")
                }
            })
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.faults.fault(Call::List) {
            None => self.inner.list(prefix),
            Some(fault) => futures_util::stream::once(async move { Err(store_error(fault)) }).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

/// A catalog over another one.
pub struct FailingCatalog {
    pub inner: Arc<dyn Catalog>,
    pub faults: Arc<Faults>,
}

impl FailingCatalog {
    /// Does what was asked, or fails, or both.
    async fn call<T>(
        &self,
        call: Call,
        work: impl Future<Output = std::result::Result<T, CatalogError>>,
    ) -> std::result::Result<T, CatalogError> {
        let Some(fault) = self.faults.enter(call).await else { return work.await };
        if matches!(fault, Fault::UnknownAndDone | Fault::BrokenAfterwards) {
            work.await?;
        }
        Err(catalog_error(fault))
    }
}

#[async_trait]
impl Catalog for FailingCatalog {
    fn secrets(&self) -> &Secrets {
        self.inner.secrets()
    }

    async fn create_account(&self, account: Account) -> std::result::Result<(), CatalogError> {
        self.inner.create_account(account).await
    }

    async fn accounts(&self) -> std::result::Result<Vec<Account>, CatalogError> {
        self.inner.accounts().await
    }

    async fn account(&self, id: &AccountId) -> std::result::Result<Option<Account>, CatalogError> {
        self.inner.account(id).await
    }

    async fn account_by_hash(
        &self,
        hash: &AccountHash,
    ) -> std::result::Result<Option<Account>, CatalogError> {
        self.inner.account_by_hash(hash).await
    }

    async fn put_api_token(&self, token: ApiToken) -> std::result::Result<(), CatalogError> {
        self.inner.put_api_token(token).await
    }

    async fn api_token(&self, hash: &[u8; 32]) -> std::result::Result<Option<ApiToken>, CatalogError> {
        self.inner.api_token(hash).await
    }

    async fn insert(&self, account: &AccountId, image: NewImage) -> std::result::Result<Image, CatalogError> {
        self.call(Call::Insert, self.inner.insert(account, image)).await
    }

    async fn account_settings(
        &self,
        account: &AccountId,
    ) -> std::result::Result<Arc<AccountSettings>, CatalogError> {
        self.inner.account_settings(account).await
    }

    async fn change_account_settings(
        &self,
        account: &AccountId,
        change: AccountSettingsChange,
    ) -> std::result::Result<Arc<AccountSettings>, CatalogError> {
        self.inner.change_account_settings(account, change).await
    }

    async fn api_tokens(&self) -> std::result::Result<Vec<ApiToken>, CatalogError> {
        self.inner.api_tokens().await
    }

    async fn delete_api_token(&self, hash: &[u8; 32]) -> std::result::Result<bool, CatalogError> {
        self.inner.delete_api_token(hash).await
    }

    async fn insert_draft(&self, account: &AccountId, draft: Draft) -> std::result::Result<(), CatalogError> {
        self.call(Call::Insert, self.inner.insert_draft(account, draft)).await
    }

    async fn draft(
        &self,
        account: &AccountId,
        id: &ImageId,
    ) -> std::result::Result<Option<Draft>, CatalogError> {
        self.inner.draft(account, id).await
    }

    async fn complete_draft(
        &self,
        account: &AccountId,
        id: &ImageId,
        filename: Option<String>,
        original: Original,
    ) -> std::result::Result<Image, CatalogError> {
        self.call(Call::Insert, self.inner.complete_draft(account, id, filename, original)).await
    }

    async fn remove_expired(
        &self,
        drafts_before: Timestamp,
        tokens_before: Timestamp,
        max: usize,
    ) -> std::result::Result<usize, CatalogError> {
        self.inner.remove_expired(drafts_before, tokens_before, max).await
    }

    async fn entry(
        &self,
        account: &AccountId,
        id: &ImageId,
    ) -> std::result::Result<Option<Entry>, CatalogError> {
        self.inner.entry(account, id).await
    }

    async fn count(&self, account: &AccountId, filters: Filters) -> std::result::Result<u64, CatalogError> {
        self.inner.count(account, filters).await
    }

    async fn numbered_page(
        &self,
        account: &AccountId,
        query: PageQuery,
        offset: u64,
    ) -> std::result::Result<(Page, u64), CatalogError> {
        self.inner.numbered_page(account, query, offset).await
    }

    async fn image(
        &self,
        account: &AccountId,
        id: &ImageId,
    ) -> std::result::Result<Option<Image>, CatalogError> {
        self.inner.image(account, id).await
    }

    async fn edit(
        &self,
        account: &AccountId,
        id: &ImageId,
        edit: Edit,
    ) -> std::result::Result<Option<Entry>, CatalogError> {
        self.call(Call::Edit, self.inner.edit(account, id, edit)).await
    }

    async fn delete(
        &self,
        account: &AccountId,
        id: &ImageId,
    ) -> std::result::Result<Option<Entry>, CatalogError> {
        self.call(Call::Delete, self.inner.delete(account, id)).await
    }

    async fn page(&self, account: &AccountId, query: PageQuery) -> std::result::Result<Page, CatalogError> {
        self.inner.page(account, query).await
    }

    async fn knows_original(&self, key: &OriginalKey) -> std::result::Result<bool, CatalogError> {
        self.call(Call::KnowsOriginal, self.inner.knows_original(key)).await
    }

    async fn garbage(&self, max: usize) -> std::result::Result<Vec<OriginalKey>, CatalogError> {
        self.inner.garbage(max).await
    }

    async fn forget_garbage(&self, keys: Vec<OriginalKey>) -> std::result::Result<(), CatalogError> {
        self.call(Call::Forget, self.inner.forget_garbage(keys)).await
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
