//! Who called, where a reverse proxy stands between: `X-Forwarded-For` is believed only where the
//! peer is a proxy that we trust. Knows addresses and text only: no sockets.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

/// A network in CIDR notation; an IPv4 one also where it is written as mapped into IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// The network's first address, as IPv6; IPv4 is mapped.
    first: u128,
    /// How many leading bits of that count, 0 to 128.
    bits: u32,
}

/// The reverse proxies whose word is taken. Cheap to clone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies(Arc<[Network]>);

/// IPv4 is the last 32 bits of an IPv6 address.
const MAPPED_BITS: u32 = 96;

fn as_v6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    }
}

/// The first `bits` bits set.
fn mask(bits: u32) -> u128 {
    u128::MAX
        .checked_shl(u128::BITS - bits.min(u128::BITS))
        .unwrap_or(0)
}

impl FromStr for Network {
    type Err = String;

    /// `10.0.0.0/8`, `::1/128`, or a single address.
    fn from_str(text: &str) -> Result<Network, String> {
        let form = || {
            "give a network in CIDR notation, for example 127.0.0.1, 10.0.0.0/8 or ::1".to_owned()
        };
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| form())?;
        let (most, mapped) = match address {
            IpAddr::V4(_) => (32, MAPPED_BITS),
            IpAddr::V6(_) => (128, 0),
        };
        let bits = match bits {
            None => most,
            // `parse` would take a sign.
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => digits
                .parse()
                .ok()
                .filter(|bits| *bits <= most)
                .ok_or_else(form)?,
            Some(_) => return Err(form()),
        };
        let (first, bits) = (as_v6(address).to_bits(), bits + mapped);
        if first & !mask(bits) != 0 {
            // 10.1.2.3/8 is a mistake one way or the other, and the wider reading trusts more.
            return Err(format!(
                "{address} is not the first address of that network; {}",
                form()
            ));
        }
        Ok(Network { first, bits })
    }
}

impl Network {
    fn holds(&self, address: IpAddr) -> bool {
        (as_v6(address).to_bits() ^ self.first) & mask(self.bits) == 0
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let address = Ipv6Addr::from_bits(self.first);
        match address.to_ipv4_mapped() {
            Some(v4) if self.bits >= MAPPED_BITS => write!(f, "{v4}/{}", self.bits - MAPPED_BITS),
            _ => write!(f, "{address}/{}", self.bits),
        }
    }
}

impl FromIterator<Network> for Proxies {
    fn from_iter<I: IntoIterator<Item = Network>>(networks: I) -> Proxies {
        Proxies(networks.into_iter().collect())
    }
}

impl Proxies {
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.holds(address))
    }

    /// The address that a request came from: `peer`, or, where that is trusted, the rightmost
    /// address in the `X-Forwarded-For` lines (in the order sent) that is not. Each proxy adds its
    /// own peer at the right, so all further left is hearsay of a stranger.
    pub fn client<'a>(&self, peer: IpAddr, lines: impl Iterator<Item = &'a str>) -> IpAddr {
        let mut client = peer.to_canonical();
        if !self.trusts(client) {
            return client;
        }
        let hops: Vec<&str> = lines.flat_map(|line| line.split(',')).collect();
        for hop in hops.iter().rev().map(|hop| hop.trim()) {
            if hop.is_empty() {
                continue;
            }
            // What is no address was not written by a proxy worth trusting further.
            let Some(address) = hop_address(hop) else {
                break;
            };
            client = address;
            if !self.trusts(client) {
                break;
            }
        }
        client
    }
}

/// An address, with or without a port; some proxies add one.
fn hop_address(hop: &str) -> Option<IpAddr> {
    let bare = hop
        .strip_prefix('[')
        .and_then(|hop| hop.strip_suffix(']'))
        .unwrap_or(hop);
    let address = bare.parse().ok();
    let with_port = || hop.parse().ok().map(|address: SocketAddr| address.ip());
    Some(address.or_else(with_port)?.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn proxies(networks: &[&str]) -> Proxies {
        networks
            .iter()
            .map(|n| n.parse::<Network>().unwrap())
            .collect()
    }

    #[test]
    fn a_network_holds_what_its_bits_say() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
            ("192.0.2.7/32", "::ffff:192.0.2.7", "192.0.2.6"),
            ("0.0.0.0/0", "203.0.113.9", "2001:db8::1"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::1"),
            ("::1", "::1", "::2"),
            ("::/0", "203.0.113.9", ""),
            ("::ffff:10.0.0.0/104", "10.1.2.3", "11.1.2.3"),
        ] {
            let trusted = proxies(&[network]);
            assert!(trusted.trusts(ip(inside)), "{network} {inside}");
            if !outside.is_empty() {
                assert!(!trusted.trusts(ip(outside)), "{network} {outside}");
            }
        }
        assert!(!Proxies::default().trusts(ip("127.0.0.1")));
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for wrong in [
            "",
            "localhost",
            "10.0.0.0/33",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "10.0.0.0/-1",
            "10.0.0.1/8",
            "10.0.0/8",
            "::1/129",
            "[::1]/128",
            "10.0.0.0/8/8",
        ] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong:?}");
        }
        for right in ["10.0.0.0/8", "127.0.0.1/32", "2001:db8::/32", "::/0"] {
            assert_eq!(right.parse::<Network>().unwrap().to_string(), right);
        }
    }

    #[test]
    fn the_client_is_the_rightmost_address_that_is_not_trusted() {
        let trusted = proxies(&["10.0.0.0/8", "::1"]);
        let client = |peer: &str, lines: &[&str]| trusted.client(ip(peer), lines.iter().copied());
        for (peer, lines, wanted) in [
            ("192.0.2.1", &["198.51.100.1"][..], "192.0.2.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("::ffff:10.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["198.51.100.1, 198.51.100.2"], "198.51.100.2"),
            (
                "10.0.0.1",
                &["198.51.100.1", "198.51.100.2"],
                "198.51.100.2",
            ),
            (
                "10.0.0.1",
                &["198.51.100.1, 10.2.0.0,10.3.0.0 ,"],
                "198.51.100.1",
            ),
            ("10.0.0.1", &["10.4.0.0, 10.5.0.0"], "10.4.0.0"),
            ("10.0.0.1", &["198.51.100.1, unknown"], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.1, unknown, 10.6.0.0"], "10.6.0.0"),
            ("10.0.0.1", &["198.51.100.1:4711"], "198.51.100.1"),
            ("::1", &["[2001:db8::1]:80"], "2001:db8::1"),
            ("::1", &["[2001:db8::1]"], "2001:db8::1"),
            ("::1", &["2001:db8::1"], "2001:db8::1"),
            ("::1", &["::ffff:192.0.2.9"], "192.0.2.9"),
            ("10.0.0.1", &["", " , "], "10.0.0.1"),
        ] {
            assert_eq!(client(peer, lines), ip(wanted), "{peer} {lines:?}");
        }
    }
}
