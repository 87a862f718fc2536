//! Where an upstream listens, and how to mend what is no `host:port`.

use std::net::Ipv6Addr;

use crate::syntax::shorten;

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

/// What a text stands for that a target is read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// One target of an upstream.
    Target,
    /// The upstream itself.
    Upstream,
}

/// Why a text is no target.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// It says more than a target does, or says it otherwise.
    Meant(Meant),
    /// It cannot be known what was meant.
    Unclear(String),
}

/// What was meant.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Meant {
    /// How the mending begins.
    why: &'static str,
    target: Target,
    tls: bool,
    http2: bool,
    /// A path, which is not empty.
    path: Option<String>,
    /// Other readings of the same text.
    or: Option<Target>,
}

impl Wrong {
    /// How to mend it. What it says to write is taken as it stands.
    pub(super) fn help(&self, form: Form) -> String {
        let meant = match self {
            Self::Unclear(help) => return help.clone(),
            Self::Meant(meant) => meant,
        };
        let Meant { why, target, tls, http2, path, or } = meant;
        let mut keys = Vec::new();
        keys.extend(tls.then_some("tls: on"));
        keys.extend(http2.then_some("protocol: http2"));
        let mut help = match (form, keys.is_empty()) {
            (Form::Upstream, false) => format!("{why}: `{{target: \"{target}\", {}}}`", keys.join(", ")),
            (_, true) => format!("{why}: {}", quoted(target)),
            (Form::Target, false) => {
                let keys: Vec<_> = keys.iter().map(|key| format!("`{key}`")).collect();
                format!("{why}: {}, and add {} to the upstream", quoted(target), keys.join(" and "))
            }
        };
        if let Some(other) = or {
            help += &format!("; or {}, if that is the address", quoted(other));
        }
        if let Some(path) = path {
            help += &format!(
                "; the path goes into the route's `rewrite:` (`{{prefix: {}}}` beside `path_prefix`)",
                shorten(path)
            );
        }
        help
    }
}

/// A target as YAML takes it.
fn quoted(target: &Target) -> String {
    if target.host.contains(':') { format!("`\"{target}\"`") } else { format!("`{target}`") }
}

/// Schemes, with whether they are over TLS, and whether they are of HTTP/2.
const SCHEMES: [(&str, bool, bool); 9] = [
    ("http", false, false),
    ("https", true, false),
    ("ws", false, false),
    ("wss", true, false),
    ("grpc", false, true),
    ("grpcs", true, true),
    ("h2c", false, true),
    ("h2", true, true),
    ("tcp", false, false),
];

const EXAMPLE: &str = "write a host name or an IP address, and a port: `orders:8080`, `\"[::1]:8080\"`";

/// The target, or how to mend the text.
pub(crate) fn parse_target(text: &str) -> Result<Target, Wrong> {
    if let Ok(target) = exact(text) {
        return Ok(target);
    }
    if text.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("unix:")) || text.starts_with('/') {
        return Err(Wrong::Unclear(
            "a Unix socket cannot be a target: have the service listen on a port, `127.0.0.1:3000` say"
                .to_owned(),
        ));
    }
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) => (Some(scheme.to_ascii_lowercase()), rest),
        None => (None, text),
    };
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    if tail.contains('@') {
        // What stands before it may be a password with such a character.
        return Err(Wrong::Unclear(EXAMPLE.to_owned()));
    }
    let (user, authority) = match authority.rsplit_once('@') {
        Some((_, authority)) => (true, authority),
        None => (false, authority),
    };
    let known = SCHEMES.iter().find(|(name, ..)| scheme.as_deref() == Some(*name));
    let (tls, http2) = known.map_or((false, false), |(_, tls, http2)| (*tls, *http2));
    let default = match (&scheme, tls) {
        (Some(_), true) => 443,
        (Some(_), false) => 80,
        (None, _) => 8080,
    };
    let ported = authority.strip_suffix(':').unwrap_or(authority);
    let with_port = || exact(&format!("{ported}:{default}"));
    // An IPv6 address may be meant with a port, or without.
    let bare = authority.parse::<Ipv6Addr>().ok().and_then(|_| exact(&format!("[{authority}]:{default}")).ok());
    let split = authority.rsplit_once(':').and_then(|(host, port)| {
        let is_port = port.len() > 1 && port.bytes().all(|byte| byte.is_ascii_digit());
        (bare.is_some() && is_port).then(|| exact(&format!("[{host}]:{port}")).ok())?
    });
    let (target, or) = match (split, bare) {
        (Some(split), bare) => (split, bare),
        (None, Some(bare)) => (bare, None),
        (None, None) => match exact(authority).or_else(|help| with_port().map_err(|_| help)) {
            Ok(target) => (target, None),
            Err(help) => return Err(Wrong::Unclear(if user { EXAMPLE.to_owned() } else { help })),
        },
    };
    let why = if user {
        "leave the name and the password out"
    } else if scheme.is_some() {
        "leave the scheme out"
    } else if tail.starts_with('/') {
        "a target is a host and a port"
    } else if !tail.is_empty() {
        "leave out what follows the port"
    } else if or.is_some() || target.host.contains(':') && !authority.starts_with('[') {
        "an IPv6 address stands in brackets"
    } else {
        "a port is missing"
    };
    let path = tail.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
    let path = (path.starts_with('/') && !path.contains('\\')).then(|| path.to_owned());
    Err(Wrong::Meant(Meant { why, target, tls, http2, path, or }))
}

/// The target that a text is without any mending.
fn exact(text: &str) -> Result<Target, String> {
    let Some((host, port)) = text.rsplit_once(':') else {
        return Err(EXAMPLE.to_owned());
    };
    // Another colon, without brackets: which one begins the port is not said.
    if host.contains(':') && !host.starts_with('[') {
        return Err(EXAMPLE.to_owned());
    }
    let port = match port.parse::<u16>() {
        Ok(number) if number != 0 && !port.starts_with('+') => number,
        _ => return Err(format!("`{}` is not a port: it is a number from 1 to 65535", shorten(port))),
    };
    if let Some(inner) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return match inner.parse::<Ipv6Addr>() {
            Ok(_) => Ok(Target { host: inner.to_owned(), port }),
            Err(_) => Err(format!("`{}` is not an IPv6 address", shorten(inner))),
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
        Err(EXAMPLE.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn help(text: &str) -> String {
        parse_target(text).expect_err(text).help(Form::Upstream)
    }

    #[test]
    fn targets_are_hosts_with_ports() {
        for text in ["orders:8080", "10.0.1.4:80", "[::1]:8080", "a.b_c-d.example.:443"] {
            assert_eq!(parse_target(text).map(|target| target.to_string()).as_deref(), Ok(text));
        }
        for text in [
            ":80", "a b:80", "a..b:80", "ü:80", "-:-", "", "x:http", "x:0", "x:99999", "http://", "://",
            "[::x]:80",
        ] {
            assert!(matches!(parse_target(text), Err(Wrong::Unclear(_))), "{text}");
        }
    }

    #[test]
    fn what_else_was_written_is_mended() {
        for (text, mended) in [
            ("http://orders:8080/", "leave the scheme out: `orders:8080`"),
            ("HTTP://orders", "leave the scheme out: `orders:80`"),
            ("http://orders:/", "leave the scheme out: `orders:80`"),
            ("http://orders?a=b", "leave the scheme out: `orders:80`"),
            ("https://orders", "leave the scheme out: `{target: \"orders:443\", tls: on}`"),
            ("wss://orders/", "leave the scheme out: `{target: \"orders:443\", tls: on}`"),
            ("https://[::1]/", "leave the scheme out: `{target: \"[::1]:443\", tls: on}`"),
            ("http://[::1]:80", "leave the scheme out: `\"[::1]:80\"`"),
            ("grpc://orders:50051", "leave the scheme out: `{target: \"orders:50051\", protocol: http2}`"),
            ("grpcs://orders", "leave the scheme out: `{target: \"orders:443\", tls: on, protocol: http2}`"),
            ("orders", "a port is missing: `orders:8080`"),
            ("orders:", "a port is missing: `orders:8080`"),
            ("[::1]", "a port is missing: `\"[::1]:8080\"`"),
            ("::1", "an IPv6 address stands in brackets: `\"[::1]:8080\"`"),
            (
                "::1:80",
                "an IPv6 address stands in brackets: `\"[::1]:80\"`; or `\"[::1:80]:8080\"`, if that is the address",
            ),
            ("orders:80?a=b", "leave out what follows the port: `orders:80`"),
            ("orders:80#f", "leave out what follows the port: `orders:80`"),
            (
                "orders:80/x",
                "a target is a host and a port: `orders:80`; the path goes into the route's `rewrite:` (`{prefix: /x}` beside `path_prefix`)",
            ),
            (
                "http://orders:8080/x/?a=b#f",
                "leave the scheme out: `orders:8080`; the path goes into the route's `rewrite:` (`{prefix: /x}` beside `path_prefix`)",
            ),
            ("http://user:hunter2@orders", "leave the name and the password out: `orders:80`"),
            ("user:hunter2@orders:80", "leave the name and the password out: `orders:80`"),
        ] {
            assert_eq!(help(text), mended, "{text}");
        }
        let https = parse_target("https://orders").expect_err("a scheme").help(Form::Target);
        assert_eq!(https, "leave the scheme out: `orders:443`, and add `tls: on` to the upstream");
    }

    #[test]
    fn no_password_is_told() {
        for text in [
            "http://user:hunter2@orders:80/a",
            "http://user:hunter2@orders:80a",
            "http://user:hun/ter2@orders:80",
            "user:hunter2@",
            "hunter2@:80",
            "http://orders/hunter2@x",
        ] {
            for form in [Form::Target, Form::Upstream] {
                let help = parse_target(text).expect_err(text).help(form);
                assert!(!help.contains("hun") && !help.contains("user"), "{text}: {help}");
            }
        }
    }
}
