//! What a client already has, and what it may keep: entity tags, `If-None-Match`, `Cache-Control` (RFC 9110 §8.8.3,
//! §13.1.2; reference: delivery §10).

use darkroom_model::Image;
use darkroom_service::{Keeping, RenditionName};
use http::{HeaderMap, header};

/// How long a copy that is too old may still be shown while a new one is fetched, in seconds.
const STALE_SECONDS: u32 = 7_200;

/// Returns the strong entity tag of an original as it is, in the API.
pub(crate) fn blob_etag(image: &Image) -> String {
    tag(&image.original.content_hash)
}

/// Returns the strong entity tag of a rendition, or of what is sent in its place.
pub(crate) fn rendition_etag(name: RenditionName) -> String {
    tag(name.as_bytes())
}

/// Returns the strong entity tag of a rendition of an image from elsewhere; its origin's own is part of it.
pub(crate) fn transformed_etag(name: RenditionName, origin: Option<&str>) -> String {
    let own = tag(name.as_bytes());
    // What a weak tag stands for need not be the same to the byte, but what is rendered is.
    let origin = origin.map(|tag| tag.strip_prefix("W/").unwrap_or(tag).trim_matches('"'));
    let is_plain = |text: &&str| text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"');
    match origin.filter(is_plain) {
        Some(origin) => format!("\"cf-{}:{origin}\"", own.trim_matches('"')),
        None => own,
    }
}

/// Half of a hash is enough to tell things apart.
fn tag(hash: &[u8; 32]) -> String {
    let digits: String = hash[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\"{digits}\"")
}

/// Returns what `Cache-Control` says.
pub(crate) fn cache_control(keeping: Keeping) -> String {
    match keeping {
        Keeping::Public(seconds) => {
            format!("public, max-age={seconds}, stale-while-revalidate={STALE_SECONDS}")
        }
        Keeping::Private(seconds) => format!("private, max-age={seconds}"),
    }
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
