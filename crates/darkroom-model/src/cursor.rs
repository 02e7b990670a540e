//! A place in a listing (reference: list-v2 §3).

use crate::{AccountId, Filters};

/// The number that an image gets when it is committed. Within an account, the order of numbers is the order of
/// commits and of `uploaded`; a number is never reused or changed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Sequence(pub u64);

impl Sequence {
    /// The first number of an account. Numbers grow from here; an import of older images fills downward.
    pub const FIRST: Sequence = Sequence(1 << 40);
}

/// By upload time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum SortOrder {
    /// Oldest first.
    Ascending,
    /// Newest first, the default.
    #[default]
    Descending,
}

/// A place in the listing that one account got for one question in one order: after the image with this number.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cursor {
    /// Whose listing it is.
    pub account: AccountId,
    /// The last image that was returned.
    pub sequence: Sequence,
    /// The order of the listing.
    pub sort_order: SortOrder,
    /// [`Filters::digest`] of the listing.
    pub filters_digest: [u8; 32],
}

impl Cursor {
    /// Returns the cursor after `sequence` in this listing.
    pub fn new(account: AccountId, sequence: Sequence, sort_order: SortOrder, filters: &Filters) -> Cursor {
        Cursor { account, sequence, sort_order, filters_digest: filters.digest() }
    }
}
