//! Upstreams that are the gateway itself.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use super::{Settings, Upstream, route::Action};
use crate::read::{Reader, Target};

/// Reports targets that are listeners of the same file: each request would come back to the gateway.
pub(super) fn check(settings: &Settings, reader: &mut Reader<'_>) {
    let in_routes = settings.routes.iter().filter_map(|route| match &route.action {
        Action::Forward(forward) => forward.upstream.own(),
        Action::Redirect(_) => None,
    });
    for target in settings.upstreams.iter().chain(in_routes).flat_map(targets) {
        let reached = settings.listeners.iter().find(|it| reaches(&target.value, it.address.value, is_local));
        if let Some(listener) = reached {
            let (address, place) = (listener.address.value, reader.place(listener.address.span));
            reader
                .error(target.span, format!("`{}` leads back to this gateway", target.value))
                .related(place, format!("it listens on `{address}` here"))
                .help("a request would go round until it is refused with 508: write where the service listens");
        }
    }
}

fn targets(upstream: &Upstream) -> impl Iterator<Item = &crate::diagnostics::Spanned<Target>> {
    upstream.targets.iter().map(|weighted| &weighted.target)
}

/// Whether what is sent to this target comes to the listener, as far as that can be known without asking a name server.
fn reaches(target: &Target, listener: SocketAddr, is_local: impl Fn(IpAddr) -> bool) -> bool {
    // Port 0 stands for any that is free.
    if listener.port() == 0 || listener.port() != target.port() {
        return false;
    }
    let at = listener.ip().to_canonical();
    addresses(target.host()).into_iter().any(|to| {
        let covered = match at {
            IpAddr::V4(at) => at.is_unspecified() && to.is_ipv4(),
            // Sockets for `::` take IPv4 as well.
            IpAddr::V6(at) => at.is_unspecified(),
        };
        to == at || covered && (to.is_loopback() || is_local(to))
    })
}

/// The addresses that a host stands for. To connect to the unspecified address is to connect to this machine.
fn addresses(host: &str) -> Vec<IpAddr> {
    let (v4, v6) = (IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST));
    if host.strip_suffix('.').unwrap_or(host).eq_ignore_ascii_case("localhost") {
        return vec![v4, v6];
    }
    match host.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(address) if address.is_unspecified() => vec![if address.is_ipv4() { v4 } else { v6 }],
        Ok(address) => vec![address],
        Err(_) => Vec::new(),
    }
}

/// Whether this machine has the address: it is then the one from which it would be reached. Nothing is sent.
fn is_local(address: IpAddr) -> bool {
    let any: IpAddr = match address {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let source = UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.connect((address, 9))?;
        socket.local_addr()
    });
    source.is_ok_and(|source| source.ip() == address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::parse_target;

    fn leads_back(target: &str, listener: &str) -> bool {
        let own: IpAddr = "10.0.0.5".parse().expect("an address");
        let target = parse_target(target).expect("a target");
        reaches(&target, listener.parse().expect("an address"), |address| address == own)
    }

    #[test]
    fn a_target_that_is_a_listener_leads_back() {
        for (target, listener) in [
            ("127.0.0.1:8080", "127.0.0.1:8080"),
            ("127.0.0.1:8080", "0.0.0.0:8080"),
            ("127.0.0.7:8080", "0.0.0.0:8080"),
            ("127.0.0.1:8080", "[::]:8080"),
            ("localhost:8080", "127.0.0.1:8080"),
            ("LOCALHOST.:8080", "[::1]:8080"),
            ("localhost:8080", "0.0.0.0:8080"),
            ("[::1]:8080", "[::]:8080"),
            ("[::ffff:127.0.0.1]:8080", "127.0.0.1:8080"),
            ("0.0.0.0:8080", "127.0.0.1:8080"),
            ("[::]:8080", "[::1]:8080"),
            ("10.0.0.5:8080", "10.0.0.5:8080"),
            ("10.0.0.5:8080", "0.0.0.0:8080"),
            ("10.0.0.5:8080", "[::]:8080"),
        ] {
            assert!(leads_back(target, listener), "{target} {listener}");
        }
    }

    #[test]
    fn other_targets_do_not() {
        for (target, listener) in [
            ("127.0.0.1:8081", "127.0.0.1:8080"),
            ("127.0.0.2:8080", "127.0.0.1:8080"),
            ("[::1]:8080", "0.0.0.0:8080"),
            ("[::1]:8080", "127.0.0.1:8080"),
            ("10.0.0.6:8080", "0.0.0.0:8080"),
            ("10.0.0.5:8080", "127.0.0.1:8080"),
            ("orders:8080", "0.0.0.0:8080"),
            ("127.0.0.1:8080", "127.0.0.1:0"),
        ] {
            assert!(!leads_back(target, listener), "{target} {listener}");
        }
    }

    #[test]
    fn only_addresses_of_this_machine_are_local() {
        assert!(is_local(Ipv4Addr::LOCALHOST.into()));
        // For documentation (RFC 5737).
        assert!(!is_local("192.0.2.1".parse().expect("an address")));
    }
}
