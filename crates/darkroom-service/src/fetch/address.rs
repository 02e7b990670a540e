//! Which addresses may be called.
//!
//! The tables follow the IANA registries of special-purpose addresses (RFC 6890 and its updates), and refuse more than
//! they must: an image on the public internet has an ordinary address. What hides an IPv4 address inside an IPv6 one
//! is refused whatever it hides, since who unwraps it, and how, is for the network to decide.

use std::net::IpAddr;

use darkroom_model::Network;

/// What is special in IPv4.
const SPECIAL_V4: &[Network] = &[
    Network::v4([0, 0, 0, 0], 8),        // this host, on some systems
    Network::v4([10, 0, 0, 0], 8),       // private
    Network::v4([100, 64, 0, 0], 10),    // shared behind a provider's NAT; Alibaba's metadata
    Network::v4([127, 0, 0, 0], 8),      // loopback
    Network::v4([168, 63, 129, 16], 32), // Azure's platform, seen from inside
    Network::v4([169, 254, 0, 0], 16),   // link-local; metadata of most clouds
    Network::v4([172, 16, 0, 0], 12),    // private
    Network::v4([192, 0, 0, 0], 24),     // protocol assignments; Oracle's metadata
    Network::v4([192, 0, 2, 0], 24),     // documentation
    Network::v4([192, 31, 196, 0], 24),  // AS112
    Network::v4([192, 52, 193, 0], 24),  // multicast tunnels
    Network::v4([192, 88, 99, 0], 24),   // 6to4 relays
    Network::v4([192, 168, 0, 0], 16),   // private
    Network::v4([192, 175, 48, 0], 24),  // AS112
    Network::v4([198, 18, 0, 0], 15),    // benchmarks
    Network::v4([198, 51, 100, 0], 24),  // documentation
    Network::v4([203, 0, 113, 0], 24),   // documentation
    Network::v4([224, 0, 0, 0], 4),      // multicast
    Network::v4([240, 0, 0, 0], 4),      // reserved; broadcast
];

/// Everything else of IPv6 is unspecified, loopback, IPv4-mapped or -compatible, NAT64 (64:ff9b::/96 and
/// 64:ff9b:1::/48), unique-local, link-local, site-local, multicast, segment routing, or not assigned.
const GLOBAL_UNICAST_V6: Network = Network::v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);

/// What is special within that.
const SPECIAL_V6: &[Network] = &[
    Network::v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23), // protocol assignments: Teredo, benchmarks, ORCHID
    Network::v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32), // documentation
    Network::v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16), // 6to4
    Network::v6([0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0], 48), // AS112
    Network::v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20), // documentation
];

/// Says whether an address is an ordinary one of the public internet.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => !is_in(SPECIAL_V4, address),
        IpAddr::V6(v6) => {
            let segments = v6.segments();
            // ISATAP: any prefix, then a mark, then an IPv4 address.
            let is_isatap = segments[4] & !0x0200 == 0 && segments[5] == 0x5efe;
            GLOBAL_UNICAST_V6.contains(address) && !is_in(SPECIAL_V6, address) && !is_isatap
        }
    }
}

/// Says whether an address lies in one of these networks.
pub(super) fn is_in(networks: &[Network], address: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(address))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    /// What the standard library says of the same address, and by hand what it does not say.
    fn is_special(address: Ipv4Addr) -> bool {
        let [a, b, c, d] = address.octets();
        address.is_private()
            || address.is_loopback()
            || address.is_link_local()
            || address.is_broadcast()
            || address.is_documentation()
            || address.is_multicast()
            || matches!(
                (a, b, c),
                (192, 0, 0) | (192, 31, 196) | (192, 52, 193) | (192, 88, 99) | (192, 175, 48)
            )
            || a == 0
            || a >= 240
            || (a == 100 && (64..128).contains(&b))
            || (a == 198 && (b == 18 || b == 19))
            || [a, b, c, d] == [168, 63, 129, 16]
    }

    /// Every way to write an IPv4 address into an IPv6 one.
    fn embedded(address: Ipv4Addr) -> Vec<Ipv6Addr> {
        let bits = u128::from(address.to_bits());
        let v6 = |high: u128, low: u128| Ipv6Addr::from_bits(high | low);
        vec![
            address.to_ipv6_mapped(),
            address.to_ipv6_compatible(),
            // IPv4-translated (RFC 2765).
            v6(0xffff_0000 << 32, bits),
            // NAT64 (RFC 6052), and its local prefix in each length (RFC 8215).
            v6(0x0064_ff9b << 96, bits),
            v6(0x0064_ff9b_0001 << 80, bits),
            v6(0x0064_ff9b_0001 << 80, (bits >> 16 << 64) | (bits & 0xffff) << 40),
            // 6to4, plain and with a mapped address inside.
            v6(0x2002 << 112, bits << 80),
            v6(0x2002 << 112, bits << 80 | 0xffff << 32 | bits),
            // Teredo: as its server, and as its client.
            v6(0x2001_0000 << 96, bits << 64),
            v6(0x2001_0000 << 96, !bits & 0xffff_ffff),
            // ISATAP, in a public prefix.
            v6(0x2606_4700 << 96, 0x5efe << 32 | bits),
            v6(0x2606_4700 << 96, 0x0200_5efe << 32 | bits),
        ]
    }

    #[test]
    fn every_ipv4_network_is_what_the_registry_says() {
        // Every boundary in the registry but one lies between networks of 256.
        for network in 0..1u32 << 24 {
            for host in [0, 255] {
                let address = Ipv4Addr::from_bits(network << 8 | host);
                assert_eq!(is_public(address.into()), !is_special(address), "{address}");
            }
        }
        for host in 0..=255 {
            assert_eq!(is_public(Ipv4Addr::new(168, 63, 129, host).into()), host != 16);
        }
    }

    #[test]
    fn no_ipv4_network_hides_in_ipv6() {
        for network in 0..1u32 << 16 {
            for address in embedded(Ipv4Addr::from_bits(network << 16 | 0x0101)) {
                assert!(!is_public(address.into()), "{address}");
            }
        }
    }

    #[test]
    fn edges_are_on_the_right_side() {
        for (special, public) in [
            ("0.255.255.255", "1.0.0.0"),
            ("10.0.0.0", "9.255.255.255"),
            ("10.255.255.255", "11.0.0.0"),
            ("100.64.0.0", "100.63.255.255"),
            ("100.100.100.200", "100.128.0.0"),
            ("127.255.255.255", "128.0.0.0"),
            ("169.254.169.254", "169.255.0.0"),
            ("172.16.0.0", "172.15.255.255"),
            ("172.31.255.255", "172.32.0.0"),
            ("192.168.0.0", "192.167.255.255"),
            ("198.19.255.255", "198.20.0.0"),
            ("224.0.0.0", "223.255.255.255"),
            ("255.255.255.255", "8.8.8.8"),
            ("::", "2000::"),
            ("::1", "2606:4700::1111"),
            ("1fff:ffff::", "2001:200::"),
            ("2001:1ff:ffff::", "2a00:1450::1"),
            ("2001:db8:ffff::", "2001:db9::"),
            ("2002:ffff::", "2003::"),
            ("3fff:fff::", "3fff:1000::"),
            ("4000::", "3ffe::"),
            ("5f00::1", "2400::1"),
            ("fd00:ec2::254", "2600::1"),
            ("fd20:ce::254", "2620:4f:8001::"),
            ("fe80::1", "2620:4e::"),
            ("fec0::1", "2800::1"),
            ("ff02::1", "2c00::1"),
            ("100::1", "2001:4860:4860::8888"),
        ] {
            assert!(!is_public(special.parse().unwrap()), "{special}");
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }

    proptest! {
        #[test]
        fn any_ipv4_address_is_judged_as_its_network_and_hidden_never_public(bits: u32) {
            let address = Ipv4Addr::from_bits(bits);
            prop_assert_eq!(is_public(address.into()), !is_special(address));
            for address in embedded(address) {
                prop_assert!(!is_public(address.into()), "{}", address);
            }
        }

        #[test]
        fn outside_of_global_unicast_nothing_is_public(bits: u128) {
            let address = Ipv6Addr::from_bits(bits);
            prop_assert!(!is_public(address.into()) || address.segments()[0] & 0xe000 == 0x2000);
        }
    }
}
