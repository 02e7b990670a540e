//! The walk: finds the numbers that pass every condition, in page order, and stops as soon as nobody asks for more.
//!
//! It goes piece by piece: a segment's share of one chunk, or a gap between segments. In a segment it reads, for each
//! term, the one block that can hold the term; in a piece, the large containers that are needed as long as anything is
//! left, the smallest set first. It never sorts and never reads a record.

use std::collections::VecDeque;
use std::ops::{Bound, Range};
use std::sync::Arc;

use darkroom_model::{Filters, Predicate, SortOrder};

use super::block::{self, BlockSize, Posting};
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

/// A walk over the matches of some conditions, of which there is at least one.
pub(crate) struct Walk<'a, R> {
    rows: &'a R,
    conditions: &'a [Condition],
    overlay: OverlayView,
    block_size: BlockSize,
    sort_order: SortOrder,
    /// What is left to visit.
    range: Range<u64>,
    /// The segment that the walk is in, with what its blocks say.
    current: Option<(Segment, Postings)>,
    /// Matches that were found and not yet asked for, in page order.
    found: VecDeque<u64>,
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
        block_size: BlockSize,
        sort_order: SortOrder,
        range: Range<u64>,
    ) -> Walk<'a, R> {
        Walk {
            rows,
            conditions,
            overlay,
            block_size,
            sort_order,
            range,
            current: None,
            found: VecDeque::new(),
        }
    }

    /// Returns the next match.
    pub(crate) fn next(&mut self, work: &mut PageWork) -> Result<Option<u64>, CatalogError> {
        while self.found.is_empty() && !self.range.is_empty() {
            self.visit_piece(work)?;
        }
        Ok(self.found.pop_front())
    }

    /// Finds the matches of the next piece and takes the piece off what is left.
    fn visit_piece(&mut self, work: &mut PageWork) -> Result<(), CatalogError> {
        let next = match self.sort_order {
            SortOrder::Ascending => self.range.start,
            SortOrder::Descending => self.range.end - 1,
        };
        let manifest = Arc::clone(&self.overlay.manifest);
        let piece = match manifest.segment_of(next) {
            None => {
                let gap =
                    manifest.gaps().into_iter().find(|gap| gap.contains(&next)).unwrap_or(next..next + 1);
                self.clip(gap)
            }
            Some(segment) => {
                if self.current.as_ref().is_none_or(|(current, _)| current.number != segment.number) {
                    let postings = self.read_postings(segment, work)?;
                    self.current = Some((segment.clone(), postings));
                }
                match &self.current {
                    // Nothing of this segment can match: only the overlay is left to ask.
                    Some((_, None)) | None => self.clip(segment.range.clone()),
                    Some((_, Some(postings))) => {
                        let chunk = split(next).0;
                        let piece = self.clip(segment.range.clone());
                        let piece = piece.start.max(join(chunk, 0))..piece.end.min(join(chunk, u16::MAX) + 1);
                        let matches = self.match_piece(segment.number, postings, chunk, work)?;
                        let mut found: Vec<u64> = matches
                            .iter()
                            .map(|place| join(chunk, place))
                            .filter(|sequence| piece.contains(sequence))
                            .chain(self.overlay.matches.range(piece.clone()))
                            .collect();
                        found.sort_unstable();
                        self.finish_piece(piece, found);
                        return Ok(());
                    }
                }
            }
        };
        work.chunks_visited += 1;
        let found = self.overlay.matches.range(piece.clone()).collect();
        self.finish_piece(piece, found);
        Ok(())
    }

    fn clip(&self, range: Range<u64>) -> Range<u64> {
        range.start.max(self.range.start)..range.end.min(self.range.end)
    }

    /// Keeps the matches of a piece, which come ascending, in page order.
    fn finish_piece(&mut self, piece: Range<u64>, found: Vec<u64>) {
        match self.sort_order {
            SortOrder::Ascending => {
                self.found.extend(found);
                self.range.start = piece.end;
            }
            SortOrder::Descending => {
                self.found.extend(found.into_iter().rev());
                self.range.end = piece.start;
            }
        }
    }

    /// Reads one block for each term; stops at the first condition that no image of the segment passes.
    fn read_postings(&self, segment: &Segment, work: &mut PageWork) -> Result<Postings, CatalogError> {
        work.segments_visited += 1;
        let mut postings = Vec::with_capacity(self.conditions.len());
        for condition in self.conditions {
            match condition {
                Condition::Range(field, range) if range.is_empty() => {
                    let _ = field;
                    return Ok(None);
                }
                Condition::Range(field, range) => postings.push(ConditionPostings::Range(*field, *range)),
                Condition::AnyOf(terms) => {
                    let mut found = Vec::new();
                    for term in terms {
                        let Some(bytes) = self.rows.block(segment.number, *term)? else { continue };
                        work.blocks_read += 1;
                        let of_term = block::find(bytes, *term, self.block_size).ok_or_else(unreadable)?;
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
    fn match_piece(
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
            let places = if places_max == 0 {
                Container::default()
            } else {
                self.read(segment, postings, chunk, work)?
            };
            let left = match matches {
                None => places,
                Some(matches) => matches.and(&places),
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

    /// Returns the places of a chunk that pass one condition.
    fn read(
        &self,
        segment: u64,
        postings: &ConditionPostings,
        chunk: u64,
        work: &mut PageWork,
    ) -> Result<Container, CatalogError> {
        match postings {
            ConditionPostings::Range(field, range) => {
                let Some(bytes) = self.rows.row(segment, RowKey::Column(*field, chunk))? else {
                    return Ok(Container::default());
                };
                work.columns_read += 1;
                column::scan(bytes, range).ok_or_else(unreadable)
            }
            ConditionPostings::AnyOf(terms) => {
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
    }
}

fn unreadable() -> CatalogError {
    CatalogError::failed(UnreadableRow)
}
