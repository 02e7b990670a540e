//! Where an image can be fetched from (reference: api §3.1, §3.2).
//!
//! The reader is narrower than a browser's. Whoever can name a host in two ways can have one of them checked and the
//! other one used, so a host is either an address in its one usual notation or a name that can be nothing else.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

/// Longest URL in bytes: longer than any that a browser's address line takes, and a small part of a request's head.
pub const SOURCE_URL_BYTES_MAX: usize = 8 << 10;

/// An `http` or `https` URL, without a fragment. Not shown by `Debug`, since URLs carry secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct SourceUrl {
    scheme: Scheme,
    credentials: Option<Credentials>,
    host: Host,
    port: u16,
    /// Path and query as they are sent; begins with a slash.
    target: String,
}

/// How an origin is spoken to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scheme {
    /// In clear text.
    Http,
    /// Over TLS.
    Https,
}

/// Who an origin is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Host {
    /// A name to be resolved, in lower case.
    Name(String),
    /// An address.
    Address(IpAddr),
}

/// What stands before the `@`, decoded: for Basic authentication, and never to be stored or logged.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials(Vec<u8>);

/// Why a text is no source. The text is not repeated: it may hold a password.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SourceUrlError {
    /// Another scheme, or none.
    #[error("must be an http or https URL")]
    NotHttp,
    /// Longer than [`SOURCE_URL_BYTES_MAX`].
    #[error("maximum {SOURCE_URL_BYTES_MAX} bytes allowed")]
    TooLong,
    /// A control character, a tab or a line feed somewhere.
    #[error("must not contain control characters")]
    ControlCharacter,
    /// Neither a name nor an address in its usual notation.
    #[error("its host must be a name in ASCII or an address in its usual notation")]
    BadHost,
    /// No number from 1 to 65535.
    #[error("its port must be a number from 1 to 65535")]
    BadPort,
    /// User and password that Basic authentication cannot carry.
    #[error("its user and password cannot be sent")]
    BadCredentials,
}

/// What cannot stand in the target of a request, although people write it.
const UNSAFE: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

impl SourceUrl {
    /// Reads an absolute URL.
    pub fn parse(text: &str) -> Result<SourceUrl, SourceUrlError> {
        check_text(text)?;
        let (scheme, rest) = Scheme::strip(text).ok_or(SourceUrlError::NotHttp)?;
        SourceUrl::parse_after_scheme(scheme, rest)
    }

    /// Reads a `Location` of an answer from this URL: absolute, or relative in any of the ways of RFC 3986 §4.2.
    pub fn join(&self, reference: &str) -> Result<SourceUrl, SourceUrlError> {
        check_text(reference)?;
        if let Some((scheme, rest)) = Scheme::strip(reference) {
            return SourceUrl::parse_after_scheme(scheme, rest);
        }
        if let Some(rest) = reference.strip_prefix("//") {
            return SourceUrl::parse_after_scheme(self.scheme, rest);
        }
        let first = reference.split(['/', '?', '#']).next().unwrap_or_default();
        if first.contains(':') {
            return Err(SourceUrlError::NotHttp);
        }
        let (path, _) = split_target(&self.target);
        let target = match reference.as_bytes().first() {
            None | Some(b'#') => self.target.clone(),
            Some(b'/') => target(reference),
            Some(b'?') => target(&format!("{path}{reference}")),
            Some(_) => {
                let folder = path.rfind('/').map_or("", |end| &path[..end]);
                target(&format!("{folder}/{reference}"))
            }
        };
        SourceUrl { target, ..self.clone() }.within_limit()
    }

    /// Returns how the origin is spoken to.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Returns who the origin is.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Returns the port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns path and query as they are sent.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Returns what `Host` says: the host, and the port unless it is the usual one.
    pub fn authority(&self) -> String {
        if self.port == self.scheme.port() {
            self.host.to_string()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// Returns the URL as text, without user and password.
    pub fn to_url(&self) -> String {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        format!("{scheme}://{}{}", self.authority(), self.target)
    }

    /// Returns user and password, if there are any.
    pub fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
    }

    /// Says whether scheme, host and port are the same: what the one was told in confidence, the other may be told.
    pub fn is_same_origin(&self, other: &SourceUrl) -> bool {
        (self.scheme, &self.host, self.port) == (other.scheme, &other.host, other.port)
    }

    /// Returns the same URL with these credentials.
    pub fn with_credentials(self, credentials: Option<Credentials>) -> SourceUrl {
        SourceUrl { credentials, ..self }
    }

    /// Returns the last segment of the path, decoded unless it would not be text then; may be empty, and may hold
    /// slashes that were encoded.
    pub fn last_segment(&self) -> String {
        let (path, _) = split_target(&self.target);
        let segment = path.rsplit('/').next().unwrap_or_default();
        percent_decode_str(segment)
            .decode_utf8()
            .map_or_else(|_| segment.to_owned(), |text| text.into_owned())
    }

    fn parse_after_scheme(scheme: Scheme, rest: &str) -> Result<SourceUrl, SourceUrlError> {
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        let (credentials, place) = match authority.rsplit_once('@') {
            // What stands before the last `@` may hold another one; browsers and curl do not agree on it.
            Some((credentials, place)) => (Credentials::parse(credentials)?, place),
            None => (None, authority),
        };
        let (host, port) = split_port(place)?;
        let host = Host::parse(host).ok_or(SourceUrlError::BadHost)?;
        let port = port.map_or(Some(scheme.port()), parse_port).ok_or(SourceUrlError::BadPort)?;
        let target = match rest.as_bytes().first() {
            Some(b'/') => target(rest),
            _ => target(&format!("/{rest}")),
        };
        SourceUrl { scheme, credentials, host, port, target }.within_limit()
    }

    /// Judges the length of the URL as we write it: characters that had to be encoded made it longer.
    fn within_limit(self) -> Result<SourceUrl, SourceUrlError> {
        let scheme = match self.scheme {
            Scheme::Http => "http://",
            Scheme::Https => "https://",
        };
        let length = scheme.len() + self.authority().len() + self.target.len();
        if length > SOURCE_URL_BYTES_MAX { Err(SourceUrlError::TooLong) } else { Ok(self) }
    }
}

impl Scheme {
    /// Returns the port that need not be named.
    pub fn port(self) -> u16 {
        match self {
            Scheme::Http => 80,
            Scheme::Https => 443,
        }
    }

    /// Returns the scheme of an absolute URL, and what follows its slashes.
    fn strip(text: &str) -> Option<(Scheme, &str)> {
        let (name, rest) = text.split_once("://")?;
        match name {
            _ if name.eq_ignore_ascii_case("http") => Some((Scheme::Http, rest)),
            _ if name.eq_ignore_ascii_case("https") => Some((Scheme::Https, rest)),
            _ => None,
        }
    }
}

impl Host {
    /// Reads a host. Numbers that some resolvers take for addresses (`127.1`, `0x7f000001`, `2130706433`,
    /// `0177.0.0.1`) are neither addresses here nor names.
    fn parse(text: &str) -> Option<Host> {
        if let Some(address) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
            return address.parse::<Ipv6Addr>().ok().map(|address| Host::Address(address.into()));
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        let last = name.rsplit('.').next().unwrap_or_default();
        if is_numeric(last) {
            // An address with a dot at its end is one too many ways to write it.
            return text.parse().ok().map(|address| Host::Address(IpAddr::V4(address)));
        }
        let is_name = (1..=253).contains(&name.len()) && name.split('.').all(is_label);
        is_name.then(|| Host::Name(text.to_ascii_lowercase()))
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => f.write_str(name),
            Host::Address(IpAddr::V4(address)) => address.fmt(f),
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

impl Credentials {
    /// Returns `user:password`, as Basic authentication encodes it.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Reads what stands before the `@`; `None` if that is nothing.
    fn parse(text: &str) -> Result<Option<Credentials>, SourceUrlError> {
        if text.contains('@') {
            return Err(SourceUrlError::BadCredentials);
        }
        let (user, password) = text.split_once(':').unwrap_or((text, ""));
        let decode = |text: &str| percent_decode_str(text).collect::<Vec<u8>>();
        let (user, password) = (decode(user), decode(password));
        if user.contains(&b':') || user.iter().chain(&password).any(u8::is_ascii_control) {
            return Err(SourceUrlError::BadCredentials);
        }
        let is_there = !user.is_empty() || !password.is_empty();
        Ok(is_there.then(|| Credentials([&user[..], b":", &password].concat())))
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(..)")
    }
}

impl fmt::Debug for SourceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SourceUrl(..)")
    }
}

fn check_text(text: &str) -> Result<(), SourceUrlError> {
    if text.len() > SOURCE_URL_BYTES_MAX {
        return Err(SourceUrlError::TooLong);
    }
    match text.chars().any(char::is_control) {
        true => Err(SourceUrlError::ControlCharacter),
        false => Ok(()),
    }
}

/// Returns a path and query without fragment and dot segments, in characters that a request may have.
fn target(text: &str) -> String {
    let text = text.split('#').next().unwrap_or_default();
    let (path, query) = split_target(text);
    let mut segments: Vec<&str> = Vec::new();
    let mut parts = path.split('/').skip(1).peekable();
    while let Some(part) = parts.next() {
        let is_last = parts.peek().is_none();
        match part {
            "." => {}
            ".." => drop(segments.pop()),
            part => segments.push(part),
        }
        // A path that ends in dots ends in a slash.
        if is_last && matches!(part, "." | "..") {
            segments.push("");
        }
    }
    let path = segments.join("/");
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    utf8_percent_encode(&format!("/{path}{query}"), UNSAFE).to_string()
}

/// Divides a target into path and query.
fn split_target(target: &str) -> (&str, Option<&str>) {
    target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)))
}

/// Divides a place into host and port; a colon without a port is as good as none.
fn split_port(place: &str) -> Result<(&str, Option<&str>), SourceUrlError> {
    let end = match place.starts_with('[') {
        true => place.find(']').map(|end| end + 1).ok_or(SourceUrlError::BadHost)?,
        false => place.find(':').unwrap_or(place.len()),
    };
    match place.split_at(end) {
        (host, "" | ":") => Ok((host, None)),
        (host, rest) => {
            let port = rest.strip_prefix(':').ok_or(SourceUrlError::BadHost)?;
            Ok((host, Some(port)))
        }
    }
}

fn parse_port(text: &str) -> Option<u16> {
    let is_number = (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok())?.filter(|port| *port != 0)
}

/// Says whether the last label of a host makes it an address to someone (WHATWG URL, "ends in a number").
fn is_numeric(label: &str) -> bool {
    let is_hex = label.len() >= 2 && label.as_bytes()[..2].eq_ignore_ascii_case(b"0x");
    is_hex || (!label.is_empty() && label.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Underscores are no part of a host's name, and yet of many.
fn is_label(label: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=63).contains(&label.len())
        && label.bytes().all(legal)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Scheme, authority and target, as one text.
    fn shown(url: &SourceUrl) -> String {
        format!("{:?} {} {}", url.scheme(), url.authority(), url.target())
    }

    fn check(text: &str, expected: &str) {
        assert_eq!(SourceUrl::parse(text).map(|url| shown(&url)).as_deref(), Ok(expected), "{text}");
    }

    fn refused(text: &str, expected: SourceUrlError) {
        assert_eq!(SourceUrl::parse(text), Err(expected), "{text:?}");
    }

    #[test]
    fn urls_are_taken_apart() {
        check("http://example.com", "Http example.com /");
        check("HTTPS://Example.COM:443/A.png?b=C#d", "Https example.com /A.png?b=C");
        check("http://example.com.:8080?q", "Http example.com.:8080 /?q");
        check("http://example.com:/a", "Http example.com /a");
        check("https://example.com:80", "Https example.com:80 /");
        check("http://a_b.x-1.example/", "Http a_b.x-1.example /");
        check("http://192.0.2.1/", "Http 192.0.2.1 /");
        check("http://[2001:DB8::1]:81/", "Http [2001:db8::1]:81 /");
        check("http://a.example/#//b.example", "Http a.example /");
    }

    #[test]
    fn targets_become_what_a_request_may_hold() {
        check("http://a.example/my cat.png", "Http a.example /my%20cat.png");
        check("http://a.example/%7Ecat/100%.png", "Http a.example /%7Ecat/100%.png");
        check("http://a.example/é?{\"a\"}", "Http a.example /%C3%A9?%7B%22a%22%7D");
        check("http://a.example/a\\b", "Http a.example /a%5Cb");
        check("http://a.example/a/./b/../../c/..", "Http a.example /");
        check("http://a.example/../../a//b/", "Http a.example /a//b/");
        check("http://a.example/a?b/../c", "Http a.example /a?b/../c");
    }

    #[test]
    fn only_http_is_fetched() {
        for text in [
            "",
            "cat.png",
            "//example.com/a",
            "/a",
            "ftp://example.com",
            "file:///etc/passwd",
            "gopher://a.example",
            "data:image/png;base64,AA",
            "http:example.com",
            "http:/example.com",
            "http:\\\\example.com",
            " http://a.example",
            "javascript://a.example",
            "httpss://a.example",
        ] {
            refused(text, SourceUrlError::NotHttp);
        }
    }

    #[test]
    fn a_host_is_written_in_one_way() {
        for host in [
            // Decimal, octal, hex, short and long forms of 127.0.0.1.
            "2130706433",
            "017700000001",
            "0x7f000001",
            "0X7F.1",
            "127.1",
            "127.0.1",
            "0177.0.0.1",
            "127.0.0.01",
            "0x7f.0.0.1",
            "127.0.0.0x1",
            "127.0.0.1.",
            "127.0.0.256",
            "1.2.3.4.5",
            "0",
            "00.0.0.0",
            "127.0.0.1.0x",
            "foo.0x7f",
            "foo.123",
            "0x.",
            // No hosts at all.
            "",
            ".",
            "..",
            "a..b",
            ".a",
            "-a.example",
            "a-.example",
            "a b",
            "a,b",
            "a%2eb",
            "%31%32%37.0.0.1",
            "*",
            "\u{ff11}\u{ff12}\u{ff17}.0.0.1",
            "bücher.example",
            "127\u{3002}0\u{3002}0\u{3002}1",
            "a\\b",
            "a!b",
            "[127.0.0.1]",
            "[::1",
            "::1",
            "[]",
            "[::1%25eth0]",
            "[::1%eth0]",
            "[fe80::1%1]",
            "[v1.a]",
            "[::1]x",
            "[::ffff:127.1]",
            "[::ffff:0177.0.0.1]",
            "[1::2::3]",
            "a]",
        ] {
            let parsed = SourceUrl::parse(&format!("http://{host}/"));
            assert!(
                matches!(parsed, Err(SourceUrlError::BadHost | SourceUrlError::BadPort)),
                "{host:?}: {parsed:?}"
            );
        }
        let long = "a".repeat(63);
        check(&format!("http://{long}"), &format!("Http {long} /"));
        refused(&format!("http://{long}a"), SourceUrlError::BadHost);
        refused(&format!("http://{}", [&*long; 4].join(".")), SourceUrlError::BadHost);
    }

    #[test]
    fn a_port_is_a_number() {
        for port in ["0", "65536", "+80", "-1", "8a", "80 ", "000080", "1e2", "80:80"] {
            refused(&format!("http://a.example:{port}/"), SourceUrlError::BadPort);
        }
        check("http://a.example:65535", "Http a.example:65535 /");
    }

    #[test]
    fn control_characters_are_nowhere() {
        for text in [
            "http://a.example/\r\nx: y",
            "ht\ttp://a.example",
            "http://a.exa\nmple",
            "http://a.example/\0",
            "\u{85}",
        ] {
            refused(text, SourceUrlError::ControlCharacter);
        }
        refused(&format!("http://a.example/{}", "a".repeat(SOURCE_URL_BYTES_MAX)), SourceUrlError::TooLong);
        refused(
            &format!("http://a.example/{}", "é".repeat(SOURCE_URL_BYTES_MAX / 3)),
            SourceUrlError::TooLong,
        );
    }

    #[test]
    fn credentials_are_kept_apart_and_never_shown() {
        let exposed = |text: &str| {
            let url = SourceUrl::parse(text)?;
            assert!(!format!("{url:?}{:?}{}", url.credentials(), shown(&url)).contains("word"));
            Ok(url
                .credentials()
                .map(|credentials| String::from_utf8_lossy(credentials.expose()).into_owned()))
        };
        for (text, expected) in [
            ("http://me:word@a.example", Some("me:word")),
            ("http://me@a.example", Some("me:")),
            ("http://:word@a.example", Some(":word")),
            ("http://m%65:w%6Frd%40%3a@a.example", Some("me:word@:")),
            ("http://me:word:word@a.example", Some("me:word:word")),
            ("http://@a.example", None),
            ("http://:@a.example", None),
            ("http://a.example/@b", None),
            ("http://a.example?me:secret@b.example", None),
        ] {
            assert_eq!(exposed(text), Ok(expected.map(str::to_owned)), "{text}");
        }
        for text in ["http://a@b@c.example", "http://a%3ab:c@d.example", "http://a:%0d%0a@b.example"] {
            assert_eq!(exposed(text), Err(SourceUrlError::BadCredentials), "{text}");
        }
    }

    #[test]
    fn references_are_joined_as_rfc_3986_shows() {
        // Its §5.4, less what is another scheme.
        let base = SourceUrl::parse("http://me:word@a/b/c/d;p?q").unwrap();
        for (reference, expected) in [
            ("g", "/b/c/g"),
            ("./g", "/b/c/g"),
            ("g/", "/b/c/g/"),
            ("/g", "/g"),
            ("?y", "/b/c/d;p?y"),
            ("g?y", "/b/c/g?y"),
            ("#s", "/b/c/d;p?q"),
            ("g#s", "/b/c/g"),
            (";x", "/b/c/;x"),
            ("", "/b/c/d;p?q"),
            (".", "/b/c/"),
            ("./", "/b/c/"),
            ("..", "/b/"),
            ("../g", "/b/g"),
            ("../..", "/"),
            ("../../../g", "/g"),
            ("/./g", "/g"),
            ("g;x=1/../y", "/b/c/y"),
            ("g?y/./x", "/b/c/g?y/./x"),
            ("a/b:c", "/b/c/a/b:c"),
        ] {
            let joined = base.join(reference).unwrap();
            assert_eq!((joined.authority().as_str(), joined.target()), ("a", expected), "{reference}");
            assert!(joined.is_same_origin(&base));
        }
        let elsewhere = |reference: &str| shown(&base.join(reference).unwrap());
        assert_eq!(elsewhere("//g"), "Http g /");
        assert_eq!(elsewhere("https://g/h?i"), "Https g /h?i");
        for reference in ["g:h", "file:///etc/passwd", "javascript:1", "http:g", "1:2"] {
            assert_eq!(base.join(reference), Err(SourceUrlError::NotHttp), "{reference}");
        }
        assert_eq!(base.join("//127.1/"), Err(SourceUrlError::BadHost));
        let other = base.join("https://a/").unwrap();
        assert!(!other.is_same_origin(&base) && other.credentials().is_none());
    }

    #[test]
    fn the_last_segment_is_decoded() {
        for (text, expected) in [
            ("http://a.example/b/c%20d.png?e/f", "c d.png"),
            ("http://a.example/b%2Fc.png", "b/c.png"),
            ("http://a.example/b/", ""),
            ("http://a.example", ""),
            ("http://a.example/%ff.png", "%ff.png"),
            ("http://a.example/é.png#g/h", "é.png"),
        ] {
            assert_eq!(SourceUrl::parse(text).unwrap().last_segment(), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_read_again_the_same(text in r"(http|https)://[a-z0-9.:@\[\]x%\-]{0,20}[ -~éß]{0,30}") {
            if let Ok(url) = SourceUrl::parse(&text) {
                let scheme = if url.scheme() == Scheme::Http { "http" } else { "https" };
                let written = format!("{scheme}://{}{}", url.authority(), url.target());
                let again = SourceUrl::parse(&written).unwrap();
                prop_assert_eq!(&again, &url.with_credentials(None));
                prop_assert!(again.target().is_ascii() && again.target().starts_with('/'));
            }
        }

        #[test]
        fn no_reference_leads_to_something_else_than_http(reference in any::<String>()) {
            let base = SourceUrl::parse("https://a.example/b/c").unwrap();
            if let Ok(url) = base.join(&reference) {
                prop_assert!(url.target().is_ascii() && url.target().starts_with('/'));
                prop_assert!(!url.target().bytes().any(|byte| byte.is_ascii_control() || byte == b' '));
            }
        }
    }
}
