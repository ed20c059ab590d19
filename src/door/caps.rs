//! How many connections there may be. Knows addresses and numbers only: no sockets, no threads.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Proxies;

/// How many connections there may be, in all and per network. One for both listeners.
pub struct Caps {
    all: usize,
    per_network: usize,
    /// Only `all` holds for these: over their connections many take turns (`Place::stand_for`).
    exempt: Proxies,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    /// The sum of `by_network`.
    all: usize,
    /// Never holds a zero, so it never has more entries than there are connections.
    by_network: HashMap<IpAddr, usize>,
    /// The number that the latest place got.
    number: u64,
}

/// The right of one connection to be there; given back on drop.
pub struct Place {
    caps: Arc<Caps>,
    network: IpAddr,
    number: u64,
}

/// What counts as one stranger: an IPv4 address (also one mapped into IPv6), or an IPv6 /64,
/// because whoever has one address of such a network usually has all of them.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
        v4 => v4,
    }
}

impl Caps {
    pub fn new(all: usize, per_network: usize, exempt: Proxies) -> Arc<Caps> {
        Arc::new(Caps {
            all,
            per_network,
            exempt,
            counts: Mutex::default(),
        })
    }

    /// A place for a connection from `address`; none where a cap is reached.
    pub fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let network = network(address);
        let mut counts = self.lock();
        let here = counts.by_network.get(&network).copied().unwrap_or(0);
        let full = here >= self.per_network && !self.exempt.trusts(address);
        if counts.all >= self.all || full {
            return None;
        }
        counts.all += 1;
        counts.number += 1;
        counts.by_network.insert(network, here + 1);
        Some(Place {
            caps: Arc::clone(self),
            network,
            number: counts.number,
        })
    }

    /// How many places are taken.
    pub fn count(&self) -> usize {
        self.lock().all
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        // Nothing under this lock can panic half way, so a poisoned count is still right.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Which place since the start this is, from 1; no two are the same. Names threads.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Counts as a connection of `client` from here on, for whom a proxy speaks; false where that
    /// one has as many as it may.
    pub fn stand_for(&mut self, client: IpAddr) -> bool {
        let network = network(client);
        if network == self.network {
            return true;
        }
        let mut counts = self.caps.lock();
        let there = counts.by_network.get(&network).copied().unwrap_or(0);
        if there >= self.caps.per_network && !self.caps.exempt.trusts(client) {
            return false;
        }
        counts.leave(self.network);
        counts.by_network.insert(network, there + 1);
        self.network = network;
        true
    }
}

impl Counts {
    fn leave(&mut self, network: IpAddr) {
        if let Some(here) = self.by_network.get_mut(&network) {
            *here -= 1;
            if *here == 0 {
                self.by_network.remove(&network);
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.caps.lock();
        counts.all -= 1;
        counts.leave(self.network);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_place_is_given_back_on_drop() {
        let caps = Caps::new(2, 2, Proxies::default());
        let first = caps.enter(ip("192.0.2.1")).unwrap();
        let second = caps.enter(ip("192.0.2.2")).unwrap();
        assert!(caps.enter(ip("192.0.2.3")).is_none());
        drop(first);
        let third = caps.enter(ip("192.0.2.3")).unwrap();
        assert_eq!(caps.count(), 2);
        assert!(third.number() > second.number());
        drop((second, third));
        assert_eq!(caps.count(), 0);
        assert!(caps.lock().by_network.is_empty());
    }

    #[test]
    fn one_address_cannot_take_every_place() {
        let caps = Caps::new(10, 2, Proxies::default());
        let _held = [caps.enter(ip("192.0.2.1")), caps.enter(ip("192.0.2.1"))];
        assert!(caps.enter(ip("192.0.2.1")).is_none());
        assert!(caps.enter(ip("192.0.2.2")).is_some());
    }

    #[test]
    fn a_trusted_proxy_has_as_many_as_there_are() {
        let proxy = ["192.0.2.1".parse().unwrap()].into_iter().collect();
        let caps = Caps::new(3, 1, proxy);
        let _held = [caps.enter(ip("192.0.2.1")), caps.enter(ip("192.0.2.1"))];
        assert!(_held.iter().all(Option::is_some));
        let _other = caps.enter(ip("192.0.2.2")).unwrap();
        assert!(caps.enter(ip("192.0.2.2")).is_none());
        assert!(caps.enter(ip("192.0.2.1")).is_none(), "three in all");
    }

    #[test]
    fn behind_a_proxy_each_client_has_its_own_cap() {
        let proxy = ["192.0.2.1".parse().unwrap()].into_iter().collect();
        let caps = Caps::new(5, 1, proxy);
        let [mut one, mut two] = [(); 2].map(|()| caps.enter(ip("192.0.2.1")).unwrap());
        assert!(one.stand_for(ip("198.51.100.7")));
        assert!(one.stand_for(ip("198.51.100.7")), "as it does already");
        assert!(!two.stand_for(ip("198.51.100.7")));
        assert!(two.stand_for(ip("198.51.100.8")));
        assert!(one.stand_for(ip("192.0.2.1")), "for the proxy itself");
        assert!(two.stand_for(ip("198.51.100.7")));
        drop((one, two));
        assert!(caps.lock().by_network.is_empty());
        assert_eq!(caps.count(), 0);
    }

    #[test]
    fn an_ipv6_network_is_one_stranger_and_a_mapped_address_is_ipv4() {
        assert_eq!(network(ip("2001:db8:1:2:3:4:5:6")), ip("2001:db8:1:2::"));
        assert_eq!(network(ip("::ffff:192.0.2.1")), ip("192.0.2.1"));
        let caps = Caps::new(10, 1, Proxies::default());
        let _v6 = caps.enter(ip("2001:db8::1"));
        assert!(caps.enter(ip("2001:db8::2")).is_none());
        assert!(caps.enter(ip("2001:db8:0:1::2")).is_some());
        let _v4 = caps.enter(ip("192.0.2.1"));
        assert!(caps.enter(ip("::ffff:192.0.2.1")).is_none());
    }
}
