//! Images that were read lately. Delivery asks for the same few again and again, and a read on another thread costs more
//! than the rest of an answer whose bytes are in memory.
//!
//! An image is kept with the count of its account's changes at which it was read, and is found as long as that count
//! stands: a commit of the account forgets all its images at once. Nothing needs to be removed.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

use darkroom_model::{Image, ImageId};

use super::keys::AccountNumber;

/// Images that are kept at most.
const PLACES: usize = 4_096;
/// Bytes of JSON beyond which metadata is not kept, nor its image: as many as Cloudflare allows. Their members take some
/// kilobytes of memory, usually one.
const METADATA_BYTES_MAX: usize = 1_024;

/// Counts the commits that change an account's images: odd from before one until it is known what became of it.
///
/// INVARIANT: an image that was read after an even count was returned, and is used while the count is the same, is the
/// one that stands: whoever has been told of a change sees another count, and while one is being made there is none.
#[derive(Default)]
pub(crate) struct Changes(AtomicU64);

impl Changes {
    /// Returns the count; `None` while a change is being made.
    pub(crate) fn settled(&self) -> Option<u64> {
        Some(self.0.load(Ordering::SeqCst)).filter(|count| count.is_multiple_of(2))
    }

    /// A change is about to be made.
    pub(crate) fn begin(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    /// All that was read before is to be forgotten, whether a change is being made or not.
    pub(crate) fn forget(&self) {
        self.0.fetch_add(2, Ordering::SeqCst);
    }

    /// The change was made, or was not.
    pub(crate) fn end(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// The images. Each id has one place, which it shares with others: the last one that was read has it.
pub(crate) struct Recent {
    hasher: RandomState,
    places: Box<[Mutex<Option<Kept>>]>,
}

struct Kept {
    account: AccountNumber,
    changes: u64,
    image: Image,
}

impl Default for Recent {
    fn default() -> Recent {
        let places = (0..PLACES).map(|_| Mutex::default()).collect();
        Recent { hasher: RandomState::new(), places }
    }
}

impl Recent {
    /// Returns an image of this account, if it was read at this count of changes and not displaced since.
    pub(crate) fn find(&self, account: AccountNumber, id: &ImageId, changes: u64) -> Option<Image> {
        let place = self.place(account, id);
        let kept = place.as_ref()?;
        let is_it = kept.account == account && kept.changes == changes && kept.image.id == *id;
        is_it.then(|| kept.image.clone())
    }

    /// Keeps an image that was read after this count of changes was settled, unless it has much metadata.
    pub(crate) fn keep(&self, account: AccountNumber, changes: u64, image: Image) {
        if image.metadata.as_ref().is_some_and(|metadata| metadata.as_json().len() > METADATA_BYTES_MAX) {
            return;
        }
        let mut place = self.place(account, &image.id);
        *place = Some(Kept { account, changes, image });
    }

    fn place(&self, account: AccountNumber, id: &ImageId) -> MutexGuard<'_, Option<Kept>> {
        let hash = self.hasher.hash_one((account, id));
        let place = &self.places[(hash % self.places.len() as u64) as usize];
        place.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use darkroom_model::{Metadata, Timestamp};

    use super::*;
    use crate::MemoryCatalog;
    use crate::suite::sample::{Chance, ManualClock, account, new_image};

    fn image(id: &str) -> Image {
        let chance = Chance::new(1);
        let catalog = MemoryCatalog::new(Arc::new(ManualClock::default()), &chance);
        new_image(&catalog, &account("a").id, id, None, None, &chance).uploaded_at(Timestamp(1))
    }

    #[test]
    fn a_change_forgets_what_was_read_before_it() {
        let (changes, recent) = (Changes::default(), Recent::default());
        let (first, image) = (changes.settled().unwrap(), image("a"));
        recent.keep(1, first, image.clone());
        assert_eq!(recent.find(1, &image.id, first), Some(image.clone()));
        changes.begin();
        assert_eq!(changes.settled(), None);
        changes.end();
        let second = changes.settled().unwrap();
        assert_eq!(recent.find(1, &image.id, second), None);
        // Read before the change, and kept after it.
        recent.keep(1, first, image.clone());
        assert_eq!(recent.find(1, &image.id, second), None);
    }

    #[test]
    fn what_was_read_is_forgotten_even_while_a_change_is_made() {
        let changes = Changes::default();
        changes.begin();
        changes.forget();
        assert_eq!(changes.settled(), None);
        changes.end();
        let before = changes.settled().unwrap();
        changes.forget();
        assert!(changes.settled().is_some_and(|count| count != before));
    }

    #[test]
    fn an_image_with_much_metadata_is_not_kept() {
        let recent = Recent::default();
        for (letters, is_kept) in [(METADATA_BYTES_MAX - 8, true), (METADATA_BYTES_MAX - 7, false)] {
            let metadata = Metadata::from_stored(&format!(r#"{{"a":"{}"}}"#, "x".repeat(letters)));
            assert!(metadata.is_some());
            let image = Image { metadata, ..image(&letters.to_string()) };
            recent.keep(1, 0, image.clone());
            assert_eq!(recent.find(1, &image.id, 0).is_some(), is_kept, "{letters}");
        }
    }

    #[test]
    fn each_account_has_its_own() {
        let (recent, image) = (Recent::default(), image("a"));
        recent.keep(1, 0, image.clone());
        assert_eq!(recent.find(2, &image.id, 0), None);
    }

    #[test]
    fn an_image_is_never_taken_for_another() {
        let recent = Recent::default();
        let images: Vec<Image> = (0..3 * PLACES).map(|number| image(&format!("image {number}"))).collect();
        images.iter().for_each(|image| recent.keep(1, 0, image.clone()));
        let found = images.iter().filter(|image| match recent.find(1, &image.id, 0) {
            Some(found) => found == **image || panic!("{} for {}", found.id, image.id),
            None => false,
        });
        assert!((1..=PLACES).contains(&found.count()));
    }
}
