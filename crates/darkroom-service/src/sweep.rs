//! The sweep: what crashes, failed commits and postponed removals have left.
//!
//! Four kinds of things go: drafts and tokens that have expired; originals that the catalog has noted as garbage;
//! originals that no row names; and temporary files of a local store. It goes in small steps, so that requests hardly notice.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use darkroom_model::{OriginalKey, Timestamp};
use futures_util::StreamExt;

use crate::direct_upload::sweep_expired;
use crate::originals::Stored;
use crate::service::Stores;
use crate::{Service, ServiceError};

/// How old an original without a row, or a temporary file, must be before it is removed: longer than any upload of
/// another process on the same store may last between its bytes and its row. Uploads of this process are known.
const UPLOAD_AGE_MAX: Duration = Duration::from_secs(60 * 60);
/// How often the notes of garbage are worked off, and what has expired is removed.
const GARBAGE_EVERY: Duration = Duration::from_secs(5 * 60);
/// How often everything is looked at, in rounds of [`GARBAGE_EVERY`]: daily.
const ROUNDS_OF_A_FULL_SWEEP: u32 = 288;
/// Originals in one step.
const STEP: usize = 256;
/// Rest after a step.
const STEP_REST: Duration = Duration::from_millis(10);

/// What one sweep has removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Swept {
    /// Drafts and tokens that had expired.
    pub expired: u64,
    /// Originals that were noted as garbage.
    pub garbage: u64,
    /// Originals that no row named.
    pub strays: u64,
    /// Temporary files.
    pub leftovers: u64,
}

impl Service {
    /// Removes what nothing refers to any more. What fails is left to the next sweep, and said by the error of the
    /// first failure.
    pub async fn sweep(&self) -> Result<Swept, ServiceError> {
        sweep(&self.stores).await
    }
}

/// The task that sweeps at the start and then every so often.
pub(crate) struct Sweeper(tokio::task::AbortHandle);

impl Sweeper {
    pub(crate) fn begin(stores: &Arc<Stores>) -> Sweeper {
        Sweeper(tokio::spawn(run(Arc::downgrade(stores))).abort_handle())
    }

    /// Stops at the next step.
    pub(crate) fn end(&self) {
        self.0.abort();
    }
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        self.end();
    }
}

async fn run(stores: Weak<Stores>) {
    for round in 0.. {
        let Some(stores) = stores.upgrade() else { return };
        let swept = if round % ROUNDS_OF_A_FULL_SWEEP == 0 {
            sweep(&stores).await
        } else {
            sweep_often(&stores).await
        };
        match swept {
            Ok(swept) if swept == Swept::default() => {}
            Ok(Swept { expired, garbage, strays, leftovers }) => {
                tracing::info!(expired, garbage, strays, leftovers, "swept what nothing refers to");
            }
            Err(error) => tracing::warn!(?error, "the sweep did not finish"),
        }
        drop(stores);
        tokio::time::sleep(GARBAGE_EVERY).await;
    }
}

async fn sweep(stores: &Arc<Stores>) -> Result<Swept, ServiceError> {
    stores.counters.sweeps.fetch_add(1, Ordering::Relaxed);
    // Each part is tried even if another fails.
    let often = sweep_often(stores).await;
    let strays = sweep_strays(stores).await;
    let leftovers = sweep_leftovers(stores).await;
    let swept = || Ok(Swept { strays: strays?, leftovers: leftovers?, ..often? });
    let swept = swept();
    if swept.is_err() {
        stores.counters.sweep_failures.fetch_add(1, Ordering::Relaxed);
    }
    swept
}

/// What is swept every time: what the catalog knows of.
async fn sweep_often(stores: &Stores) -> Result<Swept, ServiceError> {
    let expired = sweep_expired(stores).await;
    let garbage = sweep_garbage(stores).await?;
    let expired = expired?;
    stores.counters.expired_removed.fetch_add(expired, Ordering::Relaxed);
    Ok(Swept { expired, garbage, ..Swept::default() })
}

/// Removes the originals that the catalog has noted, and the notes of those that are gone.
async fn sweep_garbage(stores: &Stores) -> Result<u64, ServiceError> {
    let mut removed = 0;
    let mut failed: HashSet<OriginalKey> = HashSet::new();
    let mut first_error = None;
    loop {
        // Those that failed are still noted: ask for so many more.
        let noted = stores.catalog.garbage(STEP + failed.len()).await?;
        let step: Vec<OriginalKey> = noted.into_iter().filter(|key| !failed.contains(key)).collect();
        if step.is_empty() || failed.len() >= STEP {
            return first_error.map_or(Ok(removed), Err);
        }
        let mut gone = Vec::with_capacity(step.len());
        for key in step {
            match stores.originals.remove(&key).await {
                Ok(()) => gone.push(key),
                Err(error) => {
                    failed.insert(key);
                    first_error.get_or_insert(error);
                }
            }
        }
        if !gone.is_empty() {
            let count = gone.len() as u64;
            stores.catalog.forget_garbage(gone).await?;
            stores.counters.garbage_removed.fetch_add(count, Ordering::Relaxed);
            removed += count;
        }
        tokio::time::sleep(STEP_REST).await;
    }
}

/// Removes the originals that no row names.
async fn sweep_strays(stores: &Stores) -> Result<u64, ServiceError> {
    let accounts = stores.catalog.accounts().await?;
    let accounts: HashSet<_> = accounts.into_iter().map(|account| account.id).collect();
    let now = stores.clock.now();
    let (mut removed, mut unknown, mut first_error) = (0, 0_u64, None);
    let mut listing = stores.originals.list().chunks(STEP);
    while let Some(step) = listing.next().await {
        for stored in step {
            let Stored { key, written } = stored?;
            // What is not of a form or account that we know is not ours to remove.
            let Some(key) = key.filter(|key| accounts.contains(&key.account)) else {
                unknown += 1;
                continue;
            };
            if !is_stray(stores, &key, written, now).await? {
                continue;
            }
            match stores.originals.remove(&key).await {
                Ok(()) => {
                    stores.counters.strays_removed.fetch_add(1, Ordering::Relaxed);
                    removed += 1;
                }
                Err(error) => {
                    first_error.get_or_insert(error);
                }
            }
        }
        tokio::time::sleep(STEP_REST).await;
    }
    if unknown > 0 {
        tracing::warn!(files = unknown, "the originals hold files that belong to no known account");
    }
    first_error.map_or(Ok(removed), Err)
}

/// Says whether no row names an original and none will.
async fn is_stray(
    stores: &Stores,
    key: &OriginalKey,
    written: Timestamp,
    now: Timestamp,
) -> Result<bool, ServiceError> {
    let age = Duration::from_millis(now.0.saturating_sub(written.0));
    // INVARIANT: the catalog is asked last. An upload that is no longer held has had its answer from the catalog.
    Ok(age >= UPLOAD_AGE_MAX && !stores.is_held(key) && !stores.catalog.knows_original(key).await?)
}

async fn sweep_leftovers(stores: &Arc<Stores>) -> Result<u64, ServiceError> {
    let held_by = Arc::clone(stores);
    let is_held = move |key: &OriginalKey| held_by.is_held(key);
    let removed = stores.originals.remove_leftovers(stores.clock.now(), UPLOAD_AGE_MAX, is_held).await?;
    stores.counters.leftovers_removed.fetch_add(removed, Ordering::Relaxed);
    Ok(removed)
}
