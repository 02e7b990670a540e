//! Segments: the immutable postings of a range of sequence numbers, and the manifest that names them.

use std::ops::Range;

use darkroom_model::Number;

use super::block::{BlockSize, BlockWriter};
use super::column;
use super::container::Container;
use super::split;
use super::term::{ImageTerms, NumericField, Term};
use crate::record::Reader;

/// One row of a segment: where it lies within the segment, and its bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct SegmentRow {
    pub(crate) key: RowKey,
    pub(crate) bytes: Vec<u8>,
}

/// The key of a row within its segment. The order of keys is the order of rows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum RowKey {
    /// A block, by its first term.
    Block(Term),
    /// A large container.
    Container(Term, u64),
    /// A column.
    Column(NumericField, u64),
}

impl RowKey {
    /// Returns the bytes whose order is the order of keys.
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        let (kind, hash, chunk) = match self {
            RowKey::Block(term) => (0, term.0, None),
            RowKey::Container(term, chunk) => (1, term.0, Some(chunk)),
            RowKey::Column(field, chunk) => (2, field.0, Some(chunk)),
        };
        let mut bytes = vec![kind];
        bytes.extend(hash.to_be_bytes());
        bytes.extend(chunk.into_iter().flat_map(u64::to_be_bytes));
        bytes
    }
}

/// Builds the segment of a range: takes the terms of each image in it, in any order, and returns its rows.
pub(crate) struct SegmentBuilder {
    postings: Vec<(Term, u64)>,
    numbers: Vec<(NumericField, u64, Number)>,
    images: u32,
}

impl SegmentBuilder {
    pub(crate) fn new() -> SegmentBuilder {
        SegmentBuilder { postings: Vec::new(), numbers: Vec::new(), images: 0 }
    }

    /// Adds an image.
    pub(crate) fn push(&mut self, sequence: u64, terms: &ImageTerms) {
        self.images += 1;
        self.postings.extend(terms.terms.iter().map(|term| (*term, sequence)));
        self.numbers.extend(terms.numbers.iter().map(|(field, number)| (*field, sequence, *number)));
    }

    /// Returns how many images were added.
    pub(crate) fn images(&self) -> u32 {
        self.images
    }

    /// Returns the rows in the order of their keys.
    pub(crate) fn finish(mut self, size: BlockSize) -> Vec<SegmentRow> {
        self.postings.sort_unstable();
        let mut blocks = BlockWriter::new(size);
        let mut large = Vec::new();
        for of_term in self.postings.chunk_by(|a, b| a.0 == b.0) {
            let term = of_term[0].0;
            let containers: Vec<(u64, Container)> = of_term
                .chunk_by(|a, b| split(a.1).0 == split(b.1).0)
                .map(|of_chunk| {
                    let places = of_chunk.iter().map(|(_, sequence)| split(*sequence).1).collect();
                    (split(of_chunk[0].1).0, Container::from_ascending(places))
                })
                .collect();
            blocks.push(term, &containers);
            let is_large = |(_, container): &&(u64, Container)| container.len() >= size.large_places;
            large.extend(containers.iter().filter(is_large).map(|(chunk, container)| SegmentRow {
                key: RowKey::Container(term, *chunk),
                bytes: container.to_bytes(),
            }));
        }
        let mut rows: Vec<SegmentRow> = blocks
            .finish()
            .into_iter()
            .map(|(first, bytes)| SegmentRow { key: RowKey::Block(first), bytes })
            .collect();
        rows.append(&mut large);
        self.numbers.sort_unstable();
        let same_column = |a: &(NumericField, u64, Number), b: &(NumericField, u64, Number)| {
            (a.0, split(a.1).0) == (b.0, split(b.1).0)
        };
        rows.extend(self.numbers.chunk_by(same_column).map(|of_column| {
            let values: Vec<(u16, Number)> =
                of_column.iter().map(|(_, sequence, number)| (split(*sequence).1, *number)).collect();
            let key = RowKey::Column(of_column[0].0, split(of_column[0].1).0);
            SegmentRow { key, bytes: column::write(&values) }
        }));
        rows
    }
}

/// A segment that a manifest names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Segment {
    /// Names its rows; never used twice while rows of it may exist.
    pub(crate) number: u64,
    /// 0 as sealed; one more for each merge.
    pub(crate) level: u8,
    /// The sequence numbers it answers for.
    pub(crate) range: Range<u64>,
    /// How many images were in it when it was built.
    pub(crate) images: u32,
}

/// The segments of one account, ascending and apart from each other.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Manifest {
    pub(crate) segments: Vec<Segment>,
}

impl Manifest {
    const VERSION: u8 = 1;

    /// Returns the segment that answers for a number.
    pub(crate) fn segment_of(&self, sequence: u64) -> Option<&Segment> {
        let index = self.segments.partition_point(|segment| segment.range.end <= sequence);
        self.segments.get(index).filter(|segment| segment.range.contains(&sequence))
    }

    /// Returns the ranges that no segment answers for.
    pub(crate) fn gaps(&self) -> Vec<Range<u64>> {
        let starts = std::iter::once(0).chain(self.segments.iter().map(|segment| segment.range.end));
        let ends = self.segments.iter().map(|segment| segment.range.start).chain(std::iter::once(u64::MAX));
        starts.zip(ends).map(|(start, end)| start..end).filter(|range| !range.is_empty()).collect()
    }

    /// Returns the range around a number that no segment answers for.
    pub(crate) fn gap_around(&self, sequence: u64) -> Range<u64> {
        let next = self.segments.partition_point(|segment| segment.range.end <= sequence);
        let start = next.checked_sub(1).map_or(0, |previous| self.segments[previous].range.end);
        start..self.segments.get(next).map_or(u64::MAX, |segment| segment.range.start)
    }

    /// Puts a segment in the place of those whose numbers it answers for now.
    pub(crate) fn replace(&mut self, new: Segment) -> Vec<Segment> {
        let inside =
            |segment: &Segment| new.range.start <= segment.range.start && segment.range.end <= new.range.end;
        let (replaced, mut kept): (Vec<Segment>, Vec<Segment>) = self.segments.drain(..).partition(inside);
        kept.push(new);
        kept.sort_by_key(|segment| segment.range.start);
        self.segments = kept;
        replaced
    }

    /// Returns the range of the first `fan_in` neighbours of the lowest level, if there are so many.
    pub(crate) fn mergeable(&self, fan_in: usize) -> Option<Range<u64>> {
        let neighbours =
            |a: &Segment, b: &Segment| a.level == 0 && b.level == 0 && a.range.end == b.range.start;
        let run = self.segments.chunk_by(neighbours).find(|run| run[0].level == 0 && run.len() >= fan_in)?;
        Some(run[0].range.start..run[fan_in - 1].range.end)
    }

    /// Returns the stored form.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![Manifest::VERSION];
        bytes.extend((self.segments.len() as u32).to_be_bytes());
        for Segment { number, level, range, images } in &self.segments {
            bytes.extend(number.to_be_bytes());
            bytes.push(*level);
            bytes.extend(range.start.to_be_bytes());
            bytes.extend(range.end.to_be_bytes());
            bytes.extend(images.to_be_bytes());
        }
        bytes
    }

    /// Reads the stored form; `None` if it is damaged or newer.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Manifest> {
        let mut reader = Reader { bytes };
        if reader.u8()? != Manifest::VERSION {
            return None;
        }
        let count = reader.u32()?;
        let mut segments = Vec::new();
        for _ in 0..count {
            let number = reader.u64()?;
            let level = reader.u8()?;
            let range = reader.u64()?..reader.u64()?;
            segments.push(Segment { number, level, range, images: reader.u32()? });
        }
        let apart = segments.windows(2).all(|pair| pair[0].range.end <= pair[1].range.start);
        apart.then_some(Manifest { segments })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(number: u64, level: u8, range: Range<u64>) -> Segment {
        Segment { number, level, range, images: 1 }
    }

    #[test]
    fn a_manifest_knows_its_segments_and_its_gaps() {
        let manifest =
            Manifest { segments: vec![segment(1, 0, 10..20), segment(2, 0, 20..30), segment(3, 1, 40..50)] };
        assert_eq!(manifest.gaps(), [0..10, 30..40, 50..u64::MAX]);
        for gap in manifest.gaps() {
            assert_eq!(manifest.gap_around(gap.start), gap);
            assert_eq!(manifest.gap_around(gap.end - 1), gap);
        }
        for (sequence, number) in
            [(9, None), (10, Some(1)), (19, Some(1)), (20, Some(2)), (30, None), (49, Some(3)), (50, None)]
        {
            assert_eq!(manifest.segment_of(sequence).map(|segment| segment.number), number, "{sequence}");
        }
        assert_eq!(Manifest::from_bytes(&manifest.to_bytes()), Some(manifest));
        assert!(Manifest::default().gaps().into_iter().eq(std::iter::once(0..u64::MAX)));
    }

    #[test]
    fn only_neighbours_of_the_lowest_level_are_merged() {
        let manifest = Manifest {
            segments: vec![
                segment(1, 1, 0..10),
                segment(2, 0, 10..20),
                segment(3, 0, 25..30),
                segment(4, 0, 30..40),
                segment(5, 0, 40..50),
                segment(6, 1, 50..60),
            ],
        };
        assert_eq!(manifest.mergeable(3), Some(25..50));
        assert_eq!(manifest.mergeable(2), Some(25..40));
        assert_eq!(manifest.mergeable(4), None);
        let mut merged = manifest;
        let replaced = merged.replace(segment(7, 1, 25..50));
        assert_eq!(replaced.iter().map(|segment| segment.number).collect::<Vec<_>>(), [3, 4, 5]);
        assert_eq!(merged.segments.iter().map(|segment| segment.number).collect::<Vec<_>>(), [1, 2, 7, 6]);
    }

    #[test]
    fn rows_come_in_the_order_of_their_bytes() {
        let mut builder = SegmentBuilder::new();
        let field = NumericField(9);
        for sequence in 65_000..66_000 {
            let terms = vec![Term(1), Term(u128::from(sequence))];
            let numbers = vec![(field, Number::parse("5").unwrap())];
            builder.push(sequence, &ImageTerms { terms, numbers });
        }
        assert_eq!(builder.images(), 1000);
        let rows = builder.finish(BlockSize::default());
        let keys: Vec<Vec<u8>> = rows.iter().map(|row| row.key.to_bytes()).collect();
        assert!(keys.is_sorted());
        let large: Vec<RowKey> =
            rows.iter().map(|row| row.key).filter(|key| !matches!(key, RowKey::Block(_))).collect();
        let expected = [
            RowKey::Container(Term(1), 0),
            RowKey::Container(Term(1), 1),
            RowKey::Column(field, 0),
            RowKey::Column(field, 1),
        ];
        assert_eq!(large, expected);
    }
}
