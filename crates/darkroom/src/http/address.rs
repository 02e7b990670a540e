//! What the URLs in answers begin with.

use std::net::SocketAddr;

use http::header;
use http::request::Parts;

use super::forwarded::Client;
use crate::settings::PublicUrl;

/// Longest `Host` that is repeated: 253 characters of a name, and a port.
const HOST_BYTES_MAX: usize = 260;

/// The name under which the calls of the batch host are at the root (reference: api §15).
const BATCH_HOST: &str = "batch.imagedelivery.net";

/// Says whether a request was sent to the batch host, on whatever port.
pub(crate) fn is_for_batch_host(head: &Parts) -> bool {
    host_of(head).is_some_and(is_batch_host)
}

fn is_batch_host(host: &str) -> bool {
    host.split(':').next().is_some_and(|name| name.eq_ignore_ascii_case(BATCH_HOST))
}

/// Returns scheme and host of the URLs in an answer, without a slash at the end: the operator's, else those that the
/// client used, as far as trusted proxies tell of them. A host that no URL can have, and the batch host, which has no
/// images, are passed over for the address that the request came in on.
pub(crate) fn base_url(
    public_url: Option<&PublicUrl>,
    client: &Client<'_>,
    head: &Parts,
    local_address: SocketAddr,
) -> String {
    if let Some(url) = public_url {
        return url.as_str().to_owned();
    }
    match client.host.or_else(|| host_of(head)) {
        Some(host) if is_host(host) && !is_batch_host(host) => format!("{}://{host}", client.scheme),
        _ => format!("{}://{local_address}", client.scheme),
    }
}

/// Returns what a request calls us: in its target, as HTTP/2 always does, else in its one `Host`.
fn host_of(head: &Parts) -> Option<&str> {
    if let Some(authority) = head.uri.authority() {
        return Some(authority.as_str());
    }
    let mut hosts = head.headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok(),
        _ => None,
    }
}

/// Says whether a text is a host and perhaps a port, of those characters that mean nothing in JSON or HTML.
fn is_host(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (text, None),
    };
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
    };
    let is_v6 = || {
        let inside = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        inside.is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok())
    };
    text.len() <= HOST_BYTES_MAX
        && (is_name(host) || is_v6())
        && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|_| !port.starts_with('+')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use std::net::{IpAddr, Ipv4Addr};

    const STRANGER: Client<'static> =
        Client { address: IpAddr::V4(Ipv4Addr::LOCALHOST), scheme: "http", host: None };

    fn head(target: &str, hosts: &[&str]) -> Parts {
        let (mut head, ()) = http::Request::get(target).body(()).unwrap().into_parts();
        for host in hosts {
            head.headers.append(header::HOST, HeaderValue::from_str(host).unwrap());
        }
        head
    }

    fn check(hosts: &[&str], expected: &str) {
        let local = "127.0.0.1:3535".parse().unwrap();
        assert_eq!(base_url(None, &STRANGER, &head("/", hosts), local), expected, "{hosts:?}");
    }

    #[test]
    fn the_host_that_the_client_used_is_repeated() {
        check(&["img.example.com"], "http://img.example.com");
        check(&["localhost:3535"], "http://localhost:3535");
        check(&["[::1]:3535"], "http://[::1]:3535");
        check(&["[::1]"], "http://[::1]");
    }

    #[test]
    fn the_batch_host_is_known_by_its_name() {
        let is_for_batch = |uri: &str, host: &str| {
            let request = http::Request::get(uri).header("host", host).body(()).unwrap();
            is_for_batch_host(&request.into_parts().0)
        };
        for host in ["batch.imagedelivery.net", "Batch.ImageDelivery.net:3535"] {
            assert!(is_for_batch("/images/v2", host), "{host}");
            check(&[host], "http://127.0.0.1:3535");
        }
        assert!(is_for_batch("http://batch.imagedelivery.net/images/v2", "other.example"));
        assert!(!is_for_batch("http://other.example/images/v2", "batch.imagedelivery.net"));
        for host in ["imagedelivery.net", "xbatch.imagedelivery.net", "batch.imagedelivery.net.example", ""] {
            assert!(!is_for_batch("/images/v2", host), "{host}");
        }
    }

    #[test]
    fn a_host_that_no_url_can_have_is_not_repeated() {
        for host in [
            "", "a\"b", "a b", "a/b", "user@a", "a:b", "a:", "a:99999", "a:+80", "<script>", "[::1", "[x]",
            "::1", "a#b", "a\\b",
        ] {
            check(&[host], "http://127.0.0.1:3535");
        }
        check(&[&"a".repeat(261)], "http://127.0.0.1:3535");
        check(&["a.example", "b.example"], "http://127.0.0.1:3535");
        check(&[], "http://127.0.0.1:3535");
    }

    #[test]
    fn the_operators_url_comes_first() {
        let public = PublicUrl::parse("https://img.example.com/x/").unwrap();
        let head = head("/", &["evil.example"]);
        let local = "127.0.0.1:3535".parse().unwrap();
        assert_eq!(base_url(Some(&public), &STRANGER, &head, local), "https://img.example.com/x");
    }

    #[test]
    fn what_a_trusted_proxy_says_comes_before_the_request() {
        let local = "127.0.0.1:3535".parse().unwrap();
        let head = head("/", &["inside:8080"]);
        let base = |scheme, host| base_url(None, &Client { scheme, host, ..STRANGER }, &head, local);
        assert_eq!(base("https", Some("img.example.com")), "https://img.example.com");
        assert_eq!(base("https", None), "https://inside:8080");
        assert_eq!(base("https", Some("a\"b")), "https://127.0.0.1:3535");
    }

    #[test]
    fn a_host_in_the_target_comes_before_the_header() {
        let local = "127.0.0.1:3535".parse().unwrap();
        let head = head("http://a.example/x", &["b.example"]);
        assert_eq!(base_url(None, &STRANGER, &head, local), "http://a.example");
    }
}
