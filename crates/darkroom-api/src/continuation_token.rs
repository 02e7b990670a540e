//! The token that leads to the next page: a sealed cursor (reference: list-v2 §3).
//!
//! A token is 24 bytes in base64url, 32 characters: as short as the documented schema asks, and safe in a URL even
//! when a client forgets to encode it.
//!
//! | bytes | |
//! |---|---|
//! | 1 | version of this layout |
//! | 8 | sequence number of the last image returned, big-endian |
//! | 15 | keyed BLAKE3 of the above and of what the caller must ask for again: sort order, filters digest, account |
//!
//! What the next request repeats anyway is not stored in the token, only bound to it: a token of another account,
//! order or set of filters fails as a forged one does. 120 bits are beyond guessing over a network.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use darkroom_model::{AccountId, Cursor, Sequence, SortOrder};

use crate::error_codes::ApiError;
use crate::list_query::{ListQuery, query_error};

const VERSION: u8 = 1;
const SEAL_BYTES: usize = 15;
const TOKEN_BYTES: usize = 1 + 8 + SEAL_BYTES;

/// Returns the token for a cursor.
pub fn seal(cursor: &Cursor, key: &[u8; 32]) -> String {
    let mut token = [0; TOKEN_BYTES];
    token[0] = VERSION;
    token[1..9].copy_from_slice(&cursor.sequence.0.to_be_bytes());
    token[9..].copy_from_slice(&seal_of(cursor, key));
    URL_SAFE_NO_PAD.encode(token)
}

/// Reads a token that must have been sealed for this listing of this account; 400 `Invalid continuation_token` for
/// any other text.
pub fn open(token: &str, account: &AccountId, query: &ListQuery, key: &[u8; 32]) -> Result<Cursor, ApiError> {
    unseal(token, account, query, key)
        .ok_or_else(|| query_error("Invalid continuation_token".to_owned(), "continuation_token"))
}

fn unseal(token: &str, account: &AccountId, query: &ListQuery, key: &[u8; 32]) -> Option<Cursor> {
    // One spelling a token: the engine refuses padding and stray bits at the end.
    let bytes: [u8; TOKEN_BYTES] = URL_SAFE_NO_PAD.decode(token).ok()?.try_into().ok()?;
    let (version, rest) = bytes.split_first()?;
    let (sequence, seal) = rest.split_first_chunk::<8>()?;
    if *version != VERSION {
        return None;
    }
    let sequence = Sequence(u64::from_be_bytes(*sequence));
    let cursor = Cursor::new(account.clone(), sequence, query.sort_order, &query.filters);
    equal_in_constant_time(seal, &seal_of(&cursor, key)).then_some(cursor)
}

/// Every field before the account has a fixed length, so no two cursors give the same message.
fn seal_of(cursor: &Cursor, key: &[u8; 32]) -> [u8; SEAL_BYTES] {
    let sort_order = match cursor.sort_order {
        SortOrder::Ascending => 0,
        SortOrder::Descending => 1,
    };
    let mut hasher = blake3::Hasher::new_keyed(key);
    hasher.update(&[VERSION, sort_order]);
    hasher.update(&cursor.sequence.0.to_be_bytes());
    hasher.update(&cursor.filters_digest);
    hasher.update(cursor.account.as_str().as_bytes());
    let mut seal = [0; SEAL_BYTES];
    hasher.finalize_xof().fill(&mut seal);
    seal
}

/// BLAKE3's own hashes compare in constant time; ours is cut, so both sides are filled up again.
fn equal_in_constant_time(seal: &[u8], expected: &[u8; SEAL_BYTES]) -> bool {
    let whole = |part: &[u8]| {
        let mut bytes = [0; blake3::OUT_LEN];
        bytes[..SEAL_BYTES].copy_from_slice(part);
        blake3::Hash::from_bytes(bytes)
    };
    seal.len() == SEAL_BYTES && whole(seal) == whole(expected)
}

#[cfg(test)]
mod tests {
    use super::*;
    use darkroom_model::Limits;

    const KEY: [u8; 32] = [7; 32];

    fn account(text: &str) -> AccountId {
        AccountId::parse(text).unwrap()
    }

    fn query(text: &str) -> ListQuery {
        ListQuery::parse(text, &Limits::default()).unwrap()
    }

    fn cursor(account_id: &str, listing: &str) -> Cursor {
        let query = query(listing);
        Cursor::new(account(account_id), Sequence(1 << 40), query.sort_order, &query.filters)
    }

    fn is_refused(token: &str, account_id: &str, listing: &str, key: &[u8; 32]) -> bool {
        match open(token, &account(account_id), &query(listing), key) {
            Ok(_) => false,
            Err(error) => {
                assert_eq!((error.status, error.code), (400, 5400));
                assert_eq!(error.message, "Invalid continuation_token");
                assert_eq!(error.pointer.as_deref(), Some("/query/continuation_token"));
                assert!(error.documentation_url.is_some());
                true
            }
        }
    }

    #[test]
    fn tokens_are_32_characters_that_need_no_encoding() {
        for sequence in [0, 1, 1 << 40, u64::MAX] {
            let token = seal(&Cursor { sequence: Sequence(sequence), ..cursor("a", "") }, &KEY);
            assert_eq!(token.len(), 32);
            assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'));
        }
    }

    #[test]
    fn a_token_opens_for_its_own_listing_only() {
        let listing = "meta.a[eq]=x&meta.b[lt]=5&creator=c&sort_order=asc&per_page=5";
        let token = seal(&cursor("a", listing), &KEY);
        let same = "sort_order=asc&creator=c&meta.b[lt:number]=5.0&meta.a%5Beq%5D=x&per_page=9&meta.a[eq]=x";
        assert_eq!(open(&token, &account("a"), &query(same), &KEY), Ok(cursor("a", listing)));
        for other in [
            "meta.a[eq]=x&meta.b[lt]=5&creator=c",
            "meta.a[eq]=x&meta.b[lt]=5&sort_order=asc",
            "meta.a[eq]=x&meta.b[lt]=5&creator=&sort_order=asc",
            "meta.a[eq]=x&creator=c&sort_order=asc",
            "meta.a[eq]=y&meta.b[lt]=5&creator=c&sort_order=asc",
            "sort_order=asc",
            "",
        ] {
            assert!(is_refused(&token, "a", other, &KEY), "{other}");
        }
        assert!(is_refused(&token, "b", listing, &KEY));
        assert!(is_refused(&token, "a", listing, &[8; 32]));
    }

    #[test]
    fn other_texts_are_no_tokens() {
        let token = seal(&cursor("a", ""), &KEY);
        for other in [
            "nonsense",
            "iD0bxlWFSVUWsDHbzIqvDkgBW4otifAAuGXLz1n8BQA",
            "=",
            "\0",
            "é",
            &token[1..],
            &token[..31],
            &format!("{token}="),
            &format!("{token}A"),
            &format!("{token}{token}"),
            &format!(" {token}"),
            &token.to_lowercase(),
        ] {
            assert!(is_refused(other, "a", "", &KEY), "{other:?}");
        }
    }

    #[test]
    fn a_layout_of_another_version_is_refused() {
        let mut bytes = URL_SAFE_NO_PAD.decode(seal(&cursor("a", ""), &KEY)).unwrap();
        bytes[0] = VERSION + 1;
        assert!(is_refused(&URL_SAFE_NO_PAD.encode(bytes), "a", "", &KEY));
    }
}
