//! Segments, seen by the writer: which one is due, writing its rows in steps, letting it take its place, and removing
//! what it replaced.

use std::ops::{Bound, Range};
use std::sync::Arc;

use darkroom_model::Sequence;

use super::{Building, Writer};
use crate::CatalogError;
use crate::lmdb::build::{Built, Job};
use crate::lmdb::keys::{self, AccountNumber};
use crate::lmdb::shared::{AccountEntry, Counters, as_bounds, damaged};
use crate::lmdb::store::failed;
use crate::posting::segment::{Segment, SegmentRow};

impl Writer {
    /// Takes what the builder made one step further.
    pub(super) fn take_built(&mut self, built: Built) {
        let number = match &built {
            Built::Rows { number, .. } | Built::Finished { number, .. } | Built::Failed { number, .. } => {
                *number
            }
        };
        // What was given up meanwhile is removed as obsolete.
        let Some(building) = self.building.take_if(|building| building.number == number) else { return };
        let result = match built {
            Built::Rows { rows, .. } => {
                let result = self.write_rows(&building, rows);
                if result.is_ok() {
                    self.building = Some(building);
                    return;
                }
                result
            }
            Built::Finished { version, images, .. } => self.flip(&building, version, images),
            Built::Failed { error, .. } => Err(error),
        };
        if let Err(error) = result {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "a segment could not be built; trying again later"
            );
            self.obsolete.push_back((building.entry.number, building.number));
            // The overlay may hold a frozen tail; anew, it holds the same images as a tail.
            self.shared.drop_overlay(&building.entry);
        }
        self.start_job();
    }

    fn write_rows(&mut self, building: &Building, rows: Vec<SegmentRow>) -> Result<(), CatalogError> {
        let shared = Arc::clone(&self.shared);
        let opened = shared.store.opened()?;
        let mut txn = opened.env.write_txn().map_err(failed)?;
        for row in rows {
            let key = keys::segment_row(building.entry.number, building.number, row.key);
            opened.tables.segments.put(&mut txn, &key, &row.bytes).map_err(failed)?;
            Counters::add(&shared.counters.segment_bytes, (key.len() + row.bytes.len()) as u64);
        }
        if let Err(error) = self.commit(&opened, txn) {
            drop(opened);
            return Err(self.after_failed_commit(error, &[]));
        }
        Ok(())
    }

    /// Lets a finished segment take its place: one write of the manifest. Of the masks in its range go those that are
    /// not newer than what the segment knows.
    fn flip(&mut self, building: &Building, built_at: u64, images: u32) -> Result<(), CatalogError> {
        let shared = Arc::clone(&self.shared);
        let opened = shared.store.opened()?;
        let Building { number, entry, range, level } = building;
        shared.load_overlay(&opened, entry)?;
        let mut manifest = {
            let overlay = entry.overlay.read().unwrap_or_else(|poisoned| poisoned.into_inner());
            overlay.as_ref().map(|overlay| (*overlay.manifest).clone()).ok_or(CatalogError::Unavailable)?
        };
        let new = Segment { number: *number, level: *level, range: range.clone(), images };
        let replaced = manifest.replace(new);
        let mut txn = opened.env.write_txn().map_err(failed)?;
        let mut folded = Vec::new();
        let masks = keys::sequences(entry.number, range.clone());
        for row in opened.tables.masks.range(&txn, &as_bounds(&masks)).map_err(failed)? {
            let (key, version) = row.map_err(failed)?;
            let version = version.try_into().map(u64::from_be_bytes).map_err(|_| damaged("mask"))?;
            if version <= built_at {
                folded.push(keys::sequence_of(key).ok_or_else(|| damaged("mask key"))?);
            }
        }
        for sequence in &folded {
            opened.tables.masks.delete(&mut txn, &keys::sequence(entry.number, *sequence)).map_err(failed)?;
        }
        let key = keys::account(entry.number);
        opened.tables.manifests.put(&mut txn, &key, &manifest.to_bytes()).map_err(failed)?;
        let mut state = shared.state(&opened, &txn, entry.number)?;
        state.version += 1;
        opened.tables.states.put(&mut txn, &key, &state.to_bytes()).map_err(failed)?;
        if let Err(error) = self.commit(&opened, txn) {
            drop(opened);
            return Err(self.after_failed_commit(error, &[(Arc::clone(entry), state.version)]));
        }
        shared.update_overlay(entry, state.version, |overlay| overlay.flip(manifest, range, &folded));
        let counter = match (replaced.len(), level) {
            (0, _) => &shared.counters.seals,
            (_, 0) => &shared.counters.rewrites,
            (1, _) => &shared.counters.rewrites,
            _ => &shared.counters.merges,
        };
        Counters::add(counter, 1);
        self.obsolete.extend(replaced.into_iter().map(|segment| (entry.number, segment.number)));
        self.candidates.insert(entry.number, Arc::clone(entry));
        Ok(())
    }

    /// Removes a step's worth of rows that no manifest names; says whether there was anything to remove.
    pub(super) fn remove_obsolete_rows(&mut self) -> bool {
        let Some((account, number)) = self.obsolete.front().copied() else { return false };
        match self.try_remove_rows(account, number) {
            Ok(false) => drop(self.obsolete.pop_front()),
            Ok(true) => {}
            Err(error) => {
                // They take room and nothing else; the next start removes them.
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "obsolete rows of a segment stay for now"
                );
                self.obsolete.pop_front();
            }
        }
        true
    }

    fn try_remove_rows(&mut self, account: AccountNumber, number: u64) -> Result<bool, CatalogError> {
        let shared = Arc::clone(&self.shared);
        let opened = shared.store.opened()?;
        let mut txn = opened.env.write_txn().map_err(failed)?;
        // INVARIANT: rows that a manifest names stay. A flip whose commit was told as a failure may stand all the same.
        let manifest = shared.manifest(&opened, &txn, account)?;
        if manifest.segments.iter().any(|segment| segment.number == number) {
            return Ok(false);
        }
        let mut keys = Vec::new();
        let mut bytes = 0;
        let prefix = keys::segment(account, number);
        for row in opened.tables.segments.prefix_iter(&txn, &prefix).map_err(failed)? {
            let (key, value) = row.map_err(failed)?;
            keys.push(key.to_vec());
            bytes += value.len();
            if bytes >= shared.options.step_bytes {
                break;
            }
        }
        for key in &keys {
            opened.tables.segments.delete(&mut txn, key).map_err(failed)?;
        }
        if keys.is_empty() {
            return Ok(false);
        }
        if let Err(error) = self.commit(&opened, txn) {
            drop(opened);
            return Err(self.after_failed_commit(error, &[]));
        }
        Ok(true)
    }

    /// Starts the next segment, if one is due and none is being built.
    pub(super) fn start_job(&mut self) {
        while self.building.is_none()
            && let Some(entry) = self.next_candidate()
        {
            match self.due(&entry) {
                None => drop(self.candidates.remove(&entry.number)),
                Some((range, level)) => {
                    let number = self.next_segment;
                    self.next_segment += 1;
                    let job = Job { number, entry: Arc::clone(&entry), range: range.clone() };
                    if self.jobs.send(job).is_err() {
                        // Nobody builds any more: what was frozen for it becomes a tail again.
                        self.shared.drop_overlay(&entry);
                        return;
                    }
                    self.last_built = entry.number;
                    self.building = Some(Building { number, entry, range, level });
                    return;
                }
            }
        }
        self.trim_overlays();
    }

    /// Drops the overlays that were idle for longest, if there are too many.
    pub(super) fn trim_overlays(&self) {
        let building = self.building.as_ref().map(|building| building.entry.number);
        self.shared.trim_overlays(building);
    }

    /// Returns the candidate whose turn it is.
    fn next_candidate(&self) -> Option<Arc<AccountEntry>> {
        let later = self.candidates.range((Bound::Excluded(self.last_built), Bound::Unbounded));
        later.chain(&self.candidates).next().map(|(_, entry)| Arc::clone(entry))
    }

    /// Returns what this account needs most: a seal, a rewrite, or a merge.
    fn due(&self, entry: &AccountEntry) -> Option<(Range<u64>, u8)> {
        let options = &self.shared.options;
        if self.owes_a_seal(entry) {
            let opened = self.shared.store.opened().ok()?;
            self.shared.load_overlay(&opened, entry).ok()?;
        }
        let mut overlay = entry.overlay.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        let overlay = overlay.as_mut()?;
        let tail = overlay.tail();
        if tail.len() >= options.seal_images || tail.bytes() >= options.seal_bytes {
            let start =
                overlay.manifest.segments.last().map_or(Sequence::FIRST.0, |segment| segment.range.end);
            let range = start..overlay.next_sequence();
            overlay.freeze(range.clone());
            return Some((range, 0));
        }
        // Rewrites that never end must not keep small segments from being merged for ever.
        if let Some(range) = overlay.manifest.mergeable(options.merge_fan_in.saturating_mul(2)) {
            let merged = overlay.manifest.mergeable(options.merge_fan_in).unwrap_or(range);
            return Some((merged, 1));
        }
        let masked = |segment: &Segment| overlay.masked(segment.range.clone());
        let most_masked = overlay.manifest.segments.iter().max_by_key(|segment| masked(segment));
        if let Some(segment) = most_masked {
            let numbers = (segment.range.end - segment.range.start) as usize;
            let edits = overlay.edits();
            let edits_full = edits.len() >= options.seal_images || edits.bytes() >= options.seal_bytes;
            let count = masked(segment);
            if count * options.rewrite_fraction >= numbers || (edits_full && count > 0) {
                return Some((segment.range.clone(), segment.level));
            }
        }
        overlay.manifest.mergeable(options.merge_fan_in).map(|range| (range, 1))
    }

    /// Says whether an account whose overlay is not in memory has so many images in no segment that the overlay is
    /// worth loading, to seal them. An upload alone needs no overlay.
    fn owes_a_seal(&self, entry: &AccountEntry) -> bool {
        if entry.overlay.read().unwrap_or_else(|poisoned| poisoned.into_inner()).is_some() {
            return false;
        }
        let unsealed = || {
            let opened = self.shared.store.opened()?;
            let txn = opened.env.read_txn().map_err(failed)?;
            let manifest = self.shared.manifest(&opened, &txn, entry.number)?;
            let sealed = manifest.segments.last().map_or(Sequence::FIRST.0, |segment| segment.range.end);
            let state = self.shared.state(&opened, &txn, entry.number)?;
            Ok::<u64, CatalogError>(state.next.0.saturating_sub(sealed))
        };
        unsealed().is_ok_and(|unsealed| unsealed >= self.shared.options.seal_images as u64)
    }

    /// Says whether an overlay has outgrown its budget while a segment is being built that will relieve one.
    pub(super) fn is_under_pressure(&self) -> bool {
        let options = &self.shared.options;
        let outgrown = |entry: &AccountEntry| {
            let overlay = entry.overlay.read().unwrap_or_else(|poisoned| poisoned.into_inner());
            overlay.as_ref().is_some_and(|overlay| {
                overlay.tail().len() >= 4 * options.seal_images
                    || overlay.edits().len() >= 4 * options.seal_images
                    || overlay.bytes() >= 4 * options.seal_bytes
            })
        };
        self.building.is_some() && self.candidates.values().any(|entry| outgrown(entry))
    }
}
