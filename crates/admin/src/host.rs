//! Under which names the admin answers.
//!
//! A page of a stranger can give its own name the address of this machine, and a browser then takes the admin for that page's
//! own server (DNS rebinding). The name in `Host` gives it away. An IP address cannot be had that way.

use std::net::{Ipv4Addr, Ipv6Addr};

use http::{HeaderMap, Uri, header::HOST};

/// Whether a request is meant for us: it names an IP address, `localhost`, or one of `allowed`.
pub(crate) fn is_known(uri: &Uri, headers: &HeaderMap, allowed: &[String]) -> bool {
    let written = match uri.authority() {
        // The target rules where it has an authority (RFC 9112, section 3.2.2).
        Some(authority) => Some(authority.as_str()),
        None => {
            let mut hosts = headers.get_all(HOST).iter();
            let first = hosts.next().and_then(|host| host.to_str().ok());
            first.filter(|_| hosts.next().is_none())
        }
    };
    written.is_some_and(|authority| is_known_name(name_of(authority), allowed))
}

fn name_of(authority: &str) -> &str {
    if authority.starts_with('[') {
        return authority.split_inclusive(']').next().unwrap_or_default();
    }
    authority.rsplit_once(':').map_or(authority, |(name, _)| name)
}

fn is_known_name(name: &str, allowed: &[String]) -> bool {
    let bracketed = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    if let Some(address) = bracketed {
        return address.parse::<Ipv6Addr>().is_ok();
    }
    name.parse::<Ipv4Addr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_localhost_and_allowed_names_are_known_and_others_are_not() {
        let allowed = ["Gateway.internal".to_owned()];
        let known = |host: &str| {
            let mut headers = HeaderMap::new();
            headers.append(HOST, host.parse().expect("a value"));
            is_known(&Uri::from_static("/"), &headers, &allowed)
        };
        for host in [
            "127.0.0.1:9901",
            "127.0.0.1",
            "[::1]:9901",
            "[::1]",
            "localhost:9901",
            "LOCALHOST",
            "10.1.2.3:80",
            "gateway.internal:9901",
        ] {
            assert!(known(host), "{host}");
        }
        for host in [
            "evil.example:9901",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "",
            "[evil]:1",
            "::1",
            "1",
            "user@127.0.0.1:80",
            "localhost.",
        ] {
            assert!(!known(host), "{host}");
        }
    }

    #[test]
    fn the_target_rules_and_two_hosts_are_none() {
        let mut headers = HeaderMap::new();
        headers.append(HOST, "127.0.0.1".parse().expect("a value"));
        assert!(!is_known(&Uri::from_static("http://evil.example/"), &headers, &[]));
        headers.append(HOST, "127.0.0.1".parse().expect("a value"));
        assert!(!is_known(&Uri::from_static("/"), &headers, &[]));
        assert!(!is_known(&Uri::from_static("/"), &HeaderMap::new(), &[]));
    }
}
