//! What a client already has: entity tags and `If-None-Match` (RFC 9110 §8.8.3, §13.1.2).

use darkroom_model::Image;
use http::{HeaderMap, header};

/// Returns the strong entity tag of an original as it is, in the API.
pub(crate) fn blob_etag(image: &Image) -> String {
    format!("\"{}\"", content_name(image))
}

/// Returns the entity tag of an original in the place of a rendition. It is of a kind of its own, so that no copy
/// outlives the coming of renditions.
pub(crate) fn unresized_etag(image: &Image) -> String {
    format!("\"unresized-{}\"", content_name(image))
}

/// Says whether the client already has what this tag names: `If-None-Match` is compared weakly, may be a list or
/// several headers, and `*` is whatever there is. A header that cannot be read names nothing.
pub(crate) fn client_has(headers: &HeaderMap, etag: &str) -> bool {
    let lists = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    lists.into_iter().any(|list| list.trim() == "*" || tags(list).any(|tag| tag == etag))
}

/// Returns the tags of a list, quotes kept and weakness dropped. A comma inside quotes belongs to its tag.
fn tags(list: &str) -> impl Iterator<Item = &str> {
    let mut rest = list;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        rest = rest.strip_prefix("W/").unwrap_or(rest);
        let end = rest.strip_prefix('"')?.find('"')? + 2;
        let (tag, after) = rest.split_at(end);
        rest = after;
        Some(tag)
    })
}

/// Half of a content hash is enough to tell originals apart.
fn content_name(image: &Image) -> String {
    image.original.content_hash[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lists: &[&str], expected: bool) {
        let mut headers = HeaderMap::new();
        for list in lists {
            headers.append(header::IF_NONE_MATCH, list.parse().unwrap());
        }
        assert_eq!(client_has(&headers, "\"a\""), expected, "{lists:?}");
    }

    #[test]
    fn tags_are_compared_weakly_and_in_lists() {
        check(&["\"a\""], true);
        check(&["W/\"a\""], true);
        check(&["\"b\", \"a\""], true);
        check(&["\"b\",W/\"a\""], true);
        check(&["\"b\"", "\"a\""], true);
        check(&["*"], true);
        check(&[" * "], true);
    }

    #[test]
    fn other_tags_and_nonsense_match_nothing() {
        check(&[], false);
        check(&[""], false);
        check(&["\"b\""], false);
        check(&["a"], false);
        check(&["\"a"], false);
        check(&["\"b,\"a\"\""], false);
        check(&["\"A\""], false);
        check(&["junk \"a\""], false);
    }
}
