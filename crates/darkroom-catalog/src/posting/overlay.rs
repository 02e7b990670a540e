//! The overlay: the postings, in memory, of every image that no segment answers for.
//!
//! Three layers and a mask, of which each image is in one:
//!
//! - the *tail*: images that were uploaded since the last seal;
//! - the *frozen* tail, while a segment is built from it: it changes no more, so that dropping it is one step;
//! - the *edits*: images inside a segment, or inside the frozen tail, that were changed since it was built.
//!
//! An image inside a segment that was edited or deleted is in the *mask*: what the segment says of it no longer
//! counts. `gone` is the same for the frozen tail, and becomes part of the mask when the frozen tail becomes a segment.
//! What a reader sees is therefore `(segments − mask) ∪ (frozen − gone) ∪ tail ∪ edits`.

use std::collections::{BTreeSet, HashMap};
use std::ops::{Bound, Range};
use std::sync::Arc;

use darkroom_model::Number;

use super::chunk_set::ChunkSet;
use super::column::NumberRange;
use super::intersect::Condition;
use super::segment::Manifest;
use super::term::{ImageTerms, NumericField, Term};

/// Estimated bytes of one image in a layer, besides its terms: what the allocator was seen to take where each image
/// has terms of its own.
const IMAGE_BYTES: usize = 480;
/// Estimated bytes of one term or number of one image in a layer, likewise.
const TERM_BYTES: usize = 290;

/// The postings of some images, in memory.
#[derive(Clone, Default)]
pub(crate) struct Layer {
    images: HashMap<u64, ImageTerms>,
    terms: HashMap<Term, ChunkSet>,
    numbers: HashMap<NumericField, BTreeSet<(Number, u64)>>,
    bytes: usize,
}

impl Layer {
    /// Returns how many images the layer has.
    pub(crate) fn len(&self) -> usize {
        self.images.len()
    }

    /// Returns roughly how many bytes the layer takes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    fn insert(&mut self, sequence: u64, terms: ImageTerms) {
        self.remove(sequence);
        self.bytes += image_bytes(&terms);
        for term in &terms.terms {
            self.terms.entry(*term).or_default().insert(sequence);
        }
        for (field, number) in &terms.numbers {
            self.numbers.entry(*field).or_default().insert((*number, sequence));
        }
        self.images.insert(sequence, terms);
    }

    fn remove(&mut self, sequence: u64) {
        let Some(terms) = self.images.remove(&sequence) else { return };
        self.bytes -= image_bytes(&terms);
        for term in &terms.terms {
            if let Some(set) = self.terms.get_mut(term) {
                set.remove(sequence);
                if set.is_empty() {
                    self.terms.remove(term);
                }
            }
        }
        for (field, number) in &terms.numbers {
            if let Some(set) = self.numbers.get_mut(field) {
                set.remove(&(*number, sequence));
                if set.is_empty() {
                    self.numbers.remove(field);
                }
            }
        }
    }

    /// Returns the images of the layer that pass a condition.
    fn matches(&self, condition: &Condition) -> ChunkSet {
        let mut matches = ChunkSet::default();
        match condition {
            Condition::AnyOf(terms) => {
                terms.iter().filter_map(|term| self.terms.get(term)).for_each(|set| matches.unite(set));
            }
            Condition::Range(field, range) => {
                let NumberRange { lower, upper } = *range;
                let Some(set) = self.numbers.get(field).filter(|_| !range.is_empty()) else { return matches };
                let start = match lower {
                    Bound::Unbounded => Bound::Unbounded,
                    Bound::Included(number) => Bound::Included((number, 0)),
                    Bound::Excluded(number) => Bound::Excluded((number, u64::MAX)),
                };
                let end = match upper {
                    Bound::Unbounded => Bound::Unbounded,
                    Bound::Included(number) => Bound::Included((number, u64::MAX)),
                    Bound::Excluded(number) => Bound::Excluded((number, 0)),
                };
                set.range((start, end)).for_each(|(_, sequence)| matches.insert(*sequence));
            }
        }
        matches
    }
}

fn image_bytes(terms: &ImageTerms) -> usize {
    IMAGE_BYTES + (terms.terms.len() + terms.numbers.len()) * TERM_BYTES
}

/// A tail that a segment is being built from.
#[derive(Clone)]
struct Frozen {
    layer: Layer,
    range: Range<u64>,
    gone: ChunkSet,
}

/// A change to one image, in the order of the commit that made it.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// A new image.
    Insert(u64, ImageTerms),
    /// Another creator or other metadata.
    Edit(u64, ImageTerms),
    /// The image is gone.
    Delete(u64),
}

/// The overlay of one account, and the manifest that it completes, at one version of the account.
#[derive(Clone)]
pub(crate) struct Overlay {
    pub(crate) version: u64,
    pub(crate) manifest: Arc<Manifest>,
    tail: Layer,
    frozen: Option<Frozen>,
    edits: Layer,
    masks: Arc<ChunkSet>,
}

/// What one page needs of the overlay, detached from it.
#[derive(Clone)]
pub(crate) struct OverlayView {
    pub(crate) manifest: Arc<Manifest>,
    pub(crate) masks: Arc<ChunkSet>,
    /// The images of the overlay that pass every condition.
    pub(crate) matches: ChunkSet,
}

impl Overlay {
    /// Makes the overlay of an account from its manifest and from what its records and masks say: `unsealed` are the
    /// images in no segment, `masked` the masked numbers inside segments, with the terms of those that still exist.
    pub(crate) fn rebuild(
        version: u64,
        manifest: Manifest,
        unsealed: impl IntoIterator<Item = (u64, ImageTerms)>,
        masked: impl IntoIterator<Item = (u64, Option<ImageTerms>)>,
    ) -> Overlay {
        let mut tail = Layer::default();
        unsealed.into_iter().for_each(|(sequence, terms)| tail.insert(sequence, terms));
        let mut edits = Layer::default();
        let mut masks = ChunkSet::default();
        for (sequence, terms) in masked {
            masks.insert(sequence);
            if let Some(terms) = terms {
                edits.insert(sequence, terms);
            }
        }
        Overlay { version, manifest: Arc::new(manifest), tail, frozen: None, edits, masks: Arc::new(masks) }
    }

    /// Says whether a change to this image must write a mask: a segment, present or being built, has it.
    pub(crate) fn needs_mask(&self, sequence: u64) -> bool {
        self.frozen.as_ref().is_some_and(|frozen| frozen.range.contains(&sequence))
            || self.manifest.segment_of(sequence).is_some()
    }

    /// Applies what a commit changed.
    pub(crate) fn apply(&mut self, change: Change) {
        let (sequence, terms) = match change {
            Change::Insert(sequence, terms) | Change::Edit(sequence, terms) => (sequence, Some(terms)),
            Change::Delete(sequence) => (sequence, None),
        };
        let needs_mask = self.needs_mask(sequence);
        match &mut self.frozen {
            Some(frozen) if frozen.range.contains(&sequence) => frozen.gone.insert(sequence),
            _ if needs_mask => Arc::make_mut(&mut self.masks).insert(sequence),
            _ => {}
        }
        let layer = if needs_mask { &mut self.edits } else { &mut self.tail };
        match terms {
            Some(terms) => layer.insert(sequence, terms),
            None => layer.remove(sequence),
        }
    }

    /// Returns the tail, which grows with uploads.
    pub(crate) fn tail(&self) -> &Layer {
        &self.tail
    }

    /// Returns the edits, which grow with changes to images inside segments.
    pub(crate) fn edits(&self) -> &Layer {
        &self.edits
    }

    /// Returns the number above those of every image in the tail.
    pub(crate) fn next_sequence(&self) -> u64 {
        self.tail.images.keys().max().map_or(0, |last| last + 1)
    }

    /// Freezes the tail, which holds the images of this range, while a segment is built for it.
    pub(crate) fn freeze(&mut self, range: Range<u64>) {
        debug_assert!(
            self.frozen.is_none() && self.tail.images.keys().all(|sequence| range.contains(sequence))
        );
        let layer = std::mem::take(&mut self.tail);
        self.frozen = Some(Frozen { layer, range, gone: ChunkSet::default() });
    }

    /// Lets a new segment answer for a range. `folded` are the masked numbers that it was built after: their masks
    /// and their edits are no longer needed.
    pub(crate) fn flip(&mut self, manifest: Manifest, range: &Range<u64>, folded: &[u64]) {
        let masks = Arc::make_mut(&mut self.masks);
        if let Some(frozen) = self.frozen.take_if(|frozen| frozen.range == *range) {
            masks.unite(&frozen.gone);
        }
        for sequence in folded {
            masks.remove(*sequence);
            self.edits.remove(*sequence);
        }
        self.manifest = Arc::new(manifest);
    }

    /// Returns how many numbers in a range are masked.
    pub(crate) fn masked(&self, range: Range<u64>) -> usize {
        self.masks.count(range)
    }

    /// Returns roughly how many bytes the overlay takes.
    pub(crate) fn bytes(&self) -> usize {
        let frozen = self.frozen.as_ref().map_or(0, |frozen| frozen.layer.bytes);
        self.tail.bytes + self.edits.bytes + frozen
    }

    /// Returns what a page with these conditions needs.
    pub(crate) fn view(&self, conditions: &[Condition]) -> OverlayView {
        let matching = |condition: &Condition| {
            let mut matches = ChunkSet::default();
            if let Some(frozen) = &self.frozen {
                matches.unite(&frozen.layer.matches(condition));
                matches.subtract(&frozen.gone);
            }
            matches.unite(&self.tail.matches(condition));
            matches.unite(&self.edits.matches(condition));
            matches
        };
        let mut sets = conditions.iter().map(matching);
        let first = sets.next().unwrap_or_default();
        let matches = sets.fold(first, |matches, set| matches.and(&set));
        OverlayView { manifest: Arc::clone(&self.manifest), masks: Arc::clone(&self.masks), matches }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::posting::segment::Segment;

    fn terms(term: u128, number: &str) -> ImageTerms {
        ImageTerms {
            terms: vec![Term(term)],
            numbers: vec![(NumericField(1), Number::parse(number).unwrap())],
        }
    }

    fn found(overlay: &Overlay, condition: Condition) -> Vec<u64> {
        overlay.view(&[condition]).matches.range(0..u64::MAX).collect()
    }

    fn with_term(overlay: &Overlay, term: u128) -> Vec<u64> {
        found(overlay, Condition::AnyOf(vec![Term(term)]))
    }

    fn empty() -> Overlay {
        Overlay::rebuild(0, Manifest::default(), [], [])
    }

    #[test]
    fn the_tail_follows_every_change() {
        let mut overlay = empty();
        overlay.apply(Change::Insert(1, terms(1, "5")));
        overlay.apply(Change::Insert(2, terms(1, "6")));
        overlay.apply(Change::Edit(2, terms(2, "7")));
        assert_eq!((with_term(&overlay, 1), with_term(&overlay, 2)), (vec![1], vec![2]));
        let above_five =
            NumberRange { lower: Bound::Excluded(Number::parse("5").unwrap()), upper: Bound::Unbounded };
        assert_eq!(found(&overlay, Condition::Range(NumericField(1), above_five)), [2]);
        overlay.apply(Change::Delete(1));
        assert!(with_term(&overlay, 1).is_empty());
        overlay.apply(Change::Delete(2));
        assert_eq!((overlay.bytes(), overlay.masks.count(0..u64::MAX)), (0, 0));
        assert!(overlay.tail.terms.is_empty() && overlay.tail.numbers.is_empty());
    }

    #[test]
    fn a_layer_takes_bytes_for_its_images_and_their_terms() {
        let one_term = terms(1, "5");
        let three_terms = ImageTerms { terms: vec![Term(1), Term(2), Term(3)], ..one_term.clone() };
        let (small, large) = (IMAGE_BYTES + 2 * TERM_BYTES, IMAGE_BYTES + 4 * TERM_BYTES);
        let mut overlay = empty();
        overlay.apply(Change::Insert(1, three_terms.clone()));
        overlay.apply(Change::Insert(2, three_terms));
        overlay.apply(Change::Insert(3, one_term.clone()));
        assert_eq!(overlay.tail().bytes(), 2 * large + small);
        overlay.apply(Change::Delete(2));
        assert_eq!(overlay.tail().bytes(), large + small);
        overlay.freeze(1..4);
        overlay.apply(Change::Edit(1, one_term.clone()));
        overlay.apply(Change::Edit(3, one_term.clone()));
        overlay.apply(Change::Insert(4, one_term));
        assert_eq!((overlay.tail().bytes(), overlay.edits().bytes()), (small, 2 * small));
        assert_eq!((overlay.tail().len(), overlay.edits().len()), (1, 2));
        assert_eq!(overlay.bytes(), (large + small) + small + 2 * small);
    }

    #[test]
    fn a_change_during_a_seal_outlives_the_flip_unless_it_was_folded() {
        let mut overlay = empty();
        for sequence in 1..=4 {
            overlay.apply(Change::Insert(sequence, terms(1, "5")));
        }
        overlay.freeze(1..5);
        overlay.apply(Change::Insert(5, terms(1, "5")));
        overlay.apply(Change::Edit(2, terms(2, "5")));
        overlay.apply(Change::Edit(3, terms(2, "5")));
        overlay.apply(Change::Delete(4));
        assert_eq!((with_term(&overlay, 1), with_term(&overlay, 2)), (vec![1, 5], vec![2, 3]));
        let mut manifest = Manifest::default();
        manifest.replace(Segment { number: 1, level: 0, range: 1..5, images: 4 });
        // The segment was built after the edit of 2 and before the other two changes.
        overlay.flip(manifest, &(1..5), &[2]);
        assert_eq!((with_term(&overlay, 1), with_term(&overlay, 2)), (vec![5], vec![3]));
        let view = overlay.view(&[]);
        assert_eq!(view.masks.range(0..10).collect::<Vec<_>>(), [3, 4]);
        assert_eq!([1..3, 1..4, 1..5].map(|range| overlay.masked(range)), [0, 1, 2]);
        assert!(overlay.frozen.is_none());
    }
}
