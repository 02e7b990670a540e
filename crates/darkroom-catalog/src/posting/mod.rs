//! Postings: which sequence numbers have a term, and the algebra that intersects them.
//!
//! Everything here is derived from records and knows no storage engine. From small to large:
//!
//! - [`term`]: what is looked up: a keyed hash of a field and a value, or of a creator.
//! - [`container`]: the numbers of one *chunk* (65,536 consecutive numbers) that have a term.
//! - [`chunk_set`]: containers by chunk: a set of sequence numbers.
//! - [`mod@column`]: the numeric values of one field in one chunk, for ranges.
//! - [`block`]: many terms' small containers, packed into some 4 KB.
//! - [`segment`]: the immutable postings of a range of numbers, as rows of blocks, containers and columns; and the
//!   [`segment::Manifest`] that names the segments of an account.
//! - [`overlay`]: the postings, in memory, of what no segment answers for.
//! - [`intersect`]: the walk that finds the numbers that match, in page order, piece by piece.

pub(crate) mod block;
pub(crate) mod chunk_set;
pub(crate) mod column;
pub(crate) mod container;
pub(crate) mod intersect;
pub(crate) mod overlay;
pub(crate) mod segment;
pub(crate) mod term;

/// Returns the chunk of a sequence number and its place in it.
pub(crate) fn split(sequence: u64) -> (u64, u16) {
    (sequence >> 16, sequence as u16)
}

/// Returns the sequence number at a place in a chunk.
pub(crate) fn join(chunk: u64, place: u16) -> u64 {
    chunk << 16 | u64::from(place)
}
