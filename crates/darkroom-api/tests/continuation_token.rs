//! The token under chance: it opens for the listing that it was sealed for, and for nothing else.

use darkroom_api::continuation_token::{open, seal};
use darkroom_api::{ListQuery, fuzz_targets};
use darkroom_model::{AccountId, Cursor, Limits, Sequence, SortOrder};
use proptest::prelude::*;

fn query(value: &str, sort_order: SortOrder) -> ListQuery {
    let query = ListQuery::parse(&format!("meta.a[eq]={value}"), &Limits::default()).expect("a legal query");
    ListQuery { sort_order, ..query }
}

fn cursor(account: &AccountId, sequence: u64, query: &ListQuery) -> Cursor {
    Cursor::new(account.clone(), Sequence(sequence), query.sort_order, &query.filters)
}

fn account() -> impl Strategy<Value = AccountId> {
    "[A-Za-z0-9_-]{1,64}".prop_map(|text| AccountId::parse(&text).expect("a legal id"))
}

fn sort_order() -> impl Strategy<Value = SortOrder> {
    prop_oneof![Just(SortOrder::Ascending), Just(SortOrder::Descending)]
}

/// The characters of a token, in the order of their values.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

proptest! {
    #[test]
    fn every_cursor_returns(
        account in account(),
        sequence: u64,
        value in "[a-z]{0,8}",
        sort_order in sort_order(),
        key: [u8; 32],
    ) {
        let query = query(&value, sort_order);
        let cursor = cursor(&account, sequence, &query);
        let token = seal(&cursor, &key);
        prop_assert_eq!(token.len(), 32);
        prop_assert!(token.bytes().all(|byte| ALPHABET.contains(&byte)));
        prop_assert_eq!(open(&token, &account, &query, &key), Ok(cursor));
    }

    #[test]
    fn every_changed_bit_is_noticed(account in account(), sequence: u64, key: [u8; 32]) {
        let query = query("x", SortOrder::Descending);
        let token = seal(&cursor(&account, sequence, &query), &key);
        // Six bits a character: each of the 192 is one bit of what was sealed.
        for (place, character) in token.bytes().enumerate() {
            let value = ALPHABET.iter().position(|known| *known == character).unwrap();
            for bit in 0..6 {
                let mut changed = token.clone().into_bytes();
                changed[place] = ALPHABET[value ^ 1 << bit];
                let changed = String::from_utf8(changed).unwrap();
                prop_assert!(open(&changed, &account, &query, &key).is_err(), "{}", changed);
            }
        }
    }

    #[test]
    fn another_account_listing_or_key_is_refused(
        account in account(),
        other in account(),
        sequence: u64,
        key: [u8; 32],
        other_key: [u8; 32],
    ) {
        prop_assume!(account != other && key != other_key);
        let mine = query("x", SortOrder::Descending);
        let token = seal(&cursor(&account, sequence, &mine), &key);
        prop_assert!(open(&token, &account, &mine, &key).is_ok());
        prop_assert!(open(&token, &other, &mine, &key).is_err());
        prop_assert!(open(&token, &account, &mine, &other_key).is_err());
        prop_assert!(open(&token, &account, &query("y", SortOrder::Descending), &key).is_err());
        prop_assert!(open(&token, &account, &query("x", SortOrder::Ascending), &key).is_err());
    }

    #[test]
    fn any_text_is_refused(bytes in proptest::collection::vec(any::<u8>(), 0..80), token in "[A-Za-z0-9_-]{32}") {
        fuzz_targets::continuation_token(&bytes);
        fuzz_targets::continuation_token(token.as_bytes());
    }
}
