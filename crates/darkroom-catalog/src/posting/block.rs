//! Blocks: the small containers of many terms, packed together so that one read finds a term.
//!
//! ```text
//! terms    u16 how many
//! term     16 bytes each, ascending
//! end      u32 each: where the entry of the term ends, counted from the first entry
//! entries  for each chunk of the term: chunk u64, u32 how many places, with its highest bit set if the container is
//!          large and lies under its own key; if it is small, its places follow (u16 little-endian each)
//! ```

use super::container::Container;
use super::term::Term;
use crate::record::Reader;

/// When a block is full and when a container is large.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlockSize {
    /// Bytes of a block; 4,080, which fill one page of the engine with its header. An entry that alone is longer has
    /// a block of its own.
    pub(crate) bytes: usize,
    /// From this many places on, a container lies under its own key; 256, which are 512 bytes.
    pub(crate) large_places: usize,
}

impl Default for BlockSize {
    fn default() -> BlockSize {
        BlockSize { bytes: 4080, large_places: 256 }
    }
}

/// Where the places of a term in one chunk are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Posting {
    /// Here.
    Small(Container),
    /// Under their own key; how many there are.
    Large(usize),
}

impl Posting {
    /// Returns how many places there are.
    pub(crate) fn len(&self) -> usize {
        match self {
            Posting::Small(container) => container.len(),
            Posting::Large(places) => *places,
        }
    }
}

/// Marks a count of places whose container is large, whatever the threshold was when it was written.
const LARGE: u32 = 1 << 31;

/// Packs entries, which come in the order of their terms, into blocks.
pub(crate) struct BlockWriter {
    size: BlockSize,
    terms: Vec<Term>,
    ends: Vec<u32>,
    entries: Vec<u8>,
    blocks: Vec<(Term, Vec<u8>)>,
}

impl BlockWriter {
    pub(crate) fn new(size: BlockSize) -> BlockWriter {
        BlockWriter { size, terms: Vec::new(), ends: Vec::new(), entries: Vec::new(), blocks: Vec::new() }
    }

    /// Adds a term with its containers by chunk, ascending.
    pub(crate) fn push(&mut self, term: Term, containers: &[(u64, Container)]) {
        let mut entry = Vec::new();
        for (chunk, container) in containers {
            entry.extend(chunk.to_be_bytes());
            let places = container.len() as u32;
            if container.len() < self.size.large_places {
                entry.extend(places.to_be_bytes());
                entry.extend(container.iter().flat_map(u16::to_le_bytes));
            } else {
                entry.extend((places | LARGE).to_be_bytes());
            }
        }
        let with_entry = 2 + (self.terms.len() + 1) * 20 + self.entries.len() + entry.len();
        if with_entry > self.size.bytes || self.terms.len() == usize::from(u16::MAX) {
            self.finish_block();
        }
        self.entries.extend(entry);
        self.terms.push(term);
        self.ends.push(self.entries.len() as u32);
    }

    /// Returns the blocks, each with its first term.
    pub(crate) fn finish(mut self) -> Vec<(Term, Vec<u8>)> {
        self.finish_block();
        self.blocks
    }

    fn finish_block(&mut self) {
        let Some(first) = self.terms.first().copied() else { return };
        let mut bytes = Vec::with_capacity(self.size.bytes);
        bytes.extend((self.terms.len() as u16).to_be_bytes());
        self.terms.drain(..).for_each(|term| bytes.extend(term.0.to_be_bytes()));
        self.ends.drain(..).for_each(|end| bytes.extend(end.to_be_bytes()));
        bytes.append(&mut self.entries);
        self.blocks.push((first, bytes));
    }
}

/// Returns the postings of a term by chunk, none if the block does not hold it; `None` if the bytes are no block.
pub(crate) fn find(bytes: &[u8], term: Term) -> Option<Vec<(u64, Posting)>> {
    let mut reader = Reader { bytes };
    let count = usize::from(reader.u16()?);
    let terms = reader.take(count * 16)?.as_chunks::<16>().0;
    let ends = reader.take(count * 4)?.as_chunks::<4>().0;
    let Ok(index) = terms.binary_search(&term.0.to_be_bytes()) else { return Some(Vec::new()) };
    let end = |index: usize| u32::from_be_bytes(ends[index]) as usize;
    let start = if index == 0 { 0 } else { end(index - 1) };
    let mut entry = Reader { bytes: reader.bytes.get(start..end(index))? };
    let mut postings = Vec::new();
    while !entry.bytes.is_empty() {
        let chunk = entry.u64()?;
        let places = entry.u32()?;
        let posting = if places & LARGE == 0 {
            Posting::Small(Container::from_bytes(entry.take(places as usize * 2)?)?)
        } else {
            Posting::Large((places & !LARGE) as usize)
        };
        postings.push((chunk, posting));
    }
    Some(postings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    fn postings() -> impl Strategy<Value = BTreeMap<u128, BTreeMap<u64, BTreeSet<u16>>>> {
        let places = proptest::collection::btree_set(any::<u16>(), 1..12);
        let chunks = proptest::collection::btree_map(0u64..4, places, 1..4);
        proptest::collection::btree_map(0u128..60, chunks, 0..30)
    }

    proptest! {
        #[test]
        fn every_term_is_found_in_the_last_block_that_does_not_begin_after_it(
            postings in postings(),
            bytes in 40usize..400,
            large_places in 2usize..10,
        ) {
            let size = BlockSize { bytes, large_places };
            let mut writer = BlockWriter::new(size);
            for (term, chunks) in &postings {
                let containers: Vec<(u64, Container)> = chunks
                    .iter()
                    .map(|(chunk, places)| (*chunk, Container::from_ascending(places.iter().copied().collect())))
                    .collect();
                writer.push(Term(*term), &containers);
            }
            let blocks: BTreeMap<Term, Vec<u8>> = writer.finish().into_iter().collect();
            for term in 0..60 {
                let found = match blocks.range(..=Term(term)).next_back() {
                    Some((_, block)) => find(block, Term(term)).unwrap(),
                    None => Vec::new(),
                };
                let expected: Vec<(u64, Posting)> = postings.get(&term).into_iter().flatten().map(|(chunk, places)| {
                    let posting = if places.len() < large_places {
                        Posting::Small(Container::from_ascending(places.iter().copied().collect()))
                    } else {
                        Posting::Large(places.len())
                    };
                    (*chunk, posting)
                }).collect();
                prop_assert_eq!(found, expected);
            }
        }

        #[test]
        fn damaged_blocks_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = find(&bytes, Term(0));
        }
    }

    #[test]
    fn a_block_may_be_full_to_the_byte() {
        let entry = [(0, Container::from_ascending(vec![7]))];
        let block_bytes = |terms: usize| 2 + terms * (20 + 14);
        for (bytes, expected) in [(block_bytes(2), vec![2, 1]), (block_bytes(2) - 1, vec![1, 1, 1])] {
            let mut writer = BlockWriter::new(BlockSize { bytes, large_places: 2 });
            (0..3).for_each(|term| writer.push(Term(term), &entry));
            let lengths: Vec<usize> = writer.finish().iter().map(|(_, block)| block.len()).collect();
            assert_eq!(lengths, expected.into_iter().map(block_bytes).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_posting_tells_how_many_places_there_are() {
        let mut writer = BlockWriter::new(BlockSize { bytes: 4080, large_places: 3 });
        let container = |places: u16| Container::from_ascending((0..places).collect());
        writer.push(Term(1), &[(0, container(2)), (1, container(3))]);
        let (_, block) = &writer.finish()[0];
        let lengths: Vec<usize> =
            find(block, Term(1)).unwrap().iter().map(|(_, posting)| posting.len()).collect();
        assert_eq!(lengths, [2, 3]);
    }

    #[test]
    fn blocks_keep_to_their_size() {
        let mut writer = BlockWriter::new(BlockSize::default());
        for term in 0..10_000 {
            writer.push(Term(term), &[(1 << 24, Container::from_ascending(vec![term as u16]))]);
        }
        let blocks = writer.finish();
        assert!(blocks.iter().all(|(_, bytes)| bytes.len() <= 4080));
        assert!(blocks.len() < 10_000 * 34 / 4000 + 3);
    }
}
