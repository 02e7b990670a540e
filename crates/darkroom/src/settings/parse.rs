//! The values that settings have, read from text.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use darkroom_model::AccountHash;

/// Where to listen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Listen {
    /// [`Listen::DEFAULT`], of which one suffices.
    Default,
    /// Addresses that the operator named, all of which must bind.
    Named(Vec<SocketAddr>),
}

impl Listen {
    /// The addresses without a setting; 3535 as in 35 mm.
    pub const DEFAULT: [SocketAddr; 2] = [
        SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 3535),
        SocketAddr::new(std::net::IpAddr::V6(Ipv6Addr::LOCALHOST), 3535),
    ];

    /// Reads addresses separated by commas.
    pub(super) fn parse(text: &str) -> Option<Listen> {
        addresses(text).map(Listen::Named)
    }
}

/// Reads addresses with ports, separated by commas.
pub(super) fn addresses(text: &str) -> Option<Vec<SocketAddr>> {
    text.split(',').map(|address| address.trim().parse().ok()).collect()
}

/// How many requests someone may make in a while.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rate {
    /// How many.
    pub requests: u32,
    /// The while.
    pub window: Duration,
}

impl Rate {
    /// Longest while, in seconds.
    const WINDOW_SECONDS_MAX: u64 = 86_400;

    /// Reads a number of requests and a number of seconds: `1200/300`.
    pub fn parse(text: &str) -> Option<Rate> {
        if !text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'/') {
            return None;
        }
        let (requests, seconds) = text.split_once('/')?;
        let (requests, seconds) = (requests.parse().ok()?, seconds.parse().ok()?);
        let is_legal = requests > 0 && (1..=Rate::WINDOW_SECONDS_MAX).contains(&seconds);
        is_legal.then_some(Rate { requests, window: Duration::from_secs(seconds) })
    }
}

/// What the URLs in `variants` begin with: scheme, host and perhaps a path, without a slash at the end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PublicUrl(String);

impl PublicUrl {
    /// Reads an `http` or `https` URL without user, query or fragment; `None` if it is none.
    pub fn parse(text: &str) -> Option<PublicUrl> {
        let url: http::Uri = text.parse().ok()?;
        let scheme = url.scheme_str().filter(|scheme| matches!(*scheme, "http" | "https"))?;
        let authority = url.authority().filter(|authority| !authority.as_str().contains('@'))?;
        if url.query().is_some() || text.contains('#') {
            return None;
        }
        Some(PublicUrl(format!("{scheme}://{authority}{}", url.path().trim_end_matches('/'))))
    }

    /// Returns the URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What other paths of the server begin with: images of an account with such a hash could not be reached.
const FIRST_SEGMENTS: [&str; 7] = ["batch", "cdn-cgi", "client", "dashboard", "health", "metrics", "upload"];

/// Reads the hash of an account whose images are to be delivered.
pub(crate) fn parse_account_hash(text: &str) -> Option<AccountHash> {
    AccountHash::parse(text).ok().filter(|_| !FIRST_SEGMENTS.contains(&text))
}

/// How logs are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    Auto,
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_is_a_place_and_nothing_more() {
        for (text, expected) in [
            ("https://img.example.com", Some("https://img.example.com")),
            ("http://img.example.com:8080/", Some("http://img.example.com:8080")),
            ("https://example.com/images/", Some("https://example.com/images")),
            ("ftp://example.com", None),
            ("example.com", None),
            ("/images", None),
            ("https://user:word@example.com", None),
            ("https://example.com/?a", None),
            ("https://example.com/#a", None),
        ] {
            assert_eq!(PublicUrl::parse(text).as_ref().map(PublicUrl::as_str), expected, "{text}");
        }
    }

    #[test]
    fn an_account_hash_is_no_word_of_another_path() {
        for text in ["Vi7wi5KSItxGFsWRG2Us6Q", "uploads", "Upload", "v4"] {
            assert_eq!(parse_account_hash(text).as_ref().map(AccountHash::as_str), Some(text));
        }
        for text in ["", "a/b", "upload", "cdn-cgi", "client", "batch", "health"] {
            assert_eq!(parse_account_hash(text), None, "{text}");
        }
    }

    #[test]
    fn a_rate_is_two_numbers() {
        let rate = Rate { requests: 1200, window: Duration::from_secs(300) };
        assert_eq!(Rate::parse("1200/300"), Some(rate));
        for text in
            ["", "1200", "/", "0/1", "1/0", "1/86401", "-1/1", "+1/1", "1 / 1", "1/1/1", "4294967296/1"]
        {
            assert_eq!(Rate::parse(text), None, "{text}");
        }
    }

    #[test]
    fn every_named_address_must_be_one() {
        assert_eq!(
            Listen::parse("127.0.0.1:0, [::1]:80"),
            Some(Listen::Named(vec!["127.0.0.1:0".parse().unwrap(), "[::1]:80".parse().unwrap()]))
        );
        for text in ["", "localhost:80", "127.0.0.1", "127.0.0.1:0,", ":80"] {
            assert_eq!(Listen::parse(text), None, "{text}");
        }
    }
}
