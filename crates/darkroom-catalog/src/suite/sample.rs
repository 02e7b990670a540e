//! Images, questions and moments to test with.

use std::sync::atomic::{AtomicU64, Ordering};

use darkroom_model::{
    Account, AccountHash, AccountId, Clock, Creator, Draft, FieldPath, Filters, Ids, ImageId, Limits,
    MediaType, MetaFilter, Metadata, NewImage, Number, Original, OriginalKey, Predicate, Scalar, Timestamp,
};

use crate::{Catalog, Page, PageQuery};

/// A clock that stands where it was put.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    /// Puts the clock.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.0, Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }
}

/// A sequence of numbers that a seed decides (splitmix64): it gives [`Ids`] and choices.
#[derive(Debug)]
pub struct Chance(AtomicU64);

impl Chance {
    /// Begins the sequence of a seed.
    pub fn new(seed: u64) -> Chance {
        Chance(AtomicU64::new(seed))
    }

    /// Returns the next number.
    pub fn next(&self) -> u64 {
        let state = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        let mut mixed = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number below `end`.
    pub fn below(&self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// Says yes once in `times`.
    pub fn once_in(&self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// Returns one of these.
    pub fn pick<T: Copy>(&self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}

impl Ids for Chance {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
    }
}

/// Returns an account by its name.
pub fn account(name: &str) -> Account {
    let id = AccountId::parse(name).expect("a legal account id");
    Account { id, hash: AccountHash::parse(&format!("hash-{name}")).expect("a legal account hash") }
}

/// Returns an image id.
pub fn image_id(text: &str) -> ImageId {
    ImageId::parse(text).expect("a legal image id")
}

/// Returns metadata from JSON.
pub fn metadata(json: &str) -> Metadata {
    Metadata::parse(json, &Limits::default()).expect("legal metadata")
}

/// Returns a creator; the empty text is none.
pub fn creator(text: &str) -> Option<Creator> {
    Creator::parse(text, &Limits::default()).expect("a legal creator")
}

/// Returns a new image whose original lies under a key made of `chance`, as does its file name: no two are the same.
pub fn new_image(
    catalog: &dyn Catalog,
    account: &AccountId,
    id: &str,
    creator: Option<Creator>,
    json: Option<&str>,
    chance: &Chance,
) -> NewImage {
    let id = image_id(id);
    let mut random = [0; 16];
    chance.fill(&mut random);
    let key = OriginalKey { account: account.clone(), id_hash: catalog.secrets().id_hash(&id), random };
    let mut content_hash = [0; 32];
    chance.fill(&mut content_hash);
    NewImage {
        id,
        creator,
        filename: Some(format!("{:032x}.png", u128::from_be_bytes(random))),
        metadata: json.map(metadata),
        require_signed_urls: false,
        original: Original {
            key,
            media_type: MediaType::Png,
            size_bytes: 1,
            width: 1,
            height: 1,
            frames: 1,
            content_hash,
        },
    }
}

/// Returns a draft.
pub fn draft(id: &str, json: &str, created: Timestamp, expires_at: Timestamp) -> Draft {
    Draft {
        id: image_id(id),
        creator: None,
        metadata: Some(metadata(json)),
        require_signed_urls: false,
        created,
        expires_at,
    }
}

/// Returns a question about one field.
pub fn one_filter(path: &str, predicate: Predicate) -> Filters {
    let path = FieldPath::parse(path).expect("a legal field path");
    Filters { creator: None, meta: vec![MetaFilter { path, predicate }] }
}

/// Returns the number of a literal.
pub fn number(text: &str) -> Number {
    Number::parse(text).expect("a number")
}

/// Returns the predicate of a string.
pub fn is_text(text: &str) -> Predicate {
    Predicate::AnyOf(vec![Scalar::String(text.into())])
}

/// Returns the ids of a page.
pub fn ids(page: &Page) -> Vec<String> {
    page.images().map(|image| image.id.to_owned()).collect()
}

/// Walks a listing from end to end in pages of this size and returns the ids.
pub async fn walk(catalog: &dyn Catalog, account: &AccountId, mut query: PageQuery) -> Vec<String> {
    let mut found = Vec::new();
    loop {
        let page = catalog.page(account, query.clone()).await.expect("a page");
        assert!(page.len() <= query.limit);
        found.extend(ids(&page));
        let Some(next) = page.next else { return found };
        assert_eq!(page.len(), query.limit, "a page is full while more follows");
        query.after = Some(next);
    }
}
