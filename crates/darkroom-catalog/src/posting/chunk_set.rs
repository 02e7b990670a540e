//! Sets of sequence numbers: containers by chunk, shared until one side changes.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::container::Container;
use super::{join, split};

/// A set of sequence numbers. A clone is cheap: it shares the containers, and a change copies only its own.
///
/// INVARIANT: no container is empty.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct ChunkSet {
    chunks: BTreeMap<u64, Arc<Container>>,
}

impl ChunkSet {
    /// Says whether the set is empty.
    pub(crate) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Adds a number.
    pub(crate) fn insert(&mut self, sequence: u64) {
        let (chunk, place) = split(sequence);
        Arc::make_mut(self.chunks.entry(chunk).or_default()).insert(place);
    }

    /// Removes a number.
    pub(crate) fn remove(&mut self, sequence: u64) {
        let (chunk, place) = split(sequence);
        if let Some(container) = self.chunks.get_mut(&chunk) {
            Arc::make_mut(container).remove(place);
            if container.is_empty() {
                self.chunks.remove(&chunk);
            }
        }
    }

    /// Returns the places of a chunk.
    pub(crate) fn chunk(&self, chunk: u64) -> Option<&Container> {
        self.chunks.get(&chunk).map(|container| &**container)
    }

    /// Adds the numbers of another set.
    pub(crate) fn unite(&mut self, other: &ChunkSet) {
        for (chunk, theirs) in &other.chunks {
            match self.chunks.get_mut(chunk) {
                Some(ours) => *ours = Arc::new(ours.or(theirs)),
                None => drop(self.chunks.insert(*chunk, Arc::clone(theirs))),
            }
        }
    }

    /// Returns the numbers in both sets.
    pub(crate) fn and(&self, other: &ChunkSet) -> ChunkSet {
        let both = |(chunk, ours): (&u64, &Arc<Container>)| {
            let both = ours.and(other.chunks.get(chunk)?);
            (!both.is_empty()).then(|| (*chunk, Arc::new(both)))
        };
        ChunkSet { chunks: self.chunks.iter().filter_map(both).collect() }
    }

    /// Removes the numbers of another set.
    pub(crate) fn subtract(&mut self, other: &ChunkSet) {
        for (chunk, theirs) in &other.chunks {
            if let Some(ours) = self.chunks.get_mut(chunk) {
                let left = ours.and_not(theirs);
                if left.is_empty() {
                    self.chunks.remove(chunk);
                } else {
                    *ours = Arc::new(left);
                }
            }
        }
    }

    /// Returns the numbers in a range, ascending; from the back, descending.
    pub(crate) fn range(&self, range: Range<u64>) -> impl DoubleEndedIterator<Item = u64> {
        self.pieces(range).flat_map(|(chunk, container, first, last)| {
            container.iter_between(first, last).map(move |place| join(chunk, place))
        })
    }

    /// Returns how many numbers lie in a range.
    pub(crate) fn count(&self, range: Range<u64>) -> usize {
        self.pieces(range).map(|(_, container, first, last)| container.count_between(first, last)).sum()
    }

    /// Returns the containers that a range touches, each with its first and last place in the range.
    fn pieces(&self, range: Range<u64>) -> impl DoubleEndedIterator<Item = (u64, &Container, u16, u16)> {
        let (first_chunk, first_place) = split(range.start);
        let (last_chunk, last_place) = split(range.end.saturating_sub(1));
        let chunks = match range.is_empty() {
            true => self.chunks.range(0..0),
            false => self.chunks.range(first_chunk..=last_chunk),
        };
        chunks.map(move |(chunk, container)| {
            let first = if *chunk == first_chunk { first_place } else { 0 };
            let last = if *chunk == last_chunk { last_place } else { u16::MAX };
            (*chunk, &**container, first, last)
        })
    }
}

impl FromIterator<u64> for ChunkSet {
    fn from_iter<I: IntoIterator<Item = u64>>(sequences: I) -> ChunkSet {
        let mut set = ChunkSet::default();
        sequences.into_iter().for_each(|sequence| set.insert(sequence));
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn numbers() -> impl Strategy<Value = BTreeSet<u64>> {
        proptest::collection::btree_set(65_000u64..200_000, 0..60)
    }

    fn set(numbers: &BTreeSet<u64>) -> ChunkSet {
        numbers.iter().copied().collect()
    }

    proptest! {
        #[test]
        fn the_algebra_is_that_of_sets(a in numbers(), b in numbers(), start in 65_000u64..200_000, length in 0u64..100_000) {
            let (x, y) = (set(&a), set(&b));
            prop_assert_eq!(x.and(&y), set(&a.intersection(&b).copied().collect()));
            let mut union = x.clone();
            union.unite(&y);
            prop_assert_eq!(union, set(&a.union(&b).copied().collect()));
            let mut difference = x.clone();
            difference.subtract(&y);
            prop_assert_eq!(difference, set(&a.difference(&b).copied().collect()));
            let range = start..start + length;
            prop_assert!(x.range(range.clone()).eq(a.range(range.clone()).copied()));
            prop_assert!(x.range(range.clone()).rev().eq(a.range(range.clone()).rev().copied()));
            prop_assert_eq!(x.count(range.clone()), a.range(range).count());
            prop_assert_eq!(x.count(0..u64::MAX), a.len());
        }

        #[test]
        fn a_clone_does_not_see_later_changes(mut a in numbers(), extra in 65_000u64..200_000) {
            let mut x = set(&a);
            let before = x.clone();
            x.insert(extra);
            prop_assert_eq!(before, set(&a));
            a.insert(extra);
            prop_assert_eq!(&x, &set(&a));
            x.remove(extra);
            a.remove(&extra);
            prop_assert_eq!(x, set(&a));
        }
    }
}
