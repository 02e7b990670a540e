//! Chance that a seed repeats (splitmix64).

use darkroom_model::{Ids, RandomIds};

#[derive(Clone)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn from_seed(seed: u64) -> Chance {
        Chance(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).expect("below a usize")
    }

    pub(crate) fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }
}

/// Returns `DARKROOM_TEST_SEED`, or a seed that was never used before.
pub(crate) fn seed() -> u64 {
    match std::env::var("DARKROOM_TEST_SEED") {
        Ok(seed) => seed.parse().expect("DARKROOM_TEST_SEED is a number"),
        Err(_) => {
            let mut bytes = [0; 8];
            RandomIds.fill(&mut bytes);
            u64::from_le_bytes(bytes)
        }
    }
}
