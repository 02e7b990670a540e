//! Ids that tests decide.

use std::sync::Mutex;

use darkroom_model::{Ids, ImageId, RandomIds};

/// Makes the ids, keys and secrets of a server for tests: from chance, or from a seed the same ones every time.
pub(crate) struct ChosenIds(Mutex<Option<Sequence>>);

/// What follows from a seed.
struct Sequence {
    seed: String,
    /// Ids of images are counted alone, so that which one comes next depends on nothing but how many came before.
    image_ids: u64,
    others: u64,
}

impl ChosenIds {
    /// Begins the sequence of a seed; without one, takes chance.
    pub(crate) fn beginning_with(seed: Option<&str>) -> ChosenIds {
        let ids = ChosenIds(Mutex::default());
        ids.begin(seed);
        ids
    }

    /// Begins anew, with this seed or with chance.
    pub(crate) fn begin(&self, seed: Option<&str>) {
        let sequence = seed.map(|seed| Sequence { seed: seed.to_owned(), image_ids: 0, others: 0 });
        *self.0.lock().expect("no method panics while it holds the sequence") = sequence;
    }

    /// Returns the seed, if there is one.
    pub(crate) fn seed(&self) -> Option<String> {
        let sequence = self.0.lock().expect("no method panics while it holds the sequence");
        sequence.as_ref().map(|sequence| sequence.seed.clone())
    }

    /// Fills the bytes that come next; `false` if chance decides.
    fn fill_next(&self, bytes: &mut [u8], kind: fn(&mut Sequence) -> (&'static str, &mut u64)) -> bool {
        let mut sequence = self.0.lock().expect("no method panics while it holds the sequence");
        let Some(sequence) = &mut *sequence else { return false };
        let (context, count) = kind(sequence);
        let number = *count;
        *count += 1;
        let mut hasher = blake3::Hasher::new_derive_key(context);
        hasher.update(&number.to_le_bytes()).update(sequence.seed.as_bytes());
        hasher.finalize_xof().fill(bytes);
        true
    }
}

impl Ids for ChosenIds {
    fn fill(&self, bytes: &mut [u8]) {
        if !self.fill_next(bytes, |sequence| ("darkroom dev: keys and secrets", &mut sequence.others)) {
            RandomIds.fill(bytes);
        }
    }

    fn image_id(&self) -> ImageId {
        let mut bytes = [0; 16];
        if !self.fill_next(&mut bytes, |sequence| ("darkroom dev: ids of images", &mut sequence.image_ids)) {
            RandomIds.fill(&mut bytes);
        }
        ImageId::generated(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_ids_every_time_whatever_else_is_made() {
        let (first, second) =
            (ChosenIds::beginning_with(Some("seven")), ChosenIds::beginning_with(Some("seven")));
        let ids: Vec<_> = (0..100).map(|_| first.image_id()).collect();
        for (number, id) in ids.iter().enumerate() {
            second.fill(&mut [0; 32]);
            assert_eq!(second.image_id(), *id);
            assert!(!id.is_custom() && !ids[..number].contains(id), "{id:?}");
        }
        second.begin(Some("seven"));
        assert_eq!(second.image_id(), ids[0]);
        second.begin(Some("eight"));
        assert_ne!(second.image_id(), ids[0]);
    }

    #[test]
    fn without_a_seed_chance_decides() {
        let ids = ChosenIds::beginning_with(None);
        assert_ne!(ids.image_id(), ids.image_id());
        assert_eq!(ids.seed(), None);
    }
}
