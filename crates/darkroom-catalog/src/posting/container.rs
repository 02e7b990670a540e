//! Containers: a set of places in one chunk, sparse as a sorted list, dense as a bitmap.

/// From this many places on, a container is a bitmap (measured: half the time of an intersection for a tenth more
/// space, against the customary 4,096).
const DENSE_MIN: usize = 1024;
const WORDS: usize = 1024;
const BITMAP_BYTES: usize = WORDS * 8;

/// A set of places (0 to 65,535) in one chunk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Container {
    /// Ascending, fewer than [`DENSE_MIN`].
    Sparse(Vec<u16>),
    /// At least [`DENSE_MIN`].
    Dense(Box<Bitmap>),
}

/// A bit for each place, and how many are set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Bitmap {
    words: [u64; WORDS],
    len: usize,
}

impl Default for Container {
    fn default() -> Container {
        Container::Sparse(Vec::new())
    }
}

impl Bitmap {
    fn empty() -> Box<Bitmap> {
        Box::new(Bitmap { words: [0; WORDS], len: 0 })
    }

    fn contains(&self, place: u16) -> bool {
        self.words[usize::from(place >> 6)] >> (place & 63) & 1 == 1
    }

    fn insert(&mut self, place: u16) {
        let word = &mut self.words[usize::from(place >> 6)];
        let bit = 1 << (place & 63);
        self.len += usize::from(*word & bit == 0);
        *word |= bit;
    }

    fn remove(&mut self, place: u16) {
        let word = &mut self.words[usize::from(place >> 6)];
        let bit = 1 << (place & 63);
        self.len -= usize::from(*word & bit != 0);
        *word &= !bit;
    }

    fn zip(&self, other: &Bitmap, operation: impl Fn(u64, u64) -> u64) -> Box<Bitmap> {
        let mut result = Bitmap::empty();
        let mut len = 0;
        for (index, word) in result.words.iter_mut().enumerate() {
            *word = operation(self.words[index], other.words[index]);
            len += word.count_ones() as usize;
        }
        result.len = len;
        result
    }

    /// Returns the places from `first` to `last`, which is not before it.
    fn iter_between(&self, first: u16, last: u16) -> impl DoubleEndedIterator<Item = u16> {
        let words = usize::from(first >> 6)..=usize::from(last >> 6);
        words.flat_map(move |index| {
            Bits(self.word_between(index, first, last)).map(move |bit| (index << 6) as u16 | bit)
        })
    }

    fn count_between(&self, first: u16, last: u16) -> usize {
        let words = usize::from(first >> 6)..=usize::from(last >> 6);
        words.map(|index| self.word_between(index, first, last).count_ones() as usize).sum()
    }

    /// Returns a word without its places before `first` and after `last`.
    fn word_between(&self, index: usize, first: u16, last: u16) -> u64 {
        let mut word = self.words[index];
        if index == usize::from(first >> 6) {
            word &= u64::MAX << (first & 63);
        }
        if index == usize::from(last >> 6) {
            word &= u64::MAX >> (63 - (last & 63));
        }
        word
    }
}

/// The places of the set bits of a word, from either end.
struct Bits(u64);

impl Iterator for Bits {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        let bit = (self.0 != 0).then(|| self.0.trailing_zeros() as u16)?;
        self.0 &= self.0 - 1;
        Some(bit)
    }
}

impl DoubleEndedIterator for Bits {
    fn next_back(&mut self) -> Option<u16> {
        let bit = (self.0 != 0).then(|| 63 - self.0.leading_zeros() as u16)?;
        self.0 &= !(1 << bit);
        Some(bit)
    }
}

impl Container {
    /// Makes a container of places in ascending order.
    pub(crate) fn from_ascending(places: Vec<u16>) -> Container {
        debug_assert!(places.windows(2).all(|pair| pair[0] < pair[1]));
        if places.len() < DENSE_MIN {
            return Container::Sparse(places);
        }
        let mut bitmap = Bitmap::empty();
        for place in places {
            bitmap.insert(place);
        }
        Container::Dense(bitmap)
    }

    /// Returns how many places the set has.
    pub(crate) fn len(&self) -> usize {
        match self {
            Container::Sparse(places) => places.len(),
            Container::Dense(bitmap) => bitmap.len,
        }
    }

    /// Says whether the set is empty.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Says whether a place is in the set.
    pub(crate) fn contains(&self, place: u16) -> bool {
        match self {
            Container::Sparse(places) => places.binary_search(&place).is_ok(),
            Container::Dense(bitmap) => bitmap.contains(place),
        }
    }

    /// Adds a place.
    pub(crate) fn insert(&mut self, place: u16) {
        match self {
            Container::Sparse(places) => {
                if let Err(index) = places.binary_search(&place) {
                    places.insert(index, place);
                }
            }
            Container::Dense(bitmap) => bitmap.insert(place),
        }
        self.normalise();
    }

    /// Removes a place.
    pub(crate) fn remove(&mut self, place: u16) {
        match self {
            Container::Sparse(places) => {
                if let Ok(index) = places.binary_search(&place) {
                    places.remove(index);
                }
            }
            Container::Dense(bitmap) => bitmap.remove(place),
        }
        self.normalise();
    }

    /// Returns the places in both sets.
    pub(crate) fn and(&self, other: &Container) -> Container {
        match (self, other) {
            (Container::Dense(a), Container::Dense(b)) => {
                Container::Dense(a.zip(b, |a, b| a & b)).normalised()
            }
            (Container::Sparse(few), many) | (many, Container::Sparse(few)) => {
                Container::Sparse(few.iter().copied().filter(|place| many.contains(*place)).collect())
            }
        }
    }

    /// Returns the places in either set.
    pub(crate) fn or(&self, other: &Container) -> Container {
        match (self, other) {
            (Container::Dense(a), Container::Dense(b)) => Container::Dense(a.zip(b, |a, b| a | b)),
            (Container::Dense(many), Container::Sparse(few))
            | (Container::Sparse(few), Container::Dense(many)) => {
                let mut result = many.clone();
                few.iter().for_each(|place| result.insert(*place));
                Container::Dense(result)
            }
            (Container::Sparse(a), Container::Sparse(b)) => {
                let mut places: Vec<u16> = a.iter().chain(b).copied().collect();
                places.sort_unstable();
                places.dedup();
                Container::from_ascending(places)
            }
        }
    }

    /// Returns the places in this set and not in the other.
    pub(crate) fn and_not(&self, other: &Container) -> Container {
        match (self, other) {
            (Container::Dense(a), Container::Dense(b)) => {
                Container::Dense(a.zip(b, |a, b| a & !b)).normalised()
            }
            (Container::Dense(many), Container::Sparse(few)) => {
                let mut result = many.clone();
                few.iter().for_each(|place| result.remove(*place));
                Container::Dense(result).normalised()
            }
            (Container::Sparse(few), other) => {
                Container::Sparse(few.iter().copied().filter(|place| !other.contains(*place)).collect())
            }
        }
    }

    /// Returns the places, ascending; from the back, descending.
    pub(crate) fn iter(&self) -> Box<dyn DoubleEndedIterator<Item = u16> + '_> {
        self.iter_between(0, u16::MAX)
    }

    /// Returns the places between two, both included, ascending; from the back, descending.
    pub(crate) fn iter_between(
        &self,
        first: u16,
        last: u16,
    ) -> Box<dyn DoubleEndedIterator<Item = u16> + '_> {
        match self {
            Container::Sparse(places) => Box::new(between(places, first, last).iter().copied()),
            Container::Dense(_) if first > last => Box::new(std::iter::empty()),
            Container::Dense(bitmap) => Box::new(bitmap.iter_between(first, last)),
        }
    }

    /// Returns how many places lie between two, both included.
    pub(crate) fn count_between(&self, first: u16, last: u16) -> usize {
        match self {
            _ if (first, last) == (0, u16::MAX) => self.len(),
            Container::Sparse(places) => between(places, first, last).len(),
            Container::Dense(_) if first > last => 0,
            Container::Dense(bitmap) => bitmap.count_between(first, last),
        }
    }

    /// Returns the order of the places: how many there are below each.
    pub(crate) fn ranks(&self) -> Ranks<'_> {
        match self {
            Container::Sparse(places) => Ranks::Sparse(places),
            Container::Dense(bitmap) => {
                let mut below = Vec::with_capacity(WORDS);
                let mut count = 0;
                for word in &bitmap.words {
                    below.push(count);
                    count += word.count_ones();
                }
                Ranks::Dense { bitmap, below }
            }
        }
    }

    /// Returns the stored form: 8,192 bytes of a bitmap, or fewer of a list, little-endian.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        match self {
            Container::Sparse(places) => places.iter().flat_map(|place| place.to_le_bytes()).collect(),
            Container::Dense(bitmap) => bitmap.words.iter().flat_map(|word| word.to_le_bytes()).collect(),
        }
    }

    /// Reads a stored form; `None` if it is none.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Container> {
        if bytes.len() == BITMAP_BYTES {
            let mut bitmap = Bitmap::empty();
            for (word, bytes) in bitmap.words.iter_mut().zip(bytes.as_chunks().0) {
                *word = u64::from_le_bytes(*bytes);
            }
            bitmap.len = bitmap.words.iter().map(|word| word.count_ones() as usize).sum();
            return Some(Container::Dense(bitmap).normalised());
        }
        let (places, rest) = bytes.as_chunks();
        let places: Vec<u16> = places.iter().map(|bytes| u16::from_le_bytes(*bytes)).collect();
        let ascending = places.windows(2).all(|pair| pair[0] < pair[1]);
        (rest.is_empty() && ascending && places.len() < DENSE_MIN).then_some(Container::Sparse(places))
    }

    fn normalised(mut self) -> Container {
        self.normalise();
        self
    }

    /// INVARIANT: a set has one representation, so that equal sets are equal values.
    fn normalise(&mut self) {
        match self {
            Container::Sparse(places) if places.len() >= DENSE_MIN => {
                *self = Container::from_ascending(std::mem::take(places));
            }
            Container::Dense(bitmap) if bitmap.len < DENSE_MIN => {
                *self = Container::Sparse(bitmap.iter_between(0, u16::MAX).collect());
            }
            Container::Sparse(_) | Container::Dense(_) => {}
        }
    }
}

/// See [`Container::ranks`].
pub(crate) enum Ranks<'a> {
    Sparse(&'a [u16]),
    /// With how many places lie below each word.
    Dense {
        bitmap: &'a Bitmap,
        below: Vec<u32>,
    },
}

impl Ranks<'_> {
    /// Returns how many places lie below this one; `None` if it is not in the set.
    pub(crate) fn rank(&self, place: u16) -> Option<usize> {
        match self {
            Ranks::Sparse(places) => places.binary_search(&place).ok(),
            Ranks::Dense { bitmap, below } => {
                let index = usize::from(place >> 6);
                let lower = bitmap.words[index] & !(u64::MAX << (place & 63));
                bitmap.contains(place).then(|| (below[index] + lower.count_ones()) as usize)
            }
        }
    }
}

/// Returns the part of an ascending list that lies between two places, both included.
fn between(places: &[u16], first: u16, last: u16) -> &[u16] {
    let start = places.partition_point(|place| *place < first);
    let end = places.partition_point(|place| *place <= last);
    places.get(start..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn container(places: &BTreeSet<u16>) -> Container {
        Container::from_ascending(places.iter().copied().collect())
    }

    fn places() -> impl Strategy<Value = BTreeSet<u16>> {
        let sparse = proptest::collection::btree_set(any::<u16>(), 0..40);
        let dense = (any::<u16>(), 900u16..3000, 1u16..20).prop_map(|(start, count, step)| {
            (0..count).map(|i| start.wrapping_add(i.wrapping_mul(step))).collect()
        });
        prop_oneof![sparse, dense]
    }

    proptest! {
        #[test]
        fn the_algebra_is_that_of_sets(a in places(), b in places()) {
            let (x, y) = (container(&a), container(&b));
            prop_assert_eq!(x.and(&y), container(&a.intersection(&b).copied().collect()));
            prop_assert_eq!(x.or(&y), container(&a.union(&b).copied().collect()));
            prop_assert_eq!(x.and_not(&y), container(&a.difference(&b).copied().collect()));
            prop_assert_eq!(x.len(), a.len());
            prop_assert!(x.iter().eq(a.iter().copied()));
            prop_assert!(x.iter().rev().eq(a.iter().rev().copied()));
        }

        #[test]
        fn a_rank_is_the_number_of_places_below(a in places(), probe: u16) {
            let x = container(&a);
            let ranks = x.ranks();
            for (rank, place) in a.iter().enumerate() {
                prop_assert_eq!(ranks.rank(*place), Some(rank));
            }
            prop_assert_eq!(ranks.rank(probe).is_some(), a.contains(&probe));
        }

        #[test]
        fn the_stored_form_returns(a in places()) {
            let x = container(&a);
            prop_assert_eq!(Container::from_bytes(&x.to_bytes()), Some(x));
        }

        #[test]
        fn places_come_and_go(mut a in places(), changes in proptest::collection::vec((any::<bool>(), any::<u16>()), 0..200)) {
            let mut x = container(&a);
            for (add, place) in changes {
                if add {
                    a.insert(place);
                    x.insert(place);
                } else {
                    let place = a.range(place..).next().copied().unwrap_or(place);
                    a.remove(&place);
                    x.remove(place);
                }
                prop_assert_eq!(x.contains(place), a.contains(&place));
            }
            prop_assert_eq!(x, container(&a));
        }

        #[test]
        fn what_lies_between_is_what_the_set_has_there(a in places(), first: u16, last: u16) {
            let expected: Vec<u16> = match first <= last {
                true => a.range(first..=last).copied().collect(),
                false => Vec::new(),
            };
            let x = container(&a);
            prop_assert_eq!(x.count_between(first, last), expected.len());
            prop_assert!(x.iter_between(first, last).eq(expected.iter().copied()));
            prop_assert!(x.iter_between(first, last).rev().eq(expected.iter().rev().copied()));
        }
    }

    #[test]
    fn one_place_is_found_in_a_dense_container_too() {
        let x = Container::from_ascending((0..DENSE_MIN as u16).map(|place| place * 3).collect());
        assert!(matches!(x, Container::Dense(_)));
        assert_eq!((x.count_between(300, 300), x.count_between(301, 301), x.count_between(9, 3)), (1, 0, 0));
        assert!(x.iter_between(300, 300).eq([300]));
        assert!(x.iter_between(301, 301).chain(x.iter_between(9, 3)).next().is_none());
    }

    #[test]
    fn a_set_has_one_representation_however_it_came_about() {
        let few = || (0..DENSE_MIN as u16 - 1).collect::<Vec<_>>();
        let mut x = Container::from_ascending(few());
        assert!(matches!(x, Container::Sparse(_)));
        x.insert(u16::MAX);
        assert!(matches!(x, Container::Dense(_)));
        x.remove(u16::MAX);
        assert_eq!(x, Container::from_ascending(few()));
        assert!(matches!(x, Container::Sparse(_)));
    }

    #[test]
    fn what_is_no_stored_form_is_refused() {
        assert_eq!(Container::from_bytes(&[1]), None);
        assert_eq!(Container::from_bytes(&[2, 0, 1, 0]), None);
        assert_eq!(Container::from_bytes(&[1, 0, 1, 0]), None);
    }
}
