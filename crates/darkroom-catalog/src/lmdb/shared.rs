//! What readers, the writer and the builder of segments share.

use std::collections::HashMap;
use std::ops::{Bound, Range};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, RwLock, RwLockReadGuard};

use darkroom_model::{Account, AccountHash, AccountId, AccountSettings, Clock, Secrets};
use heed::RoTxn;
use tokio::sync::Notify;

use super::LmdbOptions;
use super::keys::{self, AccountNumber};
use super::recent::{Changes, Recent};
use super::rows::AccountState;
use super::store::{Opened, Store, failed, get};
use crate::posting::overlay::Overlay;
use crate::posting::segment::Manifest;
use crate::posting::term::TermHasher;
use crate::record::Record;
use crate::{CatalogError, PageWork};

/// What readers, the writer and the builder of segments share.
pub(crate) struct Shared {
    pub(crate) store: Store,
    pub(crate) secrets: Secrets,
    pub(crate) hasher: TermHasher,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) options: LmdbOptions,
    pub(crate) counters: Counters,
    pub(crate) recent: Recent,
    directory: RwLock<Directory>,
    overlays_loaded: AtomicUsize,
    overlay_bytes: AtomicUsize,
    /// Threads that bring records into memory.
    pub(crate) warmers: AtomicUsize,
    /// Segments being built, and segments whose rows are still to be removed.
    pub(crate) background: AtomicUsize,
    /// Tells the writer, which alone drops overlays, that reading has loaded more than may be.
    pub(crate) too_many_overlays: Notify,
    /// Counts uses of overlays, to tell which were idle for longest.
    uses: AtomicU64,
}

/// Every account, in memory: a request names its account before anything else.
#[derive(Default)]
struct Directory {
    by_id: HashMap<AccountId, Arc<AccountEntry>>,
    by_hash: HashMap<AccountHash, Arc<AccountEntry>>,
}

/// An account with its overlay, which is absent until its first use.
pub(crate) struct AccountEntry {
    pub(crate) number: AccountNumber,
    pub(crate) account: Account,
    pub(crate) changes: Changes,
    settings: RwLock<Arc<AccountSettings>>,
    pub(crate) overlay: RwLock<Option<Overlay>>,
    overlay_bytes: AtomicUsize,
    overlay_loaded: AtomicBool,
    last_used: AtomicU64,
}

impl AccountEntry {
    /// Returns what the account decides about itself.
    pub(crate) fn settings(&self) -> Arc<AccountSettings> {
        Arc::clone(&self.settings.read().unwrap_or_else(|poisoned| poisoned.into_inner()))
    }

    /// Takes over what was committed or read.
    pub(crate) fn set_settings(&self, settings: Arc<AccountSettings>) {
        *self.settings.write().unwrap_or_else(|poisoned| poisoned.into_inner()) = settings;
    }
}

/// Sums since the start.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) commits: AtomicU64,
    pub(crate) mutations: AtomicU64,
    pub(crate) seals: AtomicU64,
    pub(crate) merges: AtomicU64,
    pub(crate) rewrites: AtomicU64,
    pub(crate) segment_bytes: AtomicU64,
    pub(crate) overlay_loads: AtomicU64,
    pub(crate) failed_commits: AtomicU64,
    pub(crate) commit_microseconds: AtomicU64,
    pub(crate) pages: AtomicU64,
    pub(crate) records_read: AtomicU64,
    pub(crate) hash_mismatches: AtomicU64,
    pub(crate) blocks_read: AtomicU64,
    pub(crate) containers_read: AtomicU64,
    pub(crate) columns_read: AtomicU64,
    pub(crate) chunks_visited: AtomicU64,
    pub(crate) segments_visited: AtomicU64,
    pub(crate) page_transactions: AtomicU64,
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64, count: u64) {
        counter.fetch_add(count, Ordering::Relaxed);
    }

    /// Adds what a page took.
    pub(crate) fn add_page(&self, work: &PageWork) {
        Counters::add(&self.pages, 1);
        Counters::add(&self.records_read, work.records_read);
        Counters::add(&self.hash_mismatches, work.hash_mismatches);
        Counters::add(&self.blocks_read, work.blocks_read);
        Counters::add(&self.containers_read, work.containers_read);
        Counters::add(&self.columns_read, work.columns_read);
        Counters::add(&self.chunks_visited, work.chunks_visited);
        Counters::add(&self.segments_visited, work.segments_visited);
        Counters::add(&self.page_transactions, work.transactions);
    }
}

impl Shared {
    pub(crate) fn new(store: Store, secrets: Secrets, clock: Arc<dyn Clock>, options: LmdbOptions) -> Shared {
        let hasher = TermHasher::new(secrets.term_key);
        #[cfg(test)]
        let hasher = hasher.with_bits(options.term_bits);
        Shared {
            store,
            secrets,
            hasher,
            clock,
            options,
            counters: Counters::default(),
            recent: Recent::default(),
            directory: RwLock::default(),
            overlays_loaded: AtomicUsize::new(0),
            overlay_bytes: AtomicUsize::new(0),
            warmers: AtomicUsize::new(0),
            background: AtomicUsize::new(0),
            too_many_overlays: Notify::new(),
            uses: AtomicU64::new(0),
        }
    }

    fn directory(&self) -> RwLockReadGuard<'_, Directory> {
        self.directory.read().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Adds an account that was read or committed.
    pub(crate) fn add_account(&self, number: AccountNumber, account: Account, settings: AccountSettings) {
        let entry = Arc::new(AccountEntry {
            number,
            account,
            changes: Changes::default(),
            settings: RwLock::new(Arc::new(settings)),
            overlay: RwLock::new(None),
            overlay_bytes: AtomicUsize::new(0),
            overlay_loaded: AtomicBool::new(false),
            last_used: AtomicU64::new(0),
        });
        let mut directory = self.directory.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        directory.by_id.insert(entry.account.id.clone(), Arc::clone(&entry));
        directory.by_hash.insert(entry.account.hash.clone(), entry);
    }

    /// Returns every account, by id.
    pub(crate) fn entries(&self) -> Vec<Arc<AccountEntry>> {
        let mut entries: Vec<Arc<AccountEntry>> = self.directory().by_id.values().cloned().collect();
        entries.sort_by(|a, b| a.account.id.cmp(&b.account.id));
        entries
    }

    /// Returns how many accounts there are.
    pub(crate) fn accounts(&self) -> usize {
        self.directory().by_id.len()
    }

    /// Returns the account with this id.
    pub(crate) fn entry(&self, id: &AccountId) -> Option<Arc<AccountEntry>> {
        self.directory().by_id.get(id).cloned()
    }

    /// Returns the account with this hash.
    pub(crate) fn entry_by_hash(&self, hash: &AccountHash) -> Option<Arc<AccountEntry>> {
        self.directory().by_hash.get(hash).cloned()
    }

    /// Returns the state of an account at the transaction's version.
    pub(crate) fn state(
        &self,
        opened: &Opened,
        txn: &RoTxn<'_>,
        account: AccountNumber,
    ) -> Result<AccountState, CatalogError> {
        let bytes = get(opened.tables.states, txn, &keys::account(account))?;
        bytes.and_then(AccountState::from_bytes).ok_or_else(|| damaged("account state"))
    }

    /// Returns the manifest of an account at the transaction's version; an empty one if nothing was sealed yet.
    pub(crate) fn manifest(
        &self,
        opened: &Opened,
        txn: &RoTxn<'_>,
        account: AccountNumber,
    ) -> Result<Manifest, CatalogError> {
        match get(opened.tables.manifests, txn, &keys::account(account))? {
            Some(bytes) => Manifest::from_bytes(bytes).ok_or_else(|| damaged("manifest")),
            None => Ok(Manifest::default()),
        }
    }

    /// Builds the overlay of an account from its unsealed and masked records, if it is not there.
    pub(crate) fn load_overlay(&self, opened: &Opened, entry: &AccountEntry) -> Result<(), CatalogError> {
        // The lock comes first and the transaction second: whatever the writer commits from here on waits for the
        // lock before it is applied, and is either in the transaction or newer than the overlay.
        let mut slot = entry.overlay.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        self.note_use(entry);
        if slot.is_none() {
            let overlay = self.read_overlay(opened, entry.number)?;
            self.account_for(entry, Some(overlay.bytes()));
            *slot = Some(overlay);
            Counters::add(&self.counters.overlay_loads, 1);
            if self.has_too_many_overlays() {
                self.too_many_overlays.notify_one();
            }
        }
        Ok(())
    }

    /// Notes that an account's overlay is of use.
    pub(crate) fn note_use(&self, entry: &AccountEntry) {
        entry.last_used.store(self.uses.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
    }

    fn read_overlay(&self, opened: &Opened, account: AccountNumber) -> Result<Overlay, CatalogError> {
        let txn = opened.env.read_txn().map_err(failed)?;
        let version = self.state(opened, &txn, account)?.version;
        let manifest = self.manifest(opened, &txn, account)?;
        let terms =
            |bytes: &[u8]| Ok(self.hasher.image_terms(&Record::read(bytes).map_err(CatalogError::failed)?));
        let mut unsealed = Vec::new();
        for gap in manifest.gaps() {
            for row in opened
                .tables
                .records
                .range(&txn, &as_bounds(&keys::sequences(account, gap)))
                .map_err(failed)?
            {
                let (key, bytes) = row.map_err(failed)?;
                unsealed.push((keys::sequence_of(key).ok_or_else(|| damaged("record key"))?, terms(bytes)?));
            }
        }
        let mut masked = Vec::new();
        for row in opened.tables.masks.prefix_iter(&txn, &keys::account(account)).map_err(failed)? {
            let (key, _) = row.map_err(failed)?;
            let sequence = keys::sequence_of(key).ok_or_else(|| damaged("mask key"))?;
            // A mask without a segment was left by a seal that did not come to its end.
            if manifest.segment_of(sequence).is_some() {
                masked.push((sequence, get(opened.tables.records, &txn, key)?.map(terms).transpose()?));
            }
        }
        Ok(Overlay::rebuild(version, manifest, unsealed, masked))
    }

    /// Brings an overlay from the version before a commit to the one after it. An overlay that is absent, or that was
    /// built after the commit, knows it already.
    pub(crate) fn update_overlay(
        &self,
        entry: &AccountEntry,
        version: u64,
        update: impl FnOnce(&mut Overlay),
    ) {
        let mut slot = entry.overlay.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(overlay) = &mut *slot
            && overlay.version < version
        {
            debug_assert_eq!(overlay.version + 1, version);
            update(overlay);
            overlay.version = version;
            self.account_for(entry, Some(overlay.bytes()));
        }
    }

    /// Drops an overlay. It is derived, and the next use builds it anew.
    pub(crate) fn drop_overlay(&self, entry: &AccountEntry) {
        let mut slot = entry.overlay.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        if slot.take().is_some() {
            self.account_for(entry, None);
        }
    }

    /// Drops the overlays that were idle for longest, if there are more than may be, until a quarter of the room is
    /// free. `keep` is the account that a segment is being built for: its overlay may hold a frozen tail.
    pub(crate) fn trim_overlays(&self, keep: Option<AccountNumber>) {
        let LmdbOptions { overlays_max, overlays_bytes_max, .. } = self.options;
        if !self.has_too_many_overlays() {
            return;
        }
        let mut entries = self.entries();
        entries.sort_by_key(|entry| entry.last_used.load(Ordering::Relaxed));
        for entry in entries.iter().filter(|entry| Some(entry.number) != keep) {
            if self.overlays_loaded() <= overlays_max * 3 / 4
                && self.overlay_bytes() <= overlays_bytes_max / 4 * 3
            {
                return;
            }
            self.drop_overlay(entry);
        }
    }

    fn has_too_many_overlays(&self) -> bool {
        self.overlays_loaded() > self.options.overlays_max
            || self.overlay_bytes() > self.options.overlays_bytes_max
    }

    /// Returns how many overlays are in memory.
    pub(crate) fn overlays_loaded(&self) -> usize {
        self.overlays_loaded.load(Ordering::Relaxed)
    }

    /// Returns roughly how many bytes the overlays take.
    pub(crate) fn overlay_bytes(&self) -> usize {
        self.overlay_bytes.load(Ordering::Relaxed)
    }

    /// Notes that an account's overlay has so many bytes now, or is gone. The caller holds its lock.
    fn account_for(&self, entry: &AccountEntry, bytes: Option<usize>) {
        let before = entry.overlay_bytes.swap(bytes.unwrap_or(0), Ordering::Relaxed);
        self.overlay_bytes.fetch_add(bytes.unwrap_or(0), Ordering::Relaxed);
        self.overlay_bytes.fetch_sub(before, Ordering::Relaxed);
        let was_loaded = entry.overlay_loaded.swap(bytes.is_some(), Ordering::Relaxed);
        match (was_loaded, bytes.is_some()) {
            (false, true) => drop(self.overlays_loaded.fetch_add(1, Ordering::Relaxed)),
            (true, false) => drop(self.overlays_loaded.fetch_sub(1, Ordering::Relaxed)),
            (false, false) | (true, true) => {}
        }
    }
}

/// Borrows the ends of a range of keys as the engine wants them.
pub(crate) fn as_bounds<const N: usize>(range: &Range<[u8; N]>) -> (Bound<&[u8]>, Bound<&[u8]>) {
    (Bound::Included(&range.start), Bound::Excluded(&range.end))
}

/// Something stored that is not what its key promises.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("unreadable {0} in the catalog")]
struct Unreadable(&'static str);

/// Says that something stored is not what its key promises.
pub(crate) fn damaged(what: &'static str) -> CatalogError {
    CatalogError::failed(Unreadable(what))
}
