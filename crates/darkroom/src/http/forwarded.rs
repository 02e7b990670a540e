//! Who the client is, and what it called us, when proxies stand between.
//!
//! What a proxy says in `X-Forwarded-For`, `-Proto` and `-Host` counts if the operator trusts the address that it
//! speaks from (the setting `trusted_proxies`); anyone else could say it, too.

use std::net::{IpAddr, SocketAddr};

use darkroom_model::Network;
use http::{HeaderMap, HeaderName};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// A client as the nearest trusted proxies tell of it, or as it stands before us.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Client<'h> {
    /// Its address, never one of IPv4 in the clothes of IPv6.
    pub(crate) address: IpAddr,
    /// How it came: `http` or `https`.
    pub(crate) scheme: &'static str,
    /// What it called us, if a proxy knows it; not judged.
    pub(crate) host: Option<&'h str>,
}

impl<'h> Client<'h> {
    /// Finds out who a request is from that came from this address.
    pub(crate) fn of(headers: &'h HeaderMap, peer: IpAddr, trusted: &[Network]) -> Client<'h> {
        let peer = peer.to_canonical();
        let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
        if !is_trusted(peer) {
            return Client { address: peer, scheme: "http", host: None };
        }
        let scheme = match last(headers, &FORWARDED_PROTO) {
            Some(scheme) if scheme.eq_ignore_ascii_case("https") => "https",
            _ => "http",
        };
        let address = behind(headers, peer, is_trusted);
        Client { address, scheme, host: last(headers, &FORWARDED_HOST) }
    }
}

/// Says whether a request names proxies that passed it on, whoever says so.
pub(crate) fn is_passed_on(headers: &HeaderMap) -> bool {
    ["x-forwarded-for", "x-forwarded-host", "x-real-ip", "forwarded", "via"]
        .iter()
        .any(|name| headers.contains_key(*name))
}

/// Walks from proxy to proxy, back to the first address that is not trusted. Each proxy adds whom it heard it from at
/// the end of the list; a word that is no address ends the walk.
fn behind(headers: &HeaderMap, peer: IpAddr, is_trusted: impl Fn(IpAddr) -> bool) -> IpAddr {
    let lists = headers.get_all(FORWARDED_FOR).iter().rev();
    let mut known = peer;
    for word in lists.flat_map(|list| list.to_str().unwrap_or("unreadable").rsplit(',')) {
        let Some(address) = address(word.trim()) else { break };
        known = address;
        if !is_trusted(known) {
            break;
        }
    }
    known
}

/// Reads an address, perhaps with a port.
fn address(text: &str) -> Option<IpAddr> {
    let alone = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    alone.parse().ok().or_else(with_port).map(|address: IpAddr| address.to_canonical())
}

/// Returns the last word of a list, which the nearest proxy wrote.
fn last<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let list = headers.get_all(name).iter().next_back()?.to_str().ok()?;
    list.rsplit(',').next().map(str::trim).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn headers(sent: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in sent {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[track_caller]
    fn check_address(peer: &str, lists: &[&'static str], expected: &str) {
        let trusted = ["10.0.0.0/8", "::1"].map(|text| Network::parse(text).unwrap());
        let sent: Vec<_> = lists.iter().map(|list| ("x-forwarded-for", *list)).collect();
        let headers = headers(&sent);
        let client = Client::of(&headers, peer.parse().unwrap(), &trusted);
        assert_eq!(client.address, expected.parse::<IpAddr>().unwrap(), "{peer} {lists:?}");
    }

    #[test]
    fn a_stranger_cannot_say_who_it_is() {
        check_address("192.0.2.1", &["192.0.2.9"], "192.0.2.1");
        check_address("::ffff:192.0.2.1", &["192.0.2.9"], "192.0.2.1");
        let headers = headers(&[("x-forwarded-proto", "https"), ("x-forwarded-host", "evil.example")]);
        let client = Client::of(&headers, "192.0.2.1".parse().unwrap(), &[]);
        assert_eq!((client.scheme, client.host), ("http", None));
    }

    #[test]
    fn the_first_address_that_is_not_trusted_is_the_client() {
        check_address("10.0.0.1", &["192.0.2.9"], "192.0.2.9");
        check_address("10.0.0.1", &["198.51.100.1, 192.0.2.9, 10.9.9.9"], "192.0.2.9");
        check_address("10.0.0.1", &["198.51.100.1", "192.0.2.9", "10.9.9.9, 10.8.8.8"], "192.0.2.9");
        check_address("::1", &["[2001:db8::1]:4711"], "2001:db8::1");
        check_address("::1", &["2001:db8::1"], "2001:db8::1");
        check_address("::1", &["[2001:db8::1]"], "2001:db8::1");
        check_address("::1", &["192.0.2.9:4711"], "192.0.2.9");
        check_address("::1", &["::ffff:192.0.2.9"], "192.0.2.9");
        check_address("10.0.0.1", &["10.1.1.1"], "10.1.1.1");
    }

    #[test]
    fn nonsense_ends_the_walk() {
        check_address("10.0.0.1", &[], "10.0.0.1");
        check_address("10.0.0.1", &[""], "10.0.0.1");
        check_address("10.0.0.1", &["unknown"], "10.0.0.1");
        check_address("10.0.0.1", &["192.0.2.9, unknown, 10.1.1.1"], "10.1.1.1");
    }

    #[test]
    fn scheme_and_host_are_what_the_nearest_proxy_says() {
        let trusted = [Network::parse("::1").unwrap()];
        let headers = headers(&[
            ("x-forwarded-proto", "http, HTTPS"),
            ("x-forwarded-host", "evil.example"),
            ("x-forwarded-host", "img.example.com"),
        ]);
        let client = Client::of(&headers, "::1".parse().unwrap(), &trusted);
        assert_eq!((client.scheme, client.host), ("https", Some("img.example.com")));
    }
}
