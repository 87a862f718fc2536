//! The address of an endpoint.

use std::{fmt, net::IpAddr, str::FromStr, sync::Arc};

/// The address of an endpoint: `host:port`, where the host is a name, an IPv4 address or an IPv6 address in brackets.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Target {
    host: Arc<str>,
    port: u16,
    text: Arc<str>,
}

impl Target {
    /// The host, without the brackets of an IPv6 address.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The host as an address, when it is one. It need not be resolved then.
    pub fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// The text, `host:port`.
    pub fn as_str(&self) -> &Arc<str> {
        &self.text
    }
}

impl FromStr for Target {
    type Err = InvalidTarget;

    fn from_str(text: &str) -> Result<Self, InvalidTarget> {
        let invalid = |mend: &'static str| InvalidTarget { text: text.into(), mend };
        if text.contains("://") {
            return Err(invalid("leave the scheme away: host:port, such as orders:8080"));
        }
        if text.contains('/') {
            return Err(invalid("leave the path away: host:port, such as orders:8080"));
        }
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once("]:").ok_or_else(|| invalid("write [address]:port"))?;
                if host.parse::<std::net::Ipv6Addr>().is_err() {
                    return Err(invalid("only an IPv6 address stands in brackets"));
                }
                (host, port)
            }
            None => {
                let (host, port) = text
                    .rsplit_once(':')
                    .ok_or_else(|| invalid("add the port: host:port, such as orders:8080"))?;
                if host.contains(':') {
                    return Err(invalid("put an IPv6 address in brackets: [address]:port"));
                }
                (host, port)
            }
        };
        let known = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':');
        if host.is_empty() || !host.bytes().all(known) {
            return Err(invalid("the host is a name or an IP address"));
        }
        let port = port
            .parse()
            .ok()
            .filter(|port| *port != 0)
            .ok_or_else(|| invalid("the port is a number from 1 to 65535"))?;
        Ok(Self { host: host.into(), port, text: text.into() })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({})", self.text)
    }
}

/// The text is not `host:port`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no address of a service: {mend}")]
pub struct InvalidTarget {
    text: Box<str>,
    mend: &'static str,
}

impl InvalidTarget {
    /// How to mend it.
    pub fn mend(&self) -> &'static str {
        self.mend
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_host_and_port() {
        for (text, host, port) in [
            ("orders:8080", "orders", 8080),
            ("10.0.1.4:80", "10.0.1.4", 80),
            ("[2001:db8::1]:443", "2001:db8::1", 443),
            ("order_service.internal:1", "order_service.internal", 1),
        ] {
            let target: Target = text.parse().expect(text);
            assert_eq!((target.host(), target.port()), (host, port));
            assert_eq!(target.to_string(), text);
        }
        for text in [
            "orders",
            "http://orders:80",
            "orders:0",
            "orders:http",
            "::1:80",
            "[x]:80",
            ":80",
            "a b:80",
            "a:80/x",
        ] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
    }
}
