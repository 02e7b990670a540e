//! Building a segment: one function for sealing a tail, merging neighbours, and rewriting a masked segment.
//!
//! It runs on a thread of its own, reads records in read transactions of bounded length, and hands the rows to the
//! writer in steps, which commits them between other commits under a number that no manifest names yet.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::mpsc;

use super::keys;
use super::shared::{AccountEntry, Shared, as_bounds, damaged};
use super::store::failed;
use crate::CatalogError;
use crate::posting::segment::{SegmentBuilder, SegmentRow};
use crate::record::Record;

/// A segment to build.
pub(crate) struct Job {
    /// The number of the new segment.
    pub(crate) number: u64,
    pub(crate) entry: Arc<AccountEntry>,
    pub(crate) range: Range<u64>,
}

/// What the builder hands to the writer.
pub(crate) enum Built {
    /// Some rows of the segment, at most a step's bytes.
    Rows { number: u64, rows: Vec<SegmentRow> },
    /// All rows were handed over. The segment knows every change up to this version of the account.
    Finished { number: u64, version: u64, images: u32 },
    /// The segment could not be built.
    Failed { number: u64, error: CatalogError },
}

/// Builds the segments that are asked for, one after the other, until nobody can ask any more.
pub(crate) fn run(shared: &Shared, jobs: &std::sync::mpsc::Receiver<Job>, built: &mpsc::Sender<Built>) {
    for job in jobs {
        let number = job.number;
        // A panic here is a fault of ours, but none that the writer or the next segment should pay for.
        let last = match catch_unwind(AssertUnwindSafe(|| build(shared, &job, built))) {
            Ok(Ok(finished)) => finished,
            Ok(Err(error)) => Built::Failed { number, error },
            Err(_) => Built::Failed { number, error: CatalogError::failed(Panicked) },
        };
        if built.blocking_send(last).is_err() {
            return;
        }
    }
}

#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("building a segment panicked")]
struct Panicked;

fn build(shared: &Shared, job: &Job, built: &mpsc::Sender<Built>) -> Result<Built, CatalogError> {
    let (builder, version) = read(shared, job)?;
    let images = builder.images();
    let mut step = Vec::new();
    let mut step_bytes = 0;
    for row in builder.finish(shared.options.block_size) {
        if step_bytes + row.bytes.len() > shared.options.step_bytes && !step.is_empty() {
            hand_over(job.number, std::mem::take(&mut step), built)?;
            step_bytes = 0;
        }
        step_bytes += row.bytes.len();
        step.push(row);
    }
    if !step.is_empty() {
        hand_over(job.number, step, built)?;
    }
    Ok(Built::Finished { number: job.number, version, images })
}

fn hand_over(number: u64, rows: Vec<SegmentRow>, built: &mpsc::Sender<Built>) -> Result<(), CatalogError> {
    built.blocking_send(Built::Rows { number, rows }).map_err(|_| CatalogError::Unavailable)
}

/// Collects the terms of every record in the range. The version is that of the first transaction: what later ones
/// know besides is masked, because it was changed after that version.
fn read(shared: &Shared, job: &Job) -> Result<(SegmentBuilder, u64), CatalogError> {
    let mut builder = SegmentBuilder::new();
    let mut first_version = None;
    let mut start = job.range.start;
    loop {
        let opened = shared.store.opened()?;
        let txn = opened.env.read_txn().map_err(failed)?;
        let began = Instant::now();
        let version = shared.state(&opened, &txn, job.entry.number)?.version;
        let version = *first_version.get_or_insert(version);
        let mut next_start = None;
        let range = keys::sequences(job.entry.number, start..job.range.end);
        for row in opened.tables.records.range(&txn, &as_bounds(&range)).map_err(failed)? {
            let (key, bytes) = row.map_err(failed)?;
            let sequence = keys::sequence_of(key).ok_or_else(|| damaged("record key"))?;
            let record = Record::read(bytes).map_err(CatalogError::failed)?;
            builder.push(sequence, &shared.hasher.image_terms(&record));
            if began.elapsed() > shared.options.build_transaction_max {
                next_start = Some(sequence + 1);
                break;
            }
        }
        match next_start {
            Some(next_start) => {
                start = next_start;
                drop(txn);
                #[cfg(test)]
                std::thread::sleep(shared.options.build_pause);
            }
            None => return Ok((builder, version)),
        }
    }
}
