//! Whose images may be transformed by URL (reference: delivery §9).

use std::fmt;
use std::str::FromStr;

use percent_encoding::percent_decode_str;

use crate::SourceUrl;
use crate::source_url::Host;

/// One entry of the list of origins: `images.example.com`, `*.example.com` with all its subdomains, `*` for any; but
/// for that, a port and the beginning of a path may follow, as in `images.example.com:8443/public/`. Without a port the
/// usual one is meant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AllowedOrigin {
    host: HostPattern,
    port: Option<u16>,
    /// Begins with a slash; empty if every path will do.
    path_prefix: String,
}

/// Which hosts are meant.
#[derive(Clone, PartialEq, Eq, Debug)]
enum HostPattern {
    Any,
    /// This host and no other.
    Exactly(Host),
    /// This name and all below it.
    WithSubdomains(String),
}

/// Why a text is no origin.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("expected a host such as images.example.com, *.example.com or *, with or without a port and a path")]
pub struct AllowedOriginError;

impl AllowedOrigin {
    /// Says whether a source is of this origin. A source of whose path a server could make another one, by dots, is of
    /// none that names a path.
    pub fn allows(&self, source: &SourceUrl) -> bool {
        let is_host = match &self.host {
            HostPattern::Any => true,
            HostPattern::Exactly(host) => host == source.host(),
            HostPattern::WithSubdomains(root) => match source.host() {
                Host::Name(name) => is_at_or_below(name, root),
                Host::Address(_) => false,
            },
        };
        let is_port = match self.port {
            Some(port) => port == source.port(),
            None => source.port() == source.scheme().port(),
        };
        let path = source.target().split('?').next().unwrap_or_default();
        let is_path = self.path_prefix.is_empty() || (path.starts_with(&self.path_prefix) && !climbs(path));
        is_host && is_port && is_path
    }
}

/// Says whether a path has a segment of dots, encoded or not, or one that some servers take for such: they divide at
/// backslashes too, or leave out of a segment what follows a semicolon.
fn climbs(path: &str) -> bool {
    let decoded: Vec<u8> = percent_decode_str(path).collect();
    let mut segments = decoded.split(|byte| matches!(byte, b'/' | b'\\'));
    segments.any(|segment| matches!(segment.split(|&byte| byte == b';').next(), Some(b"." | b"..")))
}

fn is_at_or_below(name: &str, root: &str) -> bool {
    let above = name.strip_suffix(root);
    above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
}

impl FromStr for AllowedOrigin {
    type Err = AllowedOriginError;

    fn from_str(text: &str) -> Result<AllowedOrigin, AllowedOriginError> {
        let end = text.find('/').unwrap_or(text.len());
        let (authority, path_prefix) = text.split_at(end);
        if authority == "*" {
            // A path would say nothing of hosts that nobody knows.
            return match path_prefix {
                "" => Ok(AllowedOrigin { host: HostPattern::Any, port: None, path_prefix: String::new() }),
                _ => Err(AllowedOriginError),
            };
        }
        let (subdomains, authority) = match authority.strip_prefix("*.") {
            Some(root) => (true, root),
            None => (false, authority),
        };
        // Whatever cannot be a source cannot be the origin of one.
        let source = SourceUrl::parse(&format!("https://{authority}/")).map_err(|_| AllowedOriginError)?;
        let plain = source.credentials().is_none() && !authority.contains(['@', '?', '#']);
        let has_port = authority
            .rsplit_once(':')
            .is_some_and(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
        let host = match (subdomains, source.host()) {
            (true, Host::Name(root)) => HostPattern::WithSubdomains(root.clone()),
            (true, Host::Address(_)) => return Err(AllowedOriginError),
            (false, host) => HostPattern::Exactly(host.clone()),
        };
        if !plain || authority.ends_with(':') || path_prefix.contains(['?', '#']) || climbs(path_prefix) {
            return Err(AllowedOriginError);
        }
        let port = has_port.then(|| source.port());
        Ok(AllowedOrigin { host, port, path_prefix: path_prefix.to_owned() })
    }
}

impl fmt::Display for AllowedOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            HostPattern::Any => f.write_str("*")?,
            HostPattern::Exactly(host) => host.fmt(f)?,
            HostPattern::WithSubdomains(root) => write!(f, "*.{root}")?,
        }
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        f.write_str(&self.path_prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(origin: &str, allowed: &[&str], others: &[&str]) {
        let parsed: AllowedOrigin = origin.parse().unwrap();
        assert_eq!(parsed.to_string(), origin);
        let allows = |source: &str| parsed.allows(&SourceUrl::parse(source).unwrap());
        for source in allowed {
            assert!(allows(source), "{source}");
        }
        for source in others {
            assert!(!allows(source), "{source}");
        }
    }

    #[test]
    fn a_host_is_itself_and_no_other() {
        check(
            "a.example.com",
            &["https://a.example.com/x", "http://A.example.com/", "https://a.example.com:443/x?y"],
            &[
                "https://b.a.example.com/",
                "https://example.com/",
                "https://a.example.com:8443/",
                "https://a.example.com.evil.com/",
                "https://evil.com/a.example.com",
                "https://a.example.com@evil.com/",
            ],
        );
        check("192.0.2.7", &["https://192.0.2.7/"], &["https://192.0.2.70/"]);
        check("[2001:db8::1]:8080", &["http://[2001:db8::1]:8080/"], &["http://[2001:db8::1]/"]);
    }

    #[test]
    fn a_star_is_a_name_and_all_below_it() {
        check(
            "*.example.com",
            &["https://example.com/", "https://a.example.com/", "https://a.b.example.com/"],
            &["https://badexample.com/", "https://example.com.evil.com/", "https://192.0.2.7/"],
        );
        check("*", &["https://example.com/", "http://192.0.2.7/"], &["https://example.com:8443/"]);
    }

    #[test]
    fn a_path_is_a_beginning_that_dots_do_not_leave() {
        check(
            "example.com/public/",
            &["https://example.com/public/a.png", "https://example.com/public/a..b/c.png"],
            &[
                "https://example.com/publicity.png",
                "https://example.com/private/a.png",
                "https://example.com/public/../private/a.png",
                "https://example.com/public/%2e%2E/private/a.png",
                "https://example.com/public/..%2fprivate/a.png",
                "https://example.com/public/..%5cprivate/a.png",
                "https://example.com/public/..;/private/a.png",
                "https://example.com/public/..%3Bx=1/private/a.png",
            ],
        );
    }

    #[test]
    fn what_names_no_origin_is_refused() {
        for text in [
            "",
            "*/x",
            "*.",
            "*.192.0.2.7",
            "https://example.com",
            "user@example.com",
            "example.com:0",
            "a b",
            "example.com/../x",
            "example.com/x?y",
            "ex*mple.com",
            "*.*.com",
        ] {
            assert_eq!(text.parse::<AllowedOrigin>(), Err(AllowedOriginError), "{text}");
        }
    }
}
