//! Columns: the numeric values of one field in one chunk.
//!
//! ```text
//! places  u32 how many places have a value
//! values  u32 how many distinct values there are
//! bits    u8  width of a rank
//! set     u32 length, then the container of the places
//! values  10 bytes each, ascending
//! ranks   one for each place in order: the index of its value, bit-packed from the low end of each byte
//! ```

use std::ops::Bound;

use darkroom_model::Number;

use super::container::Container;
use crate::record::Reader;

/// The ends of a range of numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct NumberRange {
    pub(crate) lower: Bound<Number>,
    pub(crate) upper: Bound<Number>,
}

impl NumberRange {
    /// Narrows the range to the numbers that are in the other one too.
    pub(crate) fn narrow(&mut self, other: NumberRange) {
        let is_tighter_lower = match (other.lower, self.lower) {
            (Bound::Unbounded, _) => false,
            (_, Bound::Unbounded) => true,
            (Bound::Excluded(theirs), Bound::Included(ours)) => theirs >= ours,
            (
                Bound::Included(theirs) | Bound::Excluded(theirs),
                Bound::Included(ours) | Bound::Excluded(ours),
            ) => theirs > ours,
        };
        let is_tighter_upper = match (other.upper, self.upper) {
            (Bound::Unbounded, _) => false,
            (_, Bound::Unbounded) => true,
            (Bound::Excluded(theirs), Bound::Included(ours)) => theirs <= ours,
            (
                Bound::Included(theirs) | Bound::Excluded(theirs),
                Bound::Included(ours) | Bound::Excluded(ours),
            ) => theirs < ours,
        };
        if is_tighter_lower {
            self.lower = other.lower;
        }
        if is_tighter_upper {
            self.upper = other.upper;
        }
    }

    /// Says whether no number can be in the range.
    pub(crate) fn is_empty(&self) -> bool {
        match (self.lower, self.upper) {
            (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
            (Bound::Included(lower), Bound::Included(upper)) => lower > upper,
            (
                Bound::Included(lower) | Bound::Excluded(lower),
                Bound::Included(upper) | Bound::Excluded(upper),
            ) => lower >= upper,
        }
    }

    fn is_below(&self, value: Number) -> bool {
        match self.lower {
            Bound::Unbounded => false,
            Bound::Included(lower) => value < lower,
            Bound::Excluded(lower) => value <= lower,
        }
    }

    fn is_within_upper(&self, value: Number) -> bool {
        match self.upper {
            Bound::Unbounded => true,
            Bound::Included(upper) => value <= upper,
            Bound::Excluded(upper) => value < upper,
        }
    }
}

/// Returns the stored form of a column: places ascending, each with its value.
pub(crate) fn write(values_by_place: &[(u16, Number)]) -> Vec<u8> {
    let mut values: Vec<Number> = values_by_place.iter().map(|(_, value)| *value).collect();
    values.sort_unstable();
    values.dedup();
    let bits = usize::BITS - (values.len() - 1).leading_zeros();
    let set = Container::from_ascending(values_by_place.iter().map(|(place, _)| *place).collect()).to_bytes();

    let mut bytes = Vec::new();
    bytes.extend((values_by_place.len() as u32).to_be_bytes());
    bytes.extend((values.len() as u32).to_be_bytes());
    bytes.push(bits as u8);
    bytes.extend((set.len() as u32).to_be_bytes());
    bytes.extend(set);
    values.iter().for_each(|value| bytes.extend(value.to_bytes()));

    let mut packed: u64 = 0;
    let mut filled = 0;
    for (_, value) in values_by_place {
        let rank = values.binary_search(value).expect("every value was collected above");
        packed |= (rank as u64) << filled;
        filled += bits;
        while filled >= 8 {
            bytes.push(packed as u8);
            packed >>= 8;
            filled -= 8;
        }
    }
    if filled > 0 {
        bytes.push(packed as u8);
    }
    bytes
}

/// Returns the places whose value is in a range, of all or of some candidates; `None` if the bytes are no column.
pub(crate) fn scan(bytes: &[u8], range: &NumberRange, candidates: Option<&Container>) -> Option<Container> {
    let mut reader = Reader { bytes };
    let place_count = reader.u32()? as usize;
    let value_count = reader.u32()? as usize;
    let bits = u32::from(reader.u8()?);
    let set_length = reader.u32()? as usize;
    let set = Container::from_bytes(reader.take(set_length)?)?;
    let values = reader.take(value_count.checked_mul(Number::BYTES)?)?.as_chunks::<{ Number::BYTES }>().0;
    let packed = reader.bytes;
    if set.len() != place_count || bits > 16 || packed.len() != (place_count * bits as usize).div_ceil(8) {
        return None;
    }
    let first = values.partition_point(|value| range.is_below(Number::from_bytes(*value)));
    let end = values.partition_point(|value| range.is_within_upper(Number::from_bytes(*value)));
    if first >= end {
        return Some(Container::default());
    }
    if (first, end) == (0, value_count) {
        return Some(candidates.map_or_else(|| set.clone(), |candidates| candidates.and(&set)));
    }
    let mask = (1u32 << bits) - 1;
    let rank = |index: usize| {
        // A rank has at most 16 bits and so lies in at most three bytes.
        let bit = index * bits as usize;
        let byte = |offset: usize| packed.get(bit / 8 + offset).copied().unwrap_or(0);
        (u32::from_le_bytes([byte(0), byte(1), byte(2), 0]) >> (bit % 8) & mask) as usize
    };
    let passes = |index: usize| (first..end).contains(&rank(index));
    let matching = match candidates {
        None => set.iter().enumerate().filter(|(index, _)| passes(*index)).map(|(_, place)| place).collect(),
        Some(candidates) => {
            let ranks = set.ranks();
            candidates.iter().filter(|place| ranks.rank(*place).is_some_and(passes)).collect()
        }
    };
    Some(Container::from_ascending(matching))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use std::ops::RangeBounds;

    const ALL: NumberRange = NumberRange { lower: Bound::Unbounded, upper: Bound::Unbounded };

    fn number(value: i64) -> Number {
        Number::parse(&value.to_string()).unwrap()
    }

    fn bound() -> impl Strategy<Value = Bound<Number>> {
        prop_oneof![
            Just(Bound::Unbounded),
            (-12i64..12).prop_map(|value| Bound::Included(number(value))),
            (-12i64..12).prop_map(|value| Bound::Excluded(number(value))),
        ]
    }

    fn range() -> impl Strategy<Value = NumberRange> {
        (bound(), bound()).prop_map(|(lower, upper)| NumberRange { lower, upper })
    }

    proptest! {
        #[test]
        fn a_scan_finds_the_values_in_the_range(
            values in proptest::collection::btree_map(any::<u16>(), -10i64..10, 1..80),
            others in proptest::collection::btree_set(any::<u16>(), 0..20),
            range in range(),
        ) {
            let candidates: std::collections::BTreeSet<u16> =
                values.keys().step_by(2).copied().chain(others).collect();
            let column: Vec<(u16, Number)> = values.iter().map(|(place, value)| (*place, number(*value))).collect();
            let expected = column.iter().filter(|(_, value)| (range.lower, range.upper).contains(value)).map(|(place, _)| *place);
            let expected = Container::from_ascending(expected.collect());
            let bytes = write(&column);
            prop_assert_eq!(scan(&bytes, &range, None), Some(expected.clone()));
            let candidates = Container::from_ascending(candidates.into_iter().collect());
            prop_assert_eq!(scan(&bytes, &range, Some(&candidates)), Some(candidates.and(&expected)));
        }

        #[test]
        fn a_narrowed_range_holds_what_both_hold(a in range(), b in range(), value in -13i64..13) {
            let mut both = a;
            both.narrow(b);
            let value = number(value);
            let holds = |range: &NumberRange| (range.lower, range.upper).contains(&value);
            prop_assert_eq!(holds(&both), holds(&a) && holds(&b));
            prop_assert!(!(both.is_empty() && holds(&both)));
        }

        #[test]
        fn damaged_columns_never_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..60), cut in 0usize..200) {
            let _ = scan(&bytes, &ALL, None);
            bytes = write(&[(1, number(1)), (2, number(2)), (9, number(3))]);
            bytes.truncate(cut);
            let _ = scan(&bytes, &NumberRange { lower: Bound::Excluded(number(1)), upper: Bound::Unbounded }, None);
        }
    }

    #[test]
    fn equal_bounds_hold_one_number_unless_one_excludes_it() {
        use Bound::{Excluded, Included};
        let five = number(5);
        let range = |lower, upper| NumberRange { lower, upper };
        assert!(!range(Included(five), Included(five)).is_empty());
        assert!(range(Included(five), Excluded(five)).is_empty());
        assert!(range(Excluded(five), Included(five)).is_empty());
        for (first, second) in [(Included(five), Excluded(five)), (Excluded(five), Included(five))] {
            let mut lower = range(first, Bound::Unbounded);
            lower.narrow(range(second, Bound::Unbounded));
            assert_eq!(lower.lower, Excluded(five));
            let mut upper = range(Bound::Unbounded, first);
            upper.narrow(range(Bound::Unbounded, second));
            assert_eq!(upper.upper, Excluded(five));
        }
    }

    #[test]
    fn what_is_no_column_is_refused() {
        // Two places of one value: the ranks take no bits, and the bytes end with the value.
        let column = write(&[(1, number(1)), (2, number(1))]);
        let with = |index: usize, byte: u8, ranks: &[u8]| {
            let mut bytes = column.clone();
            bytes[index] = byte;
            bytes.extend(ranks);
            scan(&bytes, &ALL, None)
        };
        const PLACES: usize = 3;
        const BITS: usize = 8;
        assert_eq!(with(BITS, 0, &[]), Some(Container::from_ascending(vec![1, 2])));
        assert_eq!(with(PLACES, 1, &[]), None, "fewer places than the set has");
        assert_eq!(with(BITS, 17, &[0; 5]), None, "a rank wider than a place");
        assert_eq!(with(BITS, 16, &[0; 4]), Some(Container::from_ascending(vec![1, 2])));
        assert_eq!(with(BITS, 16, &[0; 3]), None, "ranks cut off");
        assert_eq!(with(BITS, 16, &[0; 5]), None, "bytes after the ranks");
    }

    #[test]
    fn every_place_of_a_chunk_with_a_value_of_its_own() {
        let column: BTreeMap<u16, Number> =
            (0..=u16::MAX).map(|place| (place, number(i64::from(place) * 7))).collect();
        let bytes = write(&column.into_iter().collect::<Vec<_>>());
        let range = NumberRange { lower: Bound::Included(number(7)), upper: Bound::Excluded(number(700)) };
        assert_eq!(scan(&bytes, &range, None), Some(Container::from_ascending((1..100).collect())));
    }
}
