//! The keys of every table. All integers are big-endian, so that the order of keys is the order of numbers.

use std::ops::Range;

use darkroom_model::OriginalKey;

use crate::posting::segment::RowKey;

/// The number that stands for an account in keys; given when the account is made, never reused.
pub(crate) type AccountNumber = u32;

/// Key of an account, its state and its manifest.
pub(crate) fn account(account: AccountNumber) -> [u8; 4] {
    account.to_be_bytes()
}

/// Key of a record and of a mask.
pub(crate) fn sequence(account: AccountNumber, sequence: u64) -> [u8; 12] {
    let mut key = [0; 12];
    key[..4].copy_from_slice(&account.to_be_bytes());
    key[4..].copy_from_slice(&sequence.to_be_bytes());
    key
}

/// Keys of the records or masks of a range.
pub(crate) fn sequences(account: AccountNumber, range: Range<u64>) -> Range<[u8; 12]> {
    sequence(account, range.start)..sequence(account, range.end)
}

/// Reads the sequence number out of [`sequence`].
pub(crate) fn sequence_of(key: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(key.get(4..)?.try_into().ok()?))
}

/// Key of an image's id.
pub(crate) fn id(account: AccountNumber, id_hash: &[u8; 16]) -> [u8; 20] {
    let mut key = [0; 20];
    key[..4].copy_from_slice(&account.to_be_bytes());
    key[4..].copy_from_slice(id_hash);
    key
}

/// What the keys of a segment's rows begin with.
pub(crate) fn segment(account: AccountNumber, segment: u64) -> [u8; 12] {
    sequence(account, segment)
}

/// Reads account and number of the segment out of a row's key.
pub(crate) fn segment_of(key: &[u8]) -> Option<(AccountNumber, u64)> {
    let account = u32::from_be_bytes(key.get(..4)?.try_into().ok()?);
    Some((account, u64::from_be_bytes(key.get(4..12)?.try_into().ok()?)))
}

/// Key of a segment's row.
pub(crate) fn segment_row(account: AccountNumber, number: u64, row: RowKey) -> Vec<u8> {
    let mut key = segment(account, number).to_vec();
    key.extend(row.to_bytes());
    key
}

/// Key of a note that an original is garbage.
pub(crate) fn garbage(account: AccountNumber, original: &OriginalKey) -> [u8; 36] {
    let mut key = [0; 36];
    key[..4].copy_from_slice(&account.to_be_bytes());
    key[4..20].copy_from_slice(&original.id_hash);
    key[20..].copy_from_slice(&original.random);
    key
}

/// Reads account, id hash and random part out of [`garbage`].
pub(crate) fn garbage_of(key: &[u8]) -> Option<(AccountNumber, [u8; 16], [u8; 16])> {
    let account = u32::from_be_bytes(key.get(..4)?.try_into().ok()?);
    Some((account, key.get(4..20)?.try_into().ok()?, key.get(20..)?.try_into().ok()?))
}
