//! Reading one page: one transaction, one version of the account, no more records than the page and one.

use std::ops::Range;
use std::thread;
use std::time::Duration;

use darkroom_model::{Filters, Sequence, SortOrder};
use heed::{RoTxn, WithoutTls};

use super::keys::{self, AccountNumber};
use super::shared::{AccountEntry, Shared, as_bounds, damaged};
use super::store::{Opened, Tables, failed, get};
use super::warm::Warming;
use crate::posting::intersect::{Condition, SegmentRows, Walk, conditions, everything};
use crate::posting::overlay::OverlayView;
use crate::posting::segment::RowKey;
use crate::posting::term::Term;
use crate::record::Record;
use crate::{CatalogError, Page, PageQuery, PageWork};

/// How often a page looks for an overlay of its transaction's version before it gives up. Each wait is short: the
/// writer applies a commit to the overlay right after it.
const ATTEMPTS_MAX: u32 = 20_000;
const ATTEMPT_WAIT: Duration = Duration::from_micros(50);

/// Returns a page of an account.
pub(crate) fn page(shared: &Shared, entry: &AccountEntry, query: &PageQuery) -> Result<Page, CatalogError> {
    let opened = shared.store.opened()?;
    let conditions = conditions(&query.filters, &shared.hasher);
    let mut page = Page::default();
    if conditions.is_empty() {
        let txn = opened.env.read_txn().map_err(failed)?;
        page.work.transactions = 1;
        fill_unfiltered(&opened, &txn, entry.number, query, &mut page)?;
    } else {
        let (txn, view) = same_version(shared, &opened, entry, &conditions, &mut page.work)?;
        let rows = Rows { tables: opened.tables, txn: &txn, account: entry.number };
        let walk = Walk::new(&rows, &conditions, view, query.sort_order, remaining(query));
        fill_filtered(shared, &opened, &rows, walk, query, &mut page)?;
    }
    shared.counters.add_page(&page.work);
    Ok(page)
}

/// Returns how many images pass the filters, counted in the postings.
pub(crate) fn count(shared: &Shared, entry: &AccountEntry, filters: &Filters) -> Result<u64, CatalogError> {
    let opened = shared.store.opened()?;
    let conditions = counting_conditions(shared, filters);
    let mut work = PageWork::default();
    let (txn, view) = same_version(shared, &opened, entry, &conditions, &mut work)?;
    let rows = Rows { tables: opened.tables, txn: &txn, account: entry.number };
    let mut walk = Walk::new(&rows, &conditions, view, SortOrder::Ascending, 0..u64::MAX);
    walk.skip(u64::MAX, &mut work)
}

/// Returns a page that begins after so many matches, and how many matches there are.
pub(crate) fn numbered_page(
    shared: &Shared,
    entry: &AccountEntry,
    query: &PageQuery,
    offset: u64,
) -> Result<(Page, u64), CatalogError> {
    let opened = shared.store.opened()?;
    let conditions = counting_conditions(shared, &query.filters);
    let mut page = Page::default();
    let (txn, view) = same_version(shared, &opened, entry, &conditions, &mut page.work)?;
    let rows = Rows { tables: opened.tables, txn: &txn, account: entry.number };
    let walk = |view| Walk::new(&rows, &conditions, view, query.sort_order, 0..u64::MAX);
    let total = walk(view.clone()).skip(u64::MAX, &mut page.work)?;
    let mut from_offset = walk(view);
    from_offset.skip(offset, &mut page.work)?;
    fill_filtered(shared, &opened, &rows, from_offset, query, &mut page)?;
    shared.counters.add_page(&page.work);
    Ok((page, total))
}

fn counting_conditions(shared: &Shared, filters: &Filters) -> Vec<Condition> {
    let conditions = conditions(filters, &shared.hasher);
    if conditions.is_empty() { everything(&shared.hasher) } else { conditions }
}

/// Returns a transaction, and what the conditions need of the overlay at the very version of the transaction.
fn same_version<'env>(
    shared: &Shared,
    opened: &'env Opened,
    entry: &AccountEntry,
    conditions: &[Condition],
    work: &mut PageWork,
) -> Result<(RoTxn<'env, WithoutTls>, OverlayView), CatalogError> {
    for _ in 0..ATTEMPTS_MAX {
        let txn = opened.env.read_txn().map_err(failed)?;
        work.transactions += 1;
        let version = shared.state(opened, &txn, entry.number)?.version;
        let slot = entry.overlay.read().unwrap_or_else(|poisoned| poisoned.into_inner());
        match &*slot {
            Some(overlay) if overlay.version == version => {
                shared.note_use(entry);
                let view = overlay.view(conditions);
                drop(slot);
                return Ok((txn, view));
            }
            Some(_) => {
                drop((slot, txn));
                thread::sleep(ATTEMPT_WAIT);
            }
            None => {
                drop((slot, txn));
                shared.load_overlay(opened, entry)?;
            }
        }
    }
    Err(CatalogError::Unavailable)
}

/// Returns the sequence numbers on the far side of the cursor.
fn remaining(query: &PageQuery) -> Range<u64> {
    match (query.after, query.sort_order) {
        (None, _) => 0..u64::MAX,
        (Some(Sequence(after)), SortOrder::Ascending) => after.saturating_add(1)..u64::MAX,
        (Some(Sequence(after)), SortOrder::Descending) => 0..after,
    }
}

fn fill_unfiltered(
    opened: &Opened,
    txn: &RoTxn<'_>,
    account: AccountNumber,
    query: &PageQuery,
    page: &mut Page,
) -> Result<(), CatalogError> {
    let range = keys::sequences(account, remaining(query));
    let range = as_bounds(&range);
    let mut last = None;
    let mut take = |row: heed::Result<(&[u8], &[u8])>, page: &mut Page| {
        let (key, bytes) = row.map_err(failed)?;
        page.work.records_read += 1;
        if page.len() == query.limit {
            page.next = last;
            return Ok(false);
        }
        Record::read(bytes).map_err(CatalogError::failed)?;
        page.push(bytes);
        last = Some(Sequence(keys::sequence_of(key).ok_or_else(|| damaged("record key"))?));
        Ok(true)
    };
    match query.sort_order {
        SortOrder::Ascending => {
            for row in opened.tables.records.range(txn, &range).map_err(failed)? {
                if !take(row, page)? {
                    break;
                }
            }
        }
        SortOrder::Descending => {
            for row in opened.tables.records.rev_range(txn, &range).map_err(failed)? {
                if !take(row, page)? {
                    break;
                }
            }
        }
    }
    Ok(())
}

fn fill_filtered(
    shared: &Shared,
    opened: &Opened,
    rows: &Rows<'_>,
    mut walk: Walk<'_, Rows<'_>>,
    query: &PageQuery,
    page: &mut Page,
) -> Result<(), CatalogError> {
    let mut last = None;
    loop {
        let batch = next_matches(&mut walk, query.limit + 1 - page.len(), &mut page.work)?;
        if batch.is_empty() {
            return Ok(());
        }
        let mut warming = Warming::new(&shared.warmers, opened, rows.account, &batch);
        for sequence in &batch {
            page.work.records_read += 1;
            let bytes = get(rows.tables.records, rows.txn, &keys::sequence(rows.account, *sequence))?;
            let record = bytes.map(Record::read).transpose().map_err(CatalogError::failed)?;
            let (Some(bytes), Some(record)) = (bytes, record) else {
                // Postings never lead to a record that is not there, unless the file is damaged.
                return Err(damaged("posting without a record"));
            };
            if !passes(&record, &query.filters) {
                page.work.hash_mismatches += 1;
            } else if page.len() == query.limit {
                page.next = last;
                return Ok(());
            } else {
                page.push(bytes);
                last = Some(Sequence(*sequence));
            }
            warming.after_a_record();
        }
    }
}

/// Returns the next matches of a walk, as many as the page still needs.
fn next_matches(
    walk: &mut Walk<'_, Rows<'_>>,
    count: usize,
    work: &mut PageWork,
) -> Result<Vec<u64>, CatalogError> {
    let mut matches = Vec::new();
    while matches.len() < count
        && let Some(sequence) = walk.next(work)?
    {
        matches.push(sequence);
    }
    Ok(matches)
}

/// Says whether the record has the very terms, and not only terms of the same hashes.
fn passes(record: &Record<'_>, filters: &Filters) -> bool {
    let creator = record.view().creator;
    filters.creator.as_ref().is_none_or(|wanted| wanted.as_ref().map(|creator| creator.as_str()) == creator)
        && filters.meta.iter().all(|filter| record.matches(filter))
}

/// The rows of an account's segments in one transaction.
struct Rows<'a> {
    tables: Tables,
    txn: &'a RoTxn<'a>,
    account: AccountNumber,
}

impl SegmentRows for Rows<'_> {
    fn block(&self, segment: u64, term: Term) -> Result<Option<&[u8]>, CatalogError> {
        let key = keys::segment_row(self.account, segment, RowKey::Block(term));
        let row = self.tables.segments.get_lower_than_or_equal_to(self.txn, &key).map_err(failed)?;
        // A row of another segment, or of this one but of another kind, begins differently.
        Ok(row.filter(|(found, _)| found.get(..13) == key.get(..13)).map(|(_, bytes)| bytes))
    }

    fn row(&self, segment: u64, key: RowKey) -> Result<Option<&[u8]>, CatalogError> {
        get(self.tables.segments, self.txn, &keys::segment_row(self.account, segment, key))
    }
}
