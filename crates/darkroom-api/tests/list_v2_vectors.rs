//! Every case of `tests/vectors/list-v2.json` that is refused before any image is looked at, and that every other
//! case is accepted. (Which images the others find is tested over HTTP.)

use darkroom_api::ListQuery;
use darkroom_model::Limits;
use serde_json::Value;

const VECTORS: &str = include_str!("../../../tests/vectors/list-v2.json");

/// The pointer that goes with a message: the parameter it speaks of (reference: list-v2 §6).
fn expected_pointer(query: &str, message: &str) -> String {
    let place = match message {
        "Invalid query string: not valid UTF-8" => "",
        text if text.starts_with("Too many metadata filters") => "",
        text if text.starts_with("Duplicate query parameter") => "/per_page",
        text if text.starts_with("Invalid per_page") => "/per_page",
        text if text.starts_with("Invalid sort_order") => "/sort_order",
        // The cases with a bad filter have no other parameter before it.
        _ => {
            let name = query.split('=').next().expect("a split has a first part");
            let name = percent_encoding::percent_decode_str(name).decode_utf8().expect("a readable name");
            return format!("/query/{name}");
        }
    };
    format!("/query{place}")
}

#[test]
fn every_case_is_refused_or_accepted_as_it_says() {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let cases = vectors["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 105);
    let mut refused = 0;
    for case in cases {
        let (row, query) = (&case["row"], case["query"].as_str().unwrap());
        let parsed = ListQuery::parse(query, &Limits::default());
        let message = case["expect"]["message"].as_str();
        let Some(message) = message.filter(|message| *message != "Invalid continuation_token") else {
            assert!(parsed.is_ok(), "row {row}: {parsed:?}");
            continue;
        };
        let error = parsed.unwrap_err();
        assert_eq!(u64::from(error.status), case["expect"]["status"].as_u64().unwrap(), "row {row}");
        assert_eq!(u64::from(error.code), case["expect"]["code"].as_u64().unwrap(), "row {row}");
        assert_eq!(error.message, message, "row {row}");
        assert_eq!(error.pointer, Some(expected_pointer(query, message)), "row {row}");
        refused += 1;
    }
    assert_eq!(refused, 31);
}
