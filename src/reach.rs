//! Which addresses this server is reached at, the best first, and which may stand in a QR code.
//!
//! Asks the system for its network interfaces. Knows no request and no room.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use if_addrs::Interface;

/// How old an answer of the system may be: addresses change when a cable is plugged in, and whoever
/// loads the page does not look for himself.
const FRESH: Duration = Duration::from_secs(5);
/// Shown of all addresses; a machine in a classroom has two or three.
const MAX_ADDRESSES: usize = 8;
/// Names of interfaces that lead to containers, virtual machines and tunnels, not to a room with
/// people in it. As their makers begin them.
const VIRTUAL: [&str; 16] = [
    "docker", "br-", "veth", "virbr", "vmnet", "vboxnet", "lxc", "lxd", "podman", "cni", "flannel",
    "cali", "tun", "tap", "wg", "zt",
];

/// Where a server listens.
pub struct Reach {
    bound: SocketAddr,
    found: Mutex<Option<(Instant, Vec<SocketAddr>)>>,
}

impl Reach {
    /// `bound` is the address of the listener, with its real port.
    pub fn new(bound: SocketAddr) -> Reach {
        Reach {
            bound,
            found: Mutex::new(None),
        }
    }

    /// As it listens, perhaps on all addresses.
    pub fn bound(&self) -> SocketAddr {
        self.bound
    }

    /// Where others reach this server, the best first; on this machine only where nobody else can.
    /// Never empty.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        if !self.bound.ip().is_unspecified() {
            return vec![self.bound];
        }
        // Whole after each step, so a poisoned one is still right.
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        match found.as_ref() {
            Some((at, addresses)) if at.elapsed() < FRESH => addresses.clone(),
            _ => {
                let interfaces = if_addrs::get_if_addrs().unwrap_or_else(|e| {
                    log::debug!("the system does not tell its addresses: {e}");
                    vec![]
                });
                let addresses = ranked(&interfaces, self.bound);
                *found = Some((Instant::now(), addresses.clone()));
                addresses
            }
        }
    }

    /// The same as a browser writes them: `http://192.168.1.5:8080`.
    pub fn urls(&self) -> Vec<String> {
        let addresses = self.addresses();
        addresses.iter().map(|a| format!("http://{a}")).collect()
    }

    /// Whether others can reach it, as far as this machine can tell.
    pub fn is_reachable(&self) -> bool {
        self.addresses().iter().any(|a| !a.ip().is_loopback())
    }

    /// Whether a link leads to this server's page: at one of its addresses, or at the host that
    /// the request for it named; to the first screen, `/`, or into a room, `/#/room/…`.
    pub fn leads_here(&self, link: &str, host: Option<&str>) -> bool {
        let Some((authority, path)) = split(link) else {
            return false;
        };
        let port = self.bound.port();
        let loopback = [
            format!("localhost:{port}"),
            format!("{}:{port}", Ipv4Addr::LOCALHOST),
            format!("[{}]:{port}", Ipv6Addr::LOCALHOST),
        ];
        let own = self.addresses().into_iter().map(|a| a.to_string());
        let mut known = own.chain(loopback).chain(host.map(str::to_owned));
        is_page(path) && known.any(|known| same_host(&authority, &known))
    }
}

/// The host and port of a link, and what stands after them; None if it is no link to the web.
fn split(link: &str) -> Option<(Authority<'_>, &str)> {
    let (scheme, rest) = link.split_once("://")?;
    let default_port = match scheme.to_ascii_lowercase().as_str() {
        "http" => ":80",
        "https" => ":443",
        _ => return None,
    };
    let end = rest.find(['/', '#', '?']).unwrap_or(rest.len());
    let (name, path) = rest.split_at(end);
    Some((Authority { name, default_port }, path))
}

struct Authority<'a> {
    name: &'a str,
    default_port: &'static str,
}

fn same_host(link: &Authority, known: &str) -> bool {
    let short = |name: &str| {
        let name = name.to_ascii_lowercase();
        match name.strip_suffix(link.default_port) {
            // `[::80]` ends in no port.
            Some(host) if !host.is_empty() && !host.ends_with(':') => host.to_owned(),
            _ => name,
        }
    };
    !link.name.is_empty() && short(link.name) == short(known)
}

/// `/`, or a place inside of the page that is written in the characters of an address.
fn is_page(path: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/?=&%.,:~_-".contains(&byte);
    match path.strip_prefix('/').unwrap_or(path) {
        "" => true,
        inside => inside
            .strip_prefix("#/room/")
            .is_some_and(|room| !room.is_empty() && room.bytes().all(plain)),
    }
}

fn ranked(interfaces: &[Interface], bound: SocketAddr) -> Vec<SocketAddr> {
    let mut found: Vec<(u8, IpAddr)> = interfaces
        .iter()
        .filter_map(|interface| Some((rank(interface, bound.is_ipv6())?, interface.ip())))
        .collect();
    // Of two that are as good, the one that the system names first.
    found.sort_by_key(|(rank, _)| *rank);
    found.truncate(MAX_ADDRESSES);
    let mut ips: Vec<IpAddr> = found.into_iter().map(|(_, ip)| ip).collect();
    if ips.is_empty() {
        ips.push(match bound.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    let at = |ip| SocketAddr::new(ip, bound.port());
    ips.into_iter().map(at).collect()
}

/// The smaller, the more likely others reach it there. None: nobody does.
fn rank(interface: &Interface, both: bool) -> Option<u8> {
    let by_address = match interface.ip() {
        IpAddr::V4(ip) if ip.is_loopback() || ip.is_unspecified() => return None,
        // Given out by nobody: only where nothing else was.
        IpAddr::V4(ip) if ip.is_link_local() => 8,
        IpAddr::V4(ip) if ip.is_private() => 0,
        IpAddr::V4(_) => 1,
        // Means nothing without the name of an interface, which no address of a page can have.
        IpAddr::V6(ip) if ip.is_unicast_link_local() => return None,
        IpAddr::V6(ip) if !both || ip.is_loopback() || ip.is_unspecified() => return None,
        IpAddr::V6(_) => 2,
    };
    let virtual_name = VIRTUAL
        .iter()
        .any(|begin| interface.name.starts_with(begin));
    let leads_elsewhere = virtual_name || interface.is_p2p();
    // A cable that is not plugged in.
    let idle = !interface.is_oper_up();
    Some(by_address + if leads_elsewhere { 5 } else { 0 } + if idle { 10 } else { 0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use if_addrs::{IfAddr, IfOperStatus, Ifv4Addr, Ifv6Addr};

    fn interface(name: &str, ip: &str) -> Interface {
        let addr = match ip.parse().unwrap() {
            IpAddr::V4(ip) => IfAddr::V4(Ifv4Addr {
                ip,
                netmask: Ipv4Addr::UNSPECIFIED,
                prefixlen: 24,
                broadcast: None,
            }),
            IpAddr::V6(ip) => IfAddr::V6(Ifv6Addr {
                ip,
                netmask: Ipv6Addr::UNSPECIFIED,
                prefixlen: 64,
                broadcast: None,
            }),
        };
        Interface {
            name: name.into(),
            addr,
            index: None,
            oper_status: IfOperStatus::Up,
            is_p2p: name.starts_with("ppp"),
        }
    }

    fn order(bound: &str, interfaces: &[(&str, &str)]) -> Vec<String> {
        let interfaces: Vec<_> = interfaces.iter().map(|(n, ip)| interface(n, ip)).collect();
        let ranked = ranked(&interfaces, bound.parse().unwrap());
        ranked.iter().map(SocketAddr::to_string).collect()
    }

    #[test]
    fn the_address_that_a_phone_reaches_is_the_first() {
        let interfaces = [
            ("lo", "127.0.0.1"),
            ("docker0", "172.17.0.1"),
            ("veth12ab", "169.254.9.9"),
            ("ppp0", "10.9.0.2"),
            ("eth0", "169.254.3.4"),
            ("eth1", "203.0.113.7"),
            ("wlan0", "fe80::1"),
            ("wlan0", "2001:db8::5"),
            ("wlan0", "192.168.1.5"),
        ];
        assert_eq!(
            order("0.0.0.0:80", &interfaces),
            [
                "192.168.1.5:80",
                "203.0.113.7:80",
                "172.17.0.1:80",
                "10.9.0.2:80",
                "169.254.3.4:80",
                "169.254.9.9:80"
            ]
        );
        let both = order("[::]:80", &interfaces);
        assert_eq!(both[2], "[2001:db8::5]:80", "{both:?}");
        assert!(!both.iter().any(|a| a.contains("fe80")), "{both:?}");
    }

    #[test]
    fn a_cable_that_is_not_plugged_in_comes_last() {
        let mut interfaces = ["10.0.0.1", "172.17.0.1"].map(|ip| interface("eth0", ip));
        interfaces[0].oper_status = IfOperStatus::Unknown;
        interfaces[1].name = "docker0".into();
        let ranked = ranked(&interfaces, "0.0.0.0:1".parse().unwrap());
        assert_eq!(ranked[0].ip(), interfaces[1].ip());
    }

    #[test]
    fn without_a_network_there_is_this_machine_and_never_more_than_eight() {
        assert_eq!(
            order("0.0.0.0:80", &[("lo", "127.0.0.1")]),
            ["127.0.0.1:80"]
        );
        assert_eq!(order("[::]:80", &[]), ["[::1]:80"]);
        let many: Vec<String> = (0..99).map(|n| format!("10.0.0.{n}")).collect();
        let many: Vec<(&str, &str)> = many.iter().map(|ip| ("eth0", ip.as_str())).collect();
        assert_eq!(order("0.0.0.0:80", &many).len(), MAX_ADDRESSES);
    }

    #[test]
    fn one_address_is_the_only_one() {
        let reach = Reach::new("192.0.2.1:8080".parse().unwrap());
        assert_eq!(reach.urls(), ["http://192.0.2.1:8080"]);
        assert!(reach.is_reachable());
        assert!(!Reach::new("127.0.0.1:8080".parse().unwrap()).is_reachable());
    }

    #[test]
    fn a_link_leads_here_or_elsewhere() {
        let reach = Reach::new("192.0.2.1:80".parse().unwrap());
        let key = "0123456789abcdef0123456789abcdef";
        let owner = format!("http://192.0.2.1/#/room/7?owner={key}");
        for here in [
            "http://192.0.2.1",
            "http://192.0.2.1/",
            "http://192.0.2.1:80/#/room/7",
            &owner,
            "HTTP://LOCALHOST/",
            "http://[::1]/",
            "http://127.0.0.1:80/",
            "https://Chat.example.org/#/room/7",
            "https://chat.example.org:443",
        ] {
            assert!(reach.leads_here(here, Some("chat.example.org")), "{here}");
        }
        for elsewhere in [
            "",
            "192.0.2.1",
            "http://",
            "http:///",
            "//192.0.2.1/",
            "javascript://192.0.2.1/",
            "ftp://192.0.2.1/",
            "http://192.0.2.1:8080/",
            "https://192.0.2.1:80/#/room/7 ",
            "http://192.0.2.2/",
            "http://192.0.2.1.evil.example/",
            "http://192.0.2.1@evil.example/",
            "http://evil.example@192.0.2.1/",
            "http://evil.example/http://192.0.2.1/",
            "http://evil.example#@192.0.2.1/",
            "http://evil.example?192.0.2.1/",
            "http://192.0.2.1\\@evil.example/",
            "http://192.0.2.1/rooms/7",
            "http://192.0.2.1/?next=//evil.example",
            "http://192.0.2.1/#/room/",
            "http://192.0.2.1/#/room/<b>",
            "http://192.0.2.1/#/room/7#x",
            "http://192.0.2.1/#/elsewhere",
        ] {
            assert!(
                !reach.leads_here(elsewhere, Some("chat.example.org")),
                "{elsewhere}"
            );
        }
        assert!(!reach.leads_here("http://", Some("")), "no host is none");
    }
}
