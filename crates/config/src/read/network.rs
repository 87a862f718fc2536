//! Addresses, networks and targets.

use std::net::{IpAddr, SocketAddr};

use super::Reader;
use crate::{
    diagnostics::Spanned,
    syntax::{Node, shorten},
};

/// Where an upstream listens: a host and a port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Target {
    host: String,
    port: u16,
}

impl Target {
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

/// IPv6 in brackets.
impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl Reader<'_> {
    /// The address of a listener.
    pub(crate) fn address(&mut self, node: &Node) -> Option<Spanned<SocketAddr>> {
        let text = self.text(node, "an address such as `0.0.0.0:8080`")?;
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Some(Spanned::new(address, node.span));
        }
        let port_of = |text: &str| text.parse::<u16>().ok();
        let help = if let Some(port) = text.strip_prefix(':').or(Some(text)).and_then(port_of) {
            format!("write `0.0.0.0:{port}` for all addresses, `127.0.0.1:{port}` for this machine alone")
        } else if text.parse::<IpAddr>().is_ok() {
            format!(
                "a port is missing: `{}`",
                if text.contains(':') { format!("[{text}]:8080") } else { format!("{text}:8080") }
            )
        } else if let Some(port) = text.strip_prefix("localhost:").and_then(port_of) {
            format!("a listener has an IP address: `127.0.0.1:{port}` or `[::1]:{port}`")
        } else if let Some(port) = text.strip_prefix("*:").and_then(port_of) {
            format!("write `0.0.0.0:{port}` for all addresses")
        } else {
            "write an IP address and a port: `0.0.0.0:8080`, `\"[::]:8080\"`".to_owned()
        };
        self.error(node.span, format!("`{}` is not an address to listen on", shorten(text))).help(help);
        None
    }

    /// Networks such as `10.0.0.0/8`, each a list's item.
    pub(crate) fn networks(&mut self, node: &Node) -> Vec<gatewright_core::IpNetwork> {
        self.list(node, "a list of networks").iter().filter_map(|node| self.network(node)).collect()
    }

    /// A network such as `10.0.0.0/8`, or an address. It has no bits beyond its prefix: `10.1.2.3/8` may be meant for one
    /// address or for sixteen million.
    pub(crate) fn network(&mut self, node: &Node) -> Option<gatewright_core::IpNetwork> {
        let text = self.text(node, "a network such as `10.0.0.0/8`")?;
        let Ok(network) = text.parse::<gatewright_core::IpNetwork>() else {
            self.error(node.span, format!("`{}` is not a network", shorten(text)))
                .help("write a network or an address: `10.0.0.0/8`, `2001:db8::/32`, `192.0.2.7`");
            return None;
        };
        let address = text.split_once('/').and_then(|(address, _)| address.parse::<IpAddr>().ok());
        if address.is_none_or(|address| [address, address.to_canonical()].contains(&network.address())) {
            return Some(network);
        }
        self.error(node.span, format!("`{}` has bits beyond its prefix", shorten(text)))
            .help(format!("write `{network}` for the network, or the address alone"));
        None
    }

    /// The URL of another server, of `http` or `https`.
    pub(crate) fn url(&mut self, node: &Node) -> Option<Spanned<String>> {
        let text = self.text(node, "a URL")?;
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        if text.contains('@') {
            self.error(node.span, "a name or a password does not belong into a URL")
                .help("leave it out; the gateway's own with the issuer are `client` and `secret`")
                .conceal();
            return None;
        }
        if rest.is_some_and(|rest| {
            !rest.is_empty() && !rest.starts_with('/') && !rest.contains(char::is_whitespace)
        }) {
            return Some(Spanned::new(text.to_owned(), node.span));
        }
        self.error(node.span, format!("`{}` is not a URL", shorten(text)))
            .help("write it with its scheme: `https://id.example.com/…`");
        None
    }

    /// `host:port`.
    pub(crate) fn target(&mut self, node: &Node) -> Option<Spanned<Target>> {
        let text = self.text(node, "a target such as `orders:8080`")?;
        match parse_target(text) {
            Ok(target) => Some(Spanned::new(target, node.span)),
            Err(help) => {
                self.error(node.span, format!("`{}` is not a target", shorten(text))).help(help);
                None
            }
        }
    }
}

/// The target, or how to mend the text.
pub(crate) fn parse_target(text: &str) -> Result<Target, String> {
    if let Some((scheme, rest)) = text.split_once("://") {
        let authority = rest.split('/').next().unwrap_or_default();
        let port = if scheme == "https" { 443 } else { 80 };
        let named = if authority.contains(':') { authority.to_owned() } else { format!("{authority}:{port}") };
        let tls = if scheme == "https" { ", and add `tls: on` to the upstream" } else { "" };
        let path = rest[authority.len()..].trim_matches('/');
        let path = if path.is_empty() {
            String::new()
        } else {
            format!("; the path goes into the route's `rewrite:` (`{{prefix: /{}}}`)", shorten(path))
        };
        return Err(format!("leave the scheme out: `{named}`{tls}{path}"));
    }
    if text.contains('/') {
        return Err("a target is a host and a port; a path goes into the route's `rewrite:`".to_owned());
    }
    if text.parse::<std::net::Ipv6Addr>().is_ok() {
        return Err(format!("an IPv6 address stands in brackets: `\"[{text}]:8080\"`"));
    }
    let Some((host, port)) = text.rsplit_once(':') else {
        return Err(format!("a port is missing: `{text}:8080`"));
    };
    let port = match port.parse::<u16>() {
        Ok(number) if number != 0 && !port.starts_with('+') => number,
        _ => return Err(format!("`{port}` is not a port: it is a number from 1 to 65535")),
    };
    if let Some(inner) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return match inner.parse::<std::net::Ipv6Addr>() {
            Ok(_) => Ok(Target { host: inner.to_owned(), port }),
            Err(_) => Err(format!("`{inner}` is not an IPv6 address")),
        };
    }
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    // A final dot makes a name absolute.
    let name = host.strip_suffix('.').unwrap_or(host);
    if name.len() <= 253 && name.split('.').all(label) {
        Ok(Target { host: host.to_owned(), port })
    } else {
        Err("write a host name or an IP address, and a port: `orders:8080`, `\"[::1]:8080\"`".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_hosts_with_ports() {
        for text in ["orders:8080", "10.0.1.4:80", "[::1]:8080", "a.b_c-d.example.:443"] {
            assert_eq!(parse_target(text).map(|target| target.to_string()).as_deref(), Ok(text));
        }
        for (text, help) in [
            (
                "http://orders:8080/x/",
                "leave the scheme out: `orders:8080`; the path goes into the route's `rewrite:` (`{prefix: /x}`)",
            ),
            ("http://orders:8080/", "leave the scheme out: `orders:8080`"),
            ("https://orders", "leave the scheme out: `orders:443`, and add `tls: on` to the upstream"),
            ("orders", "a port is missing: `orders:8080`"),
            ("orders:0", "`0` is not a port: it is a number from 1 to 65535"),
            ("orders:80a", "`80a` is not a port: it is a number from 1 to 65535"),
            ("::1", "an IPv6 address stands in brackets: `\"[::1]:8080\"`"),
            ("[::x]:80", "`::x` is not an IPv6 address"),
            ("a/b:80", "a target is a host and a port; a path goes into the route's `rewrite:`"),
        ] {
            assert_eq!(parse_target(text), Err(help.to_owned()), "{text}");
        }
        for text in [":80", "a b:80", "a..b:80", "ü:80", "-:-", ""] {
            assert!(parse_target(text).is_err(), "{text}");
        }
    }
}
