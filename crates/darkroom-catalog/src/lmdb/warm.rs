//! Records that are not in memory, fetched from the disk side by side.
//!
//! The records of a filtered page may lie anywhere. One after another, each that is not in memory costs a wait for the
//! disk, and a page of 1,000 would wait 1,000 times. So when the first few records of a page turn out to be slow,
//! several threads look at the rest at once, each in a transaction of its own, and throw away what they see: the page
//! itself is read in its one transaction as ever, and finds everything in memory.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::keys::{self, AccountNumber};
use super::store::{Opened, get};

/// Records after which a page is judged.
const FIRST: usize = 8;
/// How long the first records take when they are in memory is a few microseconds; from here on they were not.
const SLOW: Duration = Duration::from_micros(300);
/// Fewer records than this are not worth a thread.
const WORTHWHILE: usize = 32;
/// Threads for one page.
const THREADS: usize = 16;
/// Threads for all pages together: each needs a reader's slot of the environment.
const THREADS_ALL: usize = 64;

/// The records of a page that are still to be read.
pub(crate) struct Warming<'a> {
    threads: &'a AtomicUsize,
    opened: &'a Opened,
    account: AccountNumber,
    left: &'a [u64],
    read: usize,
    began: Instant,
}

impl<'a> Warming<'a> {
    /// Begins with all records of a page, in the order in which they will be read. `threads` counts those of all pages.
    pub(crate) fn new(
        threads: &'a AtomicUsize,
        opened: &'a Opened,
        account: AccountNumber,
        sequences: &'a [u64],
    ) -> Warming<'a> {
        Warming { threads, opened, account, left: sequences, read: 0, began: Instant::now() }
    }

    /// Notes that the next record was read; if the first ones were slow, has the rest brought into memory.
    pub(crate) fn after_a_record(&mut self) {
        self.read += 1;
        if self.read == FIRST && self.left.len() >= FIRST + WORTHWHILE && self.began.elapsed() >= SLOW {
            self.fetch(&self.left[FIRST..]);
        }
    }

    /// Looks at records side by side. That it could not be done is no error: the page waits for its records then.
    pub(crate) fn fetch(&self, sequences: &[u64]) {
        if self.threads.fetch_add(THREADS, Ordering::Relaxed) + THREADS <= THREADS_ALL {
            std::thread::scope(|scope| {
                for share in sequences.chunks(sequences.len().div_ceil(THREADS)) {
                    let look = || self.look(share);
                    // Without another thread there is one share that nobody looks at.
                    let _ = std::thread::Builder::new().name("catalog-warm".into()).spawn_scoped(scope, look);
                }
            });
        }
        self.threads.fetch_sub(THREADS, Ordering::Relaxed);
    }

    fn look(&self, sequences: &[u64]) {
        let Ok(txn) = self.opened.env.read_txn() else { return };
        for sequence in sequences {
            let key = keys::sequence(self.account, *sequence);
            // A record that this transaction does not know, or cannot read, is none of its business.
            let record = get(self.opened.tables.records, &txn, &key).ok().flatten();
            // The last byte is on the last page of the record; its first ones were read to find it.
            std::hint::black_box(record.and_then(|record| record.last().copied()));
        }
    }
}
