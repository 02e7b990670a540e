//! The catalog on LMDB: records are the truth, postings are derived from them.
//!
//! - [`store`]: the environment and its tables, in its [`data_file`]; [`keys`] and [`rows`]: what lies in them.
//! - [`shared`]: the accounts and their overlays.
//! - [`writer`]: the one task that changes anything, in groups; [`build`]: segments, on a thread of its own.
//! - [`page`]: reading a page; [`warm`]: when its records are not in memory.

mod build;
mod data_file;
mod format_versions;
mod keys;
mod page;
mod recent;
mod rows;
mod settings_row;
mod shared;
mod store;
#[cfg(test)]
mod tests;
mod warm;
mod writer;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use async_trait::async_trait;
use darkroom_model::{
    Account, AccountHash, AccountId, AccountSettings, AccountSettingsChange, ApiToken, Clock, Draft, Edit,
    Entry, Filters, Ids, Image, ImageId, NewImage, Original, OriginalKey, Secrets, Timestamp,
};
use tokio::sync::{Semaphore, mpsc, oneshot};

pub use store::OpenError;

use crate::posting::block::BlockSize;
use crate::record::Record;
use crate::{Catalog, CatalogError, Page, PageQuery};
use keys::AccountNumber;
use shared::{AccountEntry, Shared, damaged};
use store::{Opened, READERS_MAX, Store, failed, get};
use writer::{Found, Mutation, Operation, Outcome, Writer};

/// The thresholds of the catalog. Their defaults are measured; tests make them tiny.
#[derive(Clone, Debug)]
pub struct LmdbOptions {
    /// Bytes of address space that the file may grow to. Default 1 TiB; nothing is taken until it is written.
    pub map_bytes: usize,
    /// By how many bytes the file grows ahead; `None` is 64 MiB. They take no room until they are written to.
    pub(crate) growth_bytes: Option<u64>,
    /// Images in a tail at which it is sealed. Default 4,096.
    pub seal_images: usize,
    /// Bytes in a tail at which it is sealed. Default 16 MiB.
    pub seal_bytes: usize,
    /// Neighbouring segments that become one. Default 16.
    pub merge_fan_in: usize,
    /// A segment is rewritten when one in so many of its numbers is masked. Default 16.
    pub rewrite_fraction: usize,
    /// Mutations in one commit. Default 256.
    pub group_max: usize,
    /// Mutations that may wait. Default 1,024.
    pub queue_max: usize,
    /// Bytes of segment rows in one commit. Default 1 MiB.
    pub step_bytes: usize,
    /// How long a transaction that reads the records of a segment may last before the reading starts anew at the next
    /// key: it pins the pages that later commits free. Default 500 ms.
    pub build_transaction_max: Duration,
    /// Overlays in memory at the same time, of which the idle ones are dropped first. Default 16,384: their bytes are what is limited.
    pub overlays_max: usize,
    /// Bytes of all overlays in memory together. Default 512 MiB.
    pub overlays_bytes_max: usize,
    /// When a block is full and when a container is large.
    pub(crate) block_size: BlockSize,
    /// Bits of a term's hash that count.
    #[cfg(test)]
    pub(crate) term_bits: u32,
    /// How long the builder rests between two transactions, so that commits come between them.
    #[cfg(test)]
    pub(crate) build_pause: Duration,
    /// How long the writer rests between a commit and the overlay that shows it, so that readers come between them.
    #[cfg(test)]
    pub(crate) overlay_pause: Duration,
    /// The number of the first image of an account.
    #[cfg(test)]
    pub(crate) first_sequence: darkroom_model::Sequence,
    /// How many of the next commits fail.
    #[cfg(test)]
    pub(crate) commits_to_fail: Arc<std::sync::atomic::AtomicUsize>,
    /// Which of the next commits, counted from 1, stands although it is told as a failure; 0 is none.
    #[cfg(test)]
    pub(crate) commit_to_doubt: Arc<std::sync::atomic::AtomicUsize>,
}

impl Default for LmdbOptions {
    fn default() -> LmdbOptions {
        LmdbOptions {
            map_bytes: 1 << 40,
            growth_bytes: None,
            seal_images: 4096,
            seal_bytes: 16 << 20,
            merge_fan_in: 16,
            rewrite_fraction: 16,
            group_max: 256,
            queue_max: 1024,
            step_bytes: 1 << 20,
            build_transaction_max: Duration::from_millis(500),
            overlays_max: 16_384,
            overlays_bytes_max: 512 << 20,
            block_size: BlockSize::default(),
            #[cfg(test)]
            term_bits: 128,
            #[cfg(test)]
            build_pause: Duration::ZERO,
            #[cfg(test)]
            overlay_pause: Duration::ZERO,
            #[cfg(test)]
            first_sequence: darkroom_model::Sequence::FIRST,
            #[cfg(test)]
            commits_to_fail: Arc::default(),
            #[cfg(test)]
            commit_to_doubt: Arc::default(),
        }
    }
}

impl LmdbOptions {
    /// Thresholds so small that a handful of images is sealed, rewritten and merged; for tests.
    pub fn tiny() -> LmdbOptions {
        LmdbOptions {
            map_bytes: 1 << 30,
            growth_bytes: Some(1 << 20),
            seal_images: 5,
            merge_fan_in: 3,
            rewrite_fraction: 4,
            group_max: 4,
            step_bytes: 400,
            build_transaction_max: Duration::ZERO,
            overlays_max: 2,
            block_size: BlockSize { bytes: 160, large_places: 3 },
            ..LmdbOptions::default()
        }
    }
}

/// How long a mutation waits for a place in the queue.
const QUEUE_WAIT: Duration = Duration::from_secs(10);
/// Read transactions at the same time; further readers wait.
const READS_MAX: usize = READERS_MAX as usize / 2;
/// Steps of a segment that may wait for the writer.
const STEPS_MAX: usize = 2;

/// The catalog on LMDB.
pub struct LmdbCatalog {
    shared: Arc<Shared>,
    mutations: mpsc::Sender<Mutation>,
    reads: Arc<Semaphore>,
    closed: AtomicBool,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl LmdbCatalog {
    /// Opens the catalog in a folder, or makes it. The folder must be under the lock of this process. Blocks.
    pub fn open(
        path: &Path,
        clock: Arc<dyn Clock>,
        ids: &dyn Ids,
        options: LmdbOptions,
    ) -> Result<LmdbCatalog, OpenError> {
        let (store, secrets) = Store::open(path, &options, ids)?;
        let (queue_max, shared) = (options.queue_max, Arc::new(Shared::new(store, secrets, clock, options)));
        let damaged = |_| OpenError::Damaged(path.to_owned(), "its accounts or manifests are unreadable");
        let (next_segment, obsolete) = read_accounts(&shared).map_err(damaged)?;
        let (mutations, mutations_receiver) = mpsc::channel(queue_max);
        let (built, built_receiver) = mpsc::channel(STEPS_MAX);
        let (jobs, jobs_receiver) = std::sync::mpsc::channel();
        let writer = Writer::new(
            Arc::clone(&shared),
            mutations_receiver,
            built_receiver,
            jobs,
            next_segment,
            obsolete,
        );
        let io = |error| OpenError::Io(path.to_owned(), error);
        // With time: the writer waits between attempts to open the environment anew.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(io)?;
        let spawn = |name: &str, run: Box<dyn FnOnce() + Send>| {
            std::thread::Builder::new().name(name.to_owned()).spawn(run).map_err(io)
        };
        let builder_shared = Arc::clone(&shared);
        let threads = vec![
            spawn("catalog-writer", Box::new(move || runtime.block_on(writer.run())))?,
            spawn("catalog-builder", Box::new(move || build::run(&builder_shared, &jobs_receiver, &built)))?,
        ];
        let reads = Arc::new(Semaphore::new(READS_MAX));
        Ok(LmdbCatalog {
            shared,
            mutations,
            reads,
            closed: AtomicBool::new(false),
            threads: Mutex::new(threads),
        })
    }

    fn entry_of(&self, account: &AccountId) -> Result<Arc<AccountEntry>, CatalogError> {
        self.check_open()?;
        self.shared.entry(account).ok_or(CatalogError::UnknownAccount)
    }

    fn check_open(&self) -> Result<(), CatalogError> {
        if self.closed.load(Ordering::Acquire) { Err(CatalogError::Unavailable) } else { Ok(()) }
    }

    /// Reads on a thread that may wait for the disk.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Shared) -> Result<T, CatalogError> + Send + 'static,
    ) -> Result<T, CatalogError> {
        self.check_open()?;
        let reads = Arc::clone(&self.reads);
        let permit = reads.acquire_owned().await.map_err(|_| CatalogError::Unavailable)?;
        let shared = Arc::clone(&self.shared);
        let task = tokio::task::spawn_blocking(move || {
            let result = read(&shared);
            drop(permit);
            result
        });
        task.await.map_err(CatalogError::failed)?
    }

    async fn mutate(&self, operation: Operation) -> Result<Outcome, CatalogError> {
        self.check_open()?;
        let (reply, answer) = oneshot::channel();
        let queued = self.mutations.send_timeout(Mutation { operation, reply }, QUEUE_WAIT).await;
        queued.map_err(|_| CatalogError::Unavailable)?;
        // A writer that ended without an answer may have ended before or after the commit.
        let lost = |error| CatalogError::OutcomeUnknown(Arc::new(error));
        answer.await.map_err(lost)?
    }

    async fn mutate_entry(&self, operation: Operation) -> Result<Option<Entry>, CatalogError> {
        match self.mutate(operation).await? {
            Outcome::Entry(entry) => Ok(entry.map(|entry| *entry)),
            Outcome::Done | Outcome::Settings(_) | Outcome::Count(_) => Ok(None),
        }
    }

    async fn mutate_image(&self, operation: Operation) -> Result<Image, CatalogError> {
        match self.mutate_entry(operation).await? {
            Some(Entry::Image(image)) => Ok(image),
            Some(Entry::Draft(_)) | None => Err(damaged("answer of the writer")),
        }
    }

    async fn mutate_some(&self, operation: Operation) -> Result<usize, CatalogError> {
        match self.mutate(operation).await? {
            Outcome::Count(count) => Ok(count),
            Outcome::Done | Outcome::Settings(_) | Outcome::Entry(_) => Ok(0),
        }
    }
}

/// Puts every account into the directory; returns the next free number of a segment, and the segments that have rows
/// although no manifest names them.
fn read_accounts(shared: &Shared) -> Result<(u64, VecDeque<(AccountNumber, u64)>), CatalogError> {
    let opened = shared.store.opened()?;
    let txn = opened.env.read_txn().map_err(failed)?;
    let mut named = BTreeSet::new();
    for row in opened.tables.accounts.iter(&txn).map_err(failed)? {
        let (number, account) = rows::account_of(row.map_err(failed)?).ok_or_else(|| damaged("account"))?;
        let settings = writer::read_settings(shared, &opened, &txn, number, &account)?;
        shared.add_account(number, account, settings);
        let manifest = shared.manifest(&opened, &txn, number)?;
        named.extend(manifest.segments.iter().map(|segment| (number, segment.number)));
    }
    let mut obsolete = VecDeque::new();
    let mut next_segment = named.iter().map(|(_, number)| number + 1).max().unwrap_or(0);
    let mut start = keys::segment(0, 0).to_vec();
    while let Some((key, _)) =
        opened.tables.segments.get_greater_than_or_equal_to(&txn, start.as_slice()).map_err(failed)?
    {
        let (account, number) = keys::segment_of(key).ok_or_else(|| damaged("segment key"))?;
        next_segment = next_segment.max(number + 1);
        if !named.contains(&(account, number)) {
            obsolete.push_back((account, number));
        }
        start = keys::segment(account, number + 1).to_vec();
    }
    Ok((next_segment, obsolete))
}

fn find_api_token(opened: &Opened, secret_hash: [u8; 32]) -> Result<Option<ApiToken>, CatalogError> {
    let txn = opened.env.read_txn().map_err(failed)?;
    let Some(row) = get(opened.tables.api_tokens, &txn, &secret_hash)? else { return Ok(None) };
    rows::read_api_token(secret_hash, row).map(Some).ok_or_else(|| damaged("token"))
}

#[async_trait]
impl Catalog for LmdbCatalog {
    fn secrets(&self) -> &Secrets {
        &self.shared.secrets
    }

    async fn create_account(&self, account: Account) -> Result<(), CatalogError> {
        self.mutate(Operation::CreateAccount(account)).await.map(drop)
    }

    async fn accounts(&self) -> Result<Vec<Account>, CatalogError> {
        self.check_open()?;
        Ok(self.shared.entries().iter().map(|entry| entry.account.clone()).collect())
    }

    async fn account(&self, id: &AccountId) -> Result<Option<Account>, CatalogError> {
        self.check_open()?;
        Ok(self.shared.entry(id).map(|entry| entry.account.clone()))
    }

    async fn account_by_hash(&self, hash: &AccountHash) -> Result<Option<Account>, CatalogError> {
        self.check_open()?;
        Ok(self.shared.entry_by_hash(hash).map(|entry| entry.account.clone()))
    }

    async fn account_settings(&self, account: &AccountId) -> Result<Arc<AccountSettings>, CatalogError> {
        Ok(self.entry_of(account)?.settings())
    }

    async fn change_account_settings(
        &self,
        account: &AccountId,
        change: AccountSettingsChange,
    ) -> Result<Arc<AccountSettings>, CatalogError> {
        let entry = self.entry_of(account)?;
        match self.mutate(Operation::ChangeSettings(Arc::clone(&entry), change)).await? {
            Outcome::Settings(settings) => Ok(settings),
            Outcome::Done | Outcome::Entry(_) | Outcome::Count(_) => Ok(entry.settings()),
        }
    }

    async fn put_api_token(&self, token: ApiToken) -> Result<(), CatalogError> {
        self.mutate(Operation::PutApiToken(token)).await.map(drop)
    }

    async fn api_tokens(&self) -> Result<Vec<ApiToken>, CatalogError> {
        self.read(|shared| {
            let opened = shared.store.opened()?;
            let txn = opened.env.read_txn().map_err(failed)?;
            let mut tokens = Vec::new();
            for row in opened.tables.api_tokens.iter(&txn).map_err(failed)? {
                let (key, bytes) = row.map_err(failed)?;
                let secret_hash = key.try_into().map_err(|_| damaged("token"))?;
                tokens.push(rows::read_api_token(secret_hash, bytes).ok_or_else(|| damaged("token"))?);
            }
            Ok(tokens)
        })
        .await
    }

    async fn delete_api_token(&self, secret_hash: &[u8; 32]) -> Result<bool, CatalogError> {
        Ok(self.mutate_some(Operation::DeleteApiToken(*secret_hash)).await? > 0)
    }

    async fn api_token(&self, secret_hash: &[u8; 32]) -> Result<Option<ApiToken>, CatalogError> {
        let secret_hash = *secret_hash;
        self.read(move |shared| find_api_token(&*shared.store.opened()?, secret_hash)).await
    }

    async fn insert(&self, account: &AccountId, image: NewImage) -> Result<Image, CatalogError> {
        let entry = self.entry_of(account)?;
        self.mutate_image(Operation::Insert(entry, Box::new(image))).await
    }

    async fn insert_draft(&self, account: &AccountId, draft: Draft) -> Result<(), CatalogError> {
        let entry = self.entry_of(account)?;
        self.mutate(Operation::InsertDraft(entry, Box::new(draft))).await.map(drop)
    }

    async fn draft(&self, account: &AccountId, id: &ImageId) -> Result<Option<Draft>, CatalogError> {
        let (entry, id) = (self.entry_of(account)?, id.clone());
        self.read(move |shared| {
            let opened = shared.store.opened()?;
            let txn = opened.env.read_txn().map_err(failed)?;
            match writer::find(shared, &opened, &txn, &entry, &id)? {
                Some(Found::Draft(draft)) => Ok(Some(draft)),
                Some(Found::Image(..)) | None => Ok(None),
            }
        })
        .await
    }

    async fn complete_draft(
        &self,
        account: &AccountId,
        id: &ImageId,
        filename: Option<String>,
        original: Original,
    ) -> Result<Image, CatalogError> {
        let entry = self.entry_of(account)?;
        self.mutate_image(Operation::CompleteDraft(entry, id.clone(), filename, Box::new(original))).await
    }

    async fn remove_expired(
        &self,
        drafts_before: Timestamp,
        tokens_before: Timestamp,
        max: usize,
    ) -> Result<usize, CatalogError> {
        self.mutate_some(Operation::RemoveExpired { drafts_before, tokens_before, max }).await
    }

    async fn entry(&self, account: &AccountId, id: &ImageId) -> Result<Option<Entry>, CatalogError> {
        let (entry, id) = (self.entry_of(account)?, id.clone());
        self.read(move |shared| {
            let opened = shared.store.opened()?;
            let txn = opened.env.read_txn().map_err(failed)?;
            let found = writer::find_open(shared, &opened, &txn, &entry, &id)?;
            Ok(found.map(|found| match found {
                Found::Image(_, image) => Entry::Image(image),
                Found::Draft(draft) => Entry::Draft(draft),
            }))
        })
        .await
    }

    async fn image(&self, account: &AccountId, id: &ImageId) -> Result<Option<Image>, CatalogError> {
        let entry = self.entry_of(account)?;
        // None is read from memory while the store is being opened anew.
        let settled = entry.changes.settled().filter(|_| self.shared.store.is_open());
        if let Some(image) = settled.and_then(|changes| self.shared.recent.find(entry.number, id, changes)) {
            return Ok(Some(image));
        }
        let image = match self.entry(account, id).await? {
            Some(Entry::Image(image)) => Some(image),
            Some(Entry::Draft(_)) | None => None,
        };
        if let (Some(changes), Some(image)) = (settled, &image) {
            self.shared.recent.keep(entry.number, changes, image.clone());
        }
        Ok(image)
    }

    async fn edit(
        &self,
        account: &AccountId,
        id: &ImageId,
        edit: Edit,
    ) -> Result<Option<Entry>, CatalogError> {
        let entry = self.entry_of(account)?;
        self.mutate_entry(Operation::Edit(entry, id.clone(), edit)).await
    }

    async fn delete(&self, account: &AccountId, id: &ImageId) -> Result<Option<Entry>, CatalogError> {
        let entry = self.entry_of(account)?;
        self.mutate_entry(Operation::Delete(entry, id.clone())).await
    }

    async fn page(&self, account: &AccountId, query: PageQuery) -> Result<Page, CatalogError> {
        let entry = self.entry_of(account)?;
        self.read(move |shared| page::page(shared, &entry, &query)).await
    }

    async fn count(&self, account: &AccountId, filters: Filters) -> Result<u64, CatalogError> {
        let entry = self.entry_of(account)?;
        self.read(move |shared| page::count(shared, &entry, &filters)).await
    }

    async fn numbered_page(
        &self,
        account: &AccountId,
        query: PageQuery,
        offset: u64,
    ) -> Result<(Page, u64), CatalogError> {
        let entry = self.entry_of(account)?;
        self.read(move |shared| page::numbered_page(shared, &entry, &query, offset)).await
    }

    async fn knows_original(&self, key: &OriginalKey) -> Result<bool, CatalogError> {
        self.check_open()?;
        let Some(entry) = self.shared.entry(&key.account) else { return Ok(false) };
        let key = key.clone();
        self.read(move |shared| {
            let opened = shared.store.opened()?;
            let txn = opened.env.read_txn().map_err(failed)?;
            let id_key = keys::id(entry.number, &key.id_hash);
            let Some(row) = get(opened.tables.ids, &txn, &id_key)? else { return Ok(false) };
            let row = rows::IdRow::from_bytes(row).ok_or_else(|| damaged("id"))?;
            let rows::IdRow::Image(sequence) = row else { return Ok(false) };
            let record = get(opened.tables.records, &txn, &keys::sequence(entry.number, sequence.0))?;
            let record = Record::read(record.ok_or_else(|| damaged("id without a record"))?);
            Ok(record.map_err(CatalogError::failed)?.original_key(&key.account) == key)
        })
        .await
    }

    async fn garbage(&self, max: usize) -> Result<Vec<OriginalKey>, CatalogError> {
        self.read(move |shared| {
            let opened = shared.store.opened()?;
            let txn = opened.env.read_txn().map_err(failed)?;
            let accounts: HashMap<AccountNumber, AccountId> =
                shared.entries().iter().map(|entry| (entry.number, entry.account.id.clone())).collect();
            let mut garbage = Vec::new();
            for row in opened.tables.garbage.iter(&txn).map_err(failed)?.take(max) {
                let (key, _) = row.map_err(failed)?;
                let (number, id_hash, random) =
                    keys::garbage_of(key).ok_or_else(|| damaged("garbage note"))?;
                let account = accounts.get(&number).ok_or_else(|| damaged("garbage note"))?.clone();
                garbage.push(OriginalKey { account, id_hash, random });
            }
            Ok(garbage)
        })
        .await
    }

    async fn forget_garbage(&self, originals: Vec<OriginalKey>) -> Result<(), CatalogError> {
        let number = |key: &OriginalKey| self.shared.entry(&key.account).map(|entry| entry.number);
        let notes = originals.into_iter().filter_map(|key| Some((number(&key)?, key))).collect();
        self.mutate(Operation::ForgetGarbage(notes)).await.map(drop)
    }

    fn metrics(&self) -> Vec<(&'static str, u64)> {
        let counters = &self.shared.counters;
        let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        vec![
            ("accounts", self.shared.accounts() as u64),
            ("commits_total", count(&counters.commits)),
            ("commit_microseconds_total", count(&counters.commit_microseconds)),
            ("mutations_total", count(&counters.mutations)),
            ("failed_commits_total", count(&counters.failed_commits)),
            ("seals_total", count(&counters.seals)),
            ("merges_total", count(&counters.merges)),
            ("rewrites_total", count(&counters.rewrites)),
            ("segment_bytes_written_total", count(&counters.segment_bytes)),
            ("overlay_loads_total", count(&counters.overlay_loads)),
            ("overlays", self.shared.overlays_loaded() as u64),
            ("overlay_bytes", self.shared.overlay_bytes() as u64),
            ("queue_depth", (self.mutations.max_capacity() - self.mutations.capacity()) as u64),
            ("background_segments", self.shared.background.load(Ordering::SeqCst) as u64),
            ("disk_bytes", self.shared.store.disk_bytes()),
            ("pages_total", count(&counters.pages)),
            ("page_transactions_total", count(&counters.page_transactions)),
            ("records_read_total", count(&counters.records_read)),
            ("hash_mismatches_total", count(&counters.hash_mismatches)),
            ("blocks_read_total", count(&counters.blocks_read)),
            ("containers_read_total", count(&counters.containers_read)),
            ("columns_read_total", count(&counters.columns_read)),
            ("chunks_visited_total", count(&counters.chunks_visited)),
            ("segments_visited_total", count(&counters.segments_visited)),
        ]
    }

    fn is_ready(&self) -> bool {
        !self.closed.load(Ordering::Acquire) && !self.mutations.is_closed() && self.shared.store.is_open()
    }

    async fn close(&self) {
        if self.closed.swap(true, Ordering::AcqRel) {
            return;
        }
        let (reply, answer) = oneshot::channel();
        if self.mutations.send(Mutation { operation: Operation::Close, reply }).await.is_ok() {
            // A writer that is gone has nothing left to finish.
            let _ = answer.await;
        }
        let threads =
            std::mem::take(&mut *self.threads.lock().unwrap_or_else(|poisoned| poisoned.into_inner()));
        let shared = Arc::clone(&self.shared);
        let closing = tokio::task::spawn_blocking(move || {
            // A thread that panicked has nothing left to finish either.
            threads.into_iter().for_each(|thread| drop(thread.join()));
            shared.store.close();
        });
        let _ = closing.await;
    }
}
