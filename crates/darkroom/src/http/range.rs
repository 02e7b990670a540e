//! Part of an original instead of all of it (RFC 9110 §14): one range, and nothing is read but what is sent.

use std::ops::Range;

use http::{HeaderMap, Method, header};

/// How much of a file a request asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Extent {
    /// All of it.
    Whole,
    /// These bytes.
    Part(Range<u64>),
    /// Only what lies behind its end.
    Beyond,
}

/// Reads `Range` and `If-Range` of a request for a file of so many bytes with this strong tag. A header that cannot be
/// read, another unit, several ranges and other methods than GET are answered with the whole file, as anyone may.
pub(crate) fn extent(method: &Method, headers: &HeaderMap, etag: &str, length: u64) -> Extent {
    let ranges = headers.get_all(header::RANGE);
    let mut ranges = ranges.iter();
    let (Some(range), None) = (ranges.next(), ranges.next()) else { return Extent::Whole };
    if *method != Method::GET || !is_same(headers, etag) {
        return Extent::Whole;
    }
    range.to_str().ok().and_then(|range| parse(range, length)).unwrap_or(Extent::Whole)
}

/// Says whether the file is the one whose beginning the client has. `If-Range` must be our tag to the letter: a weak
/// tag names no bytes, and we give no dates.
fn is_same(headers: &HeaderMap, etag: &str) -> bool {
    let mut tags = headers.get_all(header::IF_RANGE).iter();
    match (tags.next(), tags.next()) {
        (None, _) => true,
        (Some(tag), None) => tag.as_bytes() == etag.as_bytes(),
        (Some(_), Some(_)) => false,
    }
}

/// Reads one range of bytes: `bytes=5-9`, `bytes=5-`, `bytes=-5`.
fn parse(text: &str, length: u64) -> Option<Extent> {
    let (unit, range) = text.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (first, last) = range.trim_matches([' ', '\t']).split_once('-')?;
    let range = match (first, last) {
        ("", count) => {
            let count = number(count)?.min(length);
            length - count..length
        }
        (first, "") => number(first)?..length,
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            if last < first {
                return None;
            }
            first..last.saturating_add(1).min(length)
        }
    };
    Some(if range.is_empty() { Extent::Beyond } else { Extent::Part(range) })
}

/// Reads digits; a number too large for any file is the largest one.
fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    const ETAG: &str = "\"a\"";

    #[track_caller]
    fn check_with(method: Method, sent: &[(&'static str, &'static str)], expected: Extent) {
        let mut headers = HeaderMap::new();
        for (name, value) in sent {
            headers.append(*name, HeaderValue::from_static(value));
        }
        assert_eq!(extent(&method, &headers, ETAG, 100), expected, "{method} {sent:?}");
    }

    #[track_caller]
    fn check(range: &'static str, expected: Extent) {
        check_with(Method::GET, &[("range", range)], expected);
    }

    #[test]
    fn a_range_has_its_ends_in_it() {
        check("bytes=0-0", Extent::Part(0..1));
        check("bytes=5-9", Extent::Part(5..10));
        check("bytes=5-", Extent::Part(5..100));
        check("bytes=99-", Extent::Part(99..100));
        check("bytes=-5", Extent::Part(95..100));
        check("Bytes = 5-9", Extent::Part(5..10));
    }

    #[test]
    fn a_range_that_reaches_too_far_ends_with_the_file() {
        check("bytes=5-100", Extent::Part(5..100));
        check("bytes=-101", Extent::Part(0..100));
        check("bytes=5-99999999999999999999999999", Extent::Part(5..100));
        check("bytes=-18446744073709551615", Extent::Part(0..100));
    }

    #[test]
    fn a_range_behind_the_end_has_nothing_in_it() {
        check("bytes=100-", Extent::Beyond);
        check("bytes=100-200", Extent::Beyond);
        check("bytes=-0", Extent::Beyond);
        check("bytes=18446744073709551615-18446744073709551615", Extent::Beyond);
        check("bytes=99999999999999999999999999-", Extent::Beyond);
    }

    #[test]
    fn what_is_no_single_range_of_bytes_is_passed_over() {
        for range in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=9-5",
            "bytes=a-b",
            "bytes=5",
            "bytes=+5-9",
            "bytes=5-9-",
            "bytes=0-1,5-9",
            "bytes=5 - 9",
            "lines=1-2",
            "bytes: 5-9",
            "bytes=0x1-0x2",
            "bytes=--5",
        ] {
            check(range, Extent::Whole);
        }
        check_with(Method::GET, &[("range", "bytes=0-1"), ("range", "bytes=0-1")], Extent::Whole);
        check_with(Method::HEAD, &[("range", "bytes=0-1")], Extent::Whole);
        check_with(Method::GET, &[], Extent::Whole);
    }

    #[test]
    fn another_file_than_the_client_has_is_sent_whole() {
        let check = |tag, expected| {
            check_with(Method::GET, &[("range", "bytes=0-1"), ("if-range", tag)], expected);
        };
        check("\"a\"", Extent::Part(0..2));
        for other in ["\"b\"", "W/\"a\"", "a", "*", "\"a\", \"b\"", "Tue, 24 Nov 2026 12:00:00 GMT"] {
            check(other, Extent::Whole);
        }
    }
}
