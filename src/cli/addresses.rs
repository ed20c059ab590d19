//! Addresses and networks out of text.

use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs};

use crate::door::{Network, Proxies};

const ADDR_FORM: &str = "give HOST:PORT, :PORT or PORT with a port up to 65535 \
    (0 picks a free one), for example 127.0.0.1:8080, [::1]:8080 or :8080";

pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let (host, port) = text.rsplit_once(':').unwrap_or(("", text));
    let port: u16 = port.parse().map_err(|_| ADDR_FORM)?;
    if host.is_empty() {
        return Ok((Ipv4Addr::UNSPECIFIED, port).into());
    }
    if host.contains([':', '/', '[', ']']) {
        return Err(ADDR_FORM.into());
    }
    let found = (host, port)
        .to_socket_addrs()
        .map_err(|why| format!("no address is known for {host:?} ({why})"))?;
    // A name may stand for both families, as localhost does. IPv4 is what every machine here has.
    found
        .min_by_key(SocketAddr::is_ipv6)
        .ok_or_else(|| format!("no address is known for {host:?}"))
}

/// Whether two listeners would want the same port of the same address. An unspecified address takes
/// the port of all, and `[::]` that of the IPv4 ones too.
pub(super) fn collide(a: SocketAddr, b: SocketAddr) -> bool {
    let covers =
        |a: SocketAddr, b: SocketAddr| a.ip().is_unspecified() && (a.is_ipv6() || b.is_ipv4());
    a.port() == b.port() && a.port() != 0 && (a.ip() == b.ip() || covers(a, b) || covers(b, a))
}

/// Networks separated by commas.
pub(super) fn networks(text: &str) -> Result<Proxies, String> {
    let networks = text.split(',').map(|network| network.trim().parse());
    networks
        .collect::<Result<Vec<Network>, String>>()
        .map(Proxies::from_iter)
}
