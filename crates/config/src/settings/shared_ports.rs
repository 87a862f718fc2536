//! Listeners that have one port.

use std::net::{IpAddr, SocketAddr};

use super::Listener;
use crate::{diagnostics::Diagnostic, read::Reader};

/// Reports addresses that two listeners want, and warns of those of which one takes what the other leaves.
pub(super) fn check(listeners: &[Listener], reader: &mut Reader<'_>) {
    for (index, listener) in listeners.iter().enumerate() {
        let address = listener.address.value;
        // Port 0 stands for any that is free.
        let same_port = |other: &&Listener| address.port() != 0 && other.address.value.port() == address.port();
        let earlier = || listeners[..index].iter().filter(same_port);
        let is_same = |other: &&Listener| canonical(other.address.value) == canonical(address);
        if let Some(earlier) = earlier().find(is_same) {
            let first = reader.place(earlier.address.span);
            let problem =
                reader.error(listener.address.span, format!("two listeners on `{}`", canonical(address)));
            problem.related(first, "the first one is here");
            if earlier.address.value != address {
                problem.help(format!("both addresses are the same one: keep `{}`", canonical(address)));
            }
            continue;
        }
        let overlaps = |other: &&Listener| {
            let (one, other) = (canonical(other.address.value).ip(), canonical(address).ip());
            covers(one, other) || covers(other, one)
        };
        if let Some(earlier) = earlier().find(overlaps) {
            let first = reader.place(earlier.address.span);
            let message = format!("`{}` and `{address}` share a port", earlier.address.value);
            let place = Some(reader.place(listener.address.span));
            reader
                .report(Diagnostic::warning(place, message))
                .related(first, "the other one is here")
                .help("clients of the one address get its listener, and all others get the one of every address: give each a port of its own, if that is not meant");
        }
    }
}

/// IPv4 mapped into IPv6 is IPv4.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// Whether the one stands for the other among others. Next to `0.0.0.0`, `::` takes IPv6 alone.
fn covers(every: IpAddr, one: IpAddr) -> bool {
    every.is_unspecified() && !one.is_unspecified() && (every.is_ipv6() || one.is_ipv4())
}
