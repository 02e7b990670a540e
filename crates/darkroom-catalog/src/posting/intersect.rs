//! The walk: finds the numbers that pass every condition, in page order, and stops as soon as nobody asks for more.
//!
//! It goes place by place: a segment's share of one chunk, or a gap between segments. In a segment it reads, for each
//! term, the one block that can hold the term; in a chunk, the large containers that are needed as long as anything is
//! left, the smallest set first. It never sorts and never reads a record.

use std::collections::VecDeque;
use std::ops::{Bound, Range};
use std::sync::Arc;

use darkroom_model::{Filters, Predicate, SortOrder};

use super::block::{self, Posting};
use super::column::{self, NumberRange};
use super::container::Container;
use super::overlay::OverlayView;
use super::segment::{RowKey, Segment};
use super::term::{NumericField, Term, TermHasher};
use super::{join, split};
use crate::{CatalogError, PageWork};

/// What an image must have.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Condition {
    /// One of these terms.
    AnyOf(Vec<Term>),
    /// A number of this field in this range.
    Range(NumericField, NumberRange),
}

/// Returns the conditions of a listing. Ranges of one field become one condition, so that its columns are read once.
pub(crate) fn conditions(filters: &Filters, hasher: &TermHasher) -> Vec<Condition> {
    let mut conditions = Vec::new();
    if let Some(creator) = &filters.creator {
        let creator = creator.as_ref().map(|creator| creator.as_str());
        conditions.push(Condition::AnyOf(vec![hasher.creator(creator)]));
    }
    let mut ranges: Vec<(NumericField, NumberRange)> = Vec::new();
    for filter in &filters.meta {
        let (lower, upper) = match filter.predicate {
            Predicate::AnyOf(_) => {
                conditions.extend(hasher.filter_terms(filter).map(Condition::AnyOf));
                continue;
            }
            Predicate::Greater(number) => (Bound::Excluded(number), Bound::Unbounded),
            Predicate::GreaterOrEqual(number) => (Bound::Included(number), Bound::Unbounded),
            Predicate::Less(number) => (Bound::Unbounded, Bound::Excluded(number)),
            Predicate::LessOrEqual(number) => (Bound::Unbounded, Bound::Included(number)),
        };
        let field = hasher.numeric_field(filter.path.as_str());
        let range = NumberRange { lower, upper };
        match ranges.iter_mut().find(|(other, _)| *other == field) {
            Some((_, known)) => known.narrow(range),
            None => ranges.push((field, range)),
        }
    }
    conditions.extend(ranges.into_iter().map(|(field, range)| Condition::Range(field, range)));
    conditions
}

/// Returns the condition that every image passes.
pub(crate) fn everything(hasher: &TermHasher) -> Vec<Condition> {
    vec![Condition::AnyOf(vec![hasher.everything()])]
}

/// Where the rows of segments are read from: one consistent state of a storage engine.
pub(crate) trait SegmentRows {
    /// Returns the block with the greatest first term that is not above `term`.
    fn block(&self, segment: u64, term: Term) -> Result<Option<&[u8]>, CatalogError>;
    /// Returns a row by its exact key.
    fn row(&self, segment: u64, key: RowKey) -> Result<Option<&[u8]>, CatalogError>;
}

/// Rows that are not what their key promises.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("unreadable segment row")]
struct UnreadableRow;

/// How many matches are taken out of a container at a time: a page seldom needs all of a dense one.
const TAKE: usize = 256;

/// A walk over the matches of some conditions, of which there is at least one.
pub(crate) struct Walk<'a, R> {
    rows: &'a R,
    conditions: &'a [Condition],
    overlay: OverlayView,
    sort_order: SortOrder,
    /// What is left to visit.
    range: Range<u64>,
    /// The segment that the walk is in, with what its blocks say.
    segment: Option<(Segment, Postings)>,
    /// The chunk of that segment that the walk is in, with everything in it that matches.
    chunk: Option<(u64, Container)>,
    /// Matches that were found and not yet asked for, in page order.
    found: VecDeque<u64>,
}

/// A part of what is left to visit: a segment's share of one chunk, or a range of which only the overlay knows.
struct Place {
    range: Range<u64>,
    chunk: Option<u64>,
}

impl Place {
    /// Returns the first and last place in the chunk; the range is not empty.
    fn ends(&self) -> (u16, u16) {
        (split(self.range.start).1, split(self.range.end - 1).1)
    }
}

/// For each condition the postings of its terms by chunk, or a range, of which only the columns know; `None` if some
/// condition has no image in the segment.
type Postings = Option<Vec<ConditionPostings>>;

enum ConditionPostings {
    AnyOf(Vec<(Term, Vec<(u64, Posting)>)>),
    Range(NumericField, NumberRange),
}

impl ConditionPostings {
    /// Returns at most how many places of a chunk can pass.
    fn places_max(&self, chunk: u64) -> usize {
        match self {
            ConditionPostings::Range(..) => usize::MAX,
            ConditionPostings::AnyOf(terms) => {
                let in_chunk = |postings: &Vec<(u64, Posting)>| {
                    postings
                        .iter()
                        .filter(|(other, _)| *other == chunk)
                        .map(|(_, posting)| posting.len())
                        .sum::<usize>()
                };
                terms.iter().map(|(_, postings)| in_chunk(postings)).sum()
            }
        }
    }
}

impl<'a, R: SegmentRows> Walk<'a, R> {
    /// Begins a walk over `range`.
    pub(crate) fn new(
        rows: &'a R,
        conditions: &'a [Condition],
        overlay: OverlayView,
        sort_order: SortOrder,
        range: Range<u64>,
    ) -> Walk<'a, R> {
        Walk {
            rows,
            conditions,
            overlay,
            sort_order,
            range,
            segment: None,
            chunk: None,
            found: VecDeque::new(),
        }
    }

    /// Returns the next match.
    pub(crate) fn next(&mut self, work: &mut PageWork) -> Result<Option<u64>, CatalogError> {
        while self.found.is_empty() && !self.range.is_empty() {
            let place = self.go_to_place(work)?;
            let found = take(self.matches_in(&place), self.sort_order);
            match found.back() {
                Some(last) if found.len() == TAKE => self.go_behind(*last),
                _ => self.leave(&place),
            }
            self.found = found;
        }
        Ok(self.found.pop_front())
    }

    /// Goes over so many matches, or over all that are left, and returns how many it were. It counts them where they
    /// lie and reads no record. Nothing may have been asked for before.
    pub(crate) fn skip(&mut self, count: u64, work: &mut PageWork) -> Result<u64, CatalogError> {
        let mut left = count;
        while left > 0 && !self.range.is_empty() {
            let place = self.go_to_place(work)?;
            let here = self.count_in(&place) as u64;
            if here <= left {
                left -= here;
                self.leave(&place);
                continue;
            }
            let mut matches = self.matches_in(&place);
            let last = match self.sort_order {
                SortOrder::Ascending => matches.nth(left as usize - 1),
                SortOrder::Descending => matches.nth_back(left as usize - 1),
            };
            drop(matches);
            last.into_iter().for_each(|last| self.go_behind(last));
            left = 0;
        }
        Ok(count - left)
    }

    /// Finds the place where the walk stands now, and what in it matches.
    fn go_to_place(&mut self, work: &mut PageWork) -> Result<Place, CatalogError> {
        let here = match self.sort_order {
            SortOrder::Ascending => self.range.start,
            SortOrder::Descending => self.range.end - 1,
        };
        let manifest = Arc::clone(&self.overlay.manifest);
        let Some(segment) = manifest.segment_of(here) else {
            work.chunks_visited += 1;
            return Ok(Place { range: self.clip(manifest.gap_around(here)), chunk: None });
        };
        if self.segment.as_ref().is_none_or(|(current, _)| current.number != segment.number) {
            self.segment = Some((segment.clone(), self.read_postings(segment, work)?));
            self.chunk = None;
        }
        let Some((_, Some(postings))) = &self.segment else {
            // No image of this segment matches as the segment knows it: only the overlay is left to ask.
            work.chunks_visited += 1;
            return Ok(Place { range: self.clip(segment.range.clone()), chunk: None });
        };
        let chunk = split(here).0;
        if self.chunk.as_ref().is_none_or(|(current, _)| *current != chunk) {
            let mut matches = self.match_chunk(segment.number, postings, chunk, work)?;
            if let Some(overlay) = self.overlay.matches.chunk(chunk) {
                matches = matches.or(overlay);
            }
            self.chunk = Some((chunk, matches));
        }
        let (first, last) = (join(chunk, 0), join(chunk, u16::MAX));
        let range = segment.range.start.max(first)..segment.range.end.min(last + 1);
        Ok(Place { range: self.clip(range), chunk: Some(chunk) })
    }

    /// Returns the matches of a place, ascending.
    fn matches_in(&self, place: &Place) -> Box<dyn DoubleEndedIterator<Item = u64> + '_> {
        match (place.chunk, &self.chunk) {
            (Some(chunk), Some((_, matches))) => {
                let (first, last) = place.ends();
                Box::new(matches.iter_between(first, last).map(move |place| join(chunk, place)))
            }
            _ => Box::new(self.overlay.matches.range(place.range.clone())),
        }
    }

    /// Returns how many matches a place has.
    fn count_in(&self, place: &Place) -> usize {
        match (place.chunk, &self.chunk) {
            (Some(_), Some((_, matches))) => {
                let (first, last) = place.ends();
                matches.count_between(first, last)
            }
            _ => self.overlay.matches.count(place.range.clone()),
        }
    }

    fn clip(&self, range: Range<u64>) -> Range<u64> {
        range.start.max(self.range.start)..range.end.min(self.range.end)
    }

    /// Takes a place off what is left to visit.
    fn leave(&mut self, place: &Place) {
        match self.sort_order {
            SortOrder::Ascending => self.range.start = place.range.end,
            SortOrder::Descending => self.range.end = place.range.start,
        }
    }

    /// Takes everything up to a match off what is left to visit.
    fn go_behind(&mut self, sequence: u64) {
        match self.sort_order {
            SortOrder::Ascending => self.range.start = sequence + 1,
            SortOrder::Descending => self.range.end = sequence,
        }
    }

    /// Reads one block for each term; stops at the first condition that no image of the segment passes.
    fn read_postings(&self, segment: &Segment, work: &mut PageWork) -> Result<Postings, CatalogError> {
        work.segments_visited += 1;
        let mut postings = Vec::with_capacity(self.conditions.len());
        for condition in self.conditions {
            match condition {
                Condition::Range(_, range) if range.is_empty() => return Ok(None),
                Condition::Range(field, range) => postings.push(ConditionPostings::Range(*field, *range)),
                Condition::AnyOf(terms) => {
                    let mut found = Vec::new();
                    for term in terms {
                        let Some(bytes) = self.rows.block(segment.number, *term)? else { continue };
                        work.blocks_read += 1;
                        let of_term = block::find(bytes, *term).ok_or_else(unreadable)?;
                        if !of_term.is_empty() {
                            found.push((*term, of_term));
                        }
                    }
                    if found.is_empty() {
                        return Ok(None);
                    }
                    postings.push(ConditionPostings::AnyOf(found));
                }
            }
        }
        Ok(Some(postings))
    }

    /// Intersects the conditions in one chunk of a segment, the smallest first, and takes the masked places out.
    fn match_chunk(
        &self,
        segment: u64,
        postings: &[ConditionPostings],
        chunk: u64,
        work: &mut PageWork,
    ) -> Result<Container, CatalogError> {
        work.chunks_visited += 1;
        let mut by_size: Vec<(usize, &ConditionPostings)> =
            postings.iter().map(|postings| (postings.places_max(chunk), postings)).collect();
        by_size.sort_by_key(|(places_max, _)| *places_max);
        let mut matches: Option<Container> = None;
        for (places_max, postings) in by_size {
            let left = match postings {
                _ if places_max == 0 => Container::default(),
                ConditionPostings::AnyOf(terms) => {
                    let places = self.read_terms(segment, terms, chunk, work)?;
                    match &matches {
                        None => places,
                        Some(matches) => matches.and(&places),
                    }
                }
                ConditionPostings::Range(field, range) => {
                    self.read_column(segment, *field, range, chunk, matches.as_ref(), work)?
                }
            };
            if left.is_empty() {
                return Ok(left);
            }
            matches = Some(left);
        }
        let matches = matches.unwrap_or_default();
        Ok(match self.overlay.masks.chunk(chunk) {
            Some(masked) => matches.and_not(masked),
            None => matches,
        })
    }

    /// Returns the places of a chunk that have a number in a range, of all or of some candidates.
    fn read_column(
        &self,
        segment: u64,
        field: NumericField,
        range: &NumberRange,
        chunk: u64,
        candidates: Option<&Container>,
        work: &mut PageWork,
    ) -> Result<Container, CatalogError> {
        let Some(bytes) = self.rows.row(segment, RowKey::Column(field, chunk))? else {
            return Ok(Container::default());
        };
        work.columns_read += 1;
        column::scan(bytes, range, candidates).ok_or_else(unreadable)
    }

    /// Returns the places of a chunk that have one of the terms.
    fn read_terms(
        &self,
        segment: u64,
        terms: &[(Term, Vec<(u64, Posting)>)],
        chunk: u64,
        work: &mut PageWork,
    ) -> Result<Container, CatalogError> {
        let mut places: Option<Container> = None;
        for (term, of_term) in terms {
            for (_, posting) in of_term.iter().filter(|(other, _)| *other == chunk) {
                let container = match posting {
                    Posting::Small(container) => container.clone(),
                    Posting::Large(_) => {
                        let row = self.rows.row(segment, RowKey::Container(*term, chunk))?;
                        work.containers_read += 1;
                        row.and_then(Container::from_bytes).ok_or_else(unreadable)?
                    }
                };
                places = Some(match places {
                    None => container,
                    Some(places) => places.or(&container),
                });
            }
        }
        Ok(places.unwrap_or_default())
    }
}

/// Takes the first few matches in page order.
fn take(matches: impl DoubleEndedIterator<Item = u64>, sort_order: SortOrder) -> VecDeque<u64> {
    match sort_order {
        SortOrder::Ascending => matches.take(TAKE).collect(),
        SortOrder::Descending => matches.rev().take(TAKE).collect(),
    }
}

fn unreadable() -> CatalogError {
    CatalogError::failed(UnreadableRow)
}
