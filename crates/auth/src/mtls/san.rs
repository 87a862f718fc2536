//! Patterns for the alternative names of certificates (RFC 5280, section 4.2.1.6).

use std::net::IpAddr;

use super::{certificate::San, error::MtlsError};

/// A pattern for a whole name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SanPattern {
    Dns(Labels),
    Email { local: Option<Box<str>>, domain: Labels },
    Uri(Box<[Segment]>),
    Ip(Box<str>),
}

/// The labels of a host's name; `None` for `*`.
type Labels = Box<[Option<Box<str>>]>;

/// The part between two slashes of a URI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Segment {
    Exact(Box<str>),
    /// `*`: any segment.
    One,
    /// `**`: any segment and all that follow.
    Rest,
}

/// The number of segments in `scheme://authority`: `scheme:`, an empty one, and `authority`.
const BEFORE_PATH: usize = 3;

impl SanPattern {
    /// Reads a pattern. An IP address matches itself, however it is written. Any other pattern with a colon is for
    /// URIs, one with an `@` is for e-mail addresses, and the rest are for DNS names.
    pub(super) fn parse(text: &str) -> Result<Self, MtlsError> {
        let wrong = |hint: &'static str| Err(MtlsError::pattern(text, hint));
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return wrong("a name is not empty, and holds visible ASCII characters alone");
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Ip(address.to_canonical().to_string().into()));
        }
        if let Some(hint) = other_form(text) {
            return Err(MtlsError::pattern(text, hint));
        }
        if text.starts_with('[') {
            return wrong("an IPv6 address stands without brackets, as in `2001:db8::1`");
        }
        if text.contains(':') {
            return match uri(text) {
                Ok(segments) => Ok(Self::Uri(segments)),
                Err(hint) => wrong(hint),
            };
        }
        let Some((local, domain)) = text.split_once('@') else {
            return match labels(text) {
                Ok(labels) => Ok(Self::Dns(labels)),
                Err(hint) => wrong(hint),
            };
        };
        let local = match local {
            "" => return wrong("an e-mail address has something before the `@`"),
            "*" => None,
            local if local.contains('*') => return wrong("`*` stands for all that is before the `@`"),
            local => Some(local.into()),
        };
        match labels(domain) {
            Ok(domain) => Ok(Self::Email { local, domain }),
            Err(hint) => wrong(hint),
        }
    }

    /// Whether the pattern matches the whole name.
    pub(super) fn matches(&self, name: &San) -> bool {
        match (self, name) {
            (Self::Dns(pattern), San::Dns(name)) => labels_match(pattern, name),
            (Self::Email { local, domain }, San::Email(name)) => {
                let Some((before, host)) = name.rsplit_once('@') else { return false };
                let local = match local {
                    Some(exact) => **exact == *before,
                    None => !before.is_empty() && before.bytes().all(is_atom),
                };
                local && labels_match(domain, host)
            }
            (Self::Uri(pattern), San::Uri(name)) => uri_matches(pattern, name),
            (Self::Ip(pattern), San::Ip(name)) => pattern == name,
            _ => false,
        }
    }
}

/// A hint for a name in the form of other programs: with its kind in front, as OpenSSL prints names, or with a
/// port, a zone or a prefix length at the end.
fn other_form(text: &str) -> Option<String> {
    const KINDS: [&str; 6] = ["DNS:", "IP Address:", "IP:", "URI:", "email:", "otherName:"];
    let is_kind = |kind: &&&str| text.get(..kind.len()).is_some_and(|start| start.eq_ignore_ascii_case(kind));
    if let Some(kind) = KINDS.iter().find(is_kind) {
        let name = text[kind.len()..].trim_start();
        return Some(match name {
            "" => format!("write the name alone, without `{kind}`"),
            _ => format!("write the name alone, without `{kind}`: `{name}`"),
        });
    }
    let is_address = |text: &str| text.parse::<IpAddr>().is_ok();
    if let Some((address, _)) = text.split_once('%').filter(|(address, _)| is_address(address)) {
        return Some(format!("an address in a certificate has no zone: `{address}`"));
    }
    if text.split_once('/').is_some_and(|(address, _)| is_address(address)) {
        return Some("a range of addresses cannot be a pattern: write each address whole".to_owned());
    }
    let (host, port) = text.rsplit_once(':')?;
    let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    // A URI may end in a port too, or be `urn:7`. A host has a dot, no slash, and no other colon.
    let is_host = host.contains('.') && !host.contains(['/', ':', '@']);
    (is_port && is_host).then(|| format!("a name in a certificate has no port: `{host}`"))
}

fn labels(domain: &str) -> Result<Labels, &'static str> {
    let labels: Vec<_> = domain.split('.').collect();
    if labels.last() == Some(&"*") {
        return Err("the last label cannot be `*`");
    }
    // No top-level domain is a number (RFC 3696, section 2), so an address was meant.
    if labels.last().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit())) {
        return Err("an IP address is written whole, as in `192.0.2.1`; a range of them cannot be a pattern");
    }
    let label = |label: &&str| match *label {
        "*" => Ok(None),
        label if is_label(label) => Ok(Some(label.to_ascii_lowercase().into())),
        label if label.contains('*') => Err("`*` stands for a whole label, as in `*.devices.example.com`"),
        _ => Err("a label has letters, digits and hyphens"),
    };
    labels.iter().map(label).collect()
}

/// `*` matches one label, but never the `*` of a wildcard certificate.
fn labels_match(pattern: &Labels, name: &str) -> bool {
    let mut labels = name.split('.');
    let all = pattern.iter().all(|pattern| match (pattern, labels.next()) {
        (Some(exact), Some(label)) => label.eq_ignore_ascii_case(exact),
        (None, Some(label)) => is_label(label),
        (_, None) => false,
    });
    all && labels.next().is_none()
}

fn is_label(label: &str) -> bool {
    !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// The characters before the `@` of an e-mail address without quotes (RFC 5321, section 4.1.2), and the dot.
fn is_atom(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&byte)
}

fn uri(text: &str) -> Result<Box<[Segment]>, &'static str> {
    let hierarchical = text.split_once("://").is_some_and(|(scheme, _)| !scheme.contains('/'));
    let count = text.split('/').count();
    let segment = |(index, segment): (usize, &str)| match segment {
        "*" | "**" if !hierarchical || index < BEFORE_PATH => {
            Err("`*` stands for a segment of the path; the part before it is written out")
        }
        "*" => Ok(Segment::One),
        "**" if index + 1 == count => Ok(Segment::Rest),
        "**" => Err("`**` stands at the end, for one segment and all that follow"),
        segment if segment.contains('*') => {
            Err("`*` stands for a whole segment of the path, as in `spiffe://example.com/device/*`")
        }
        // Scheme and host are case-insensitive (RFC 3986, section 6.2.2.1).
        segment if hierarchical && index < BEFORE_PATH => {
            Ok(Segment::Exact(segment.to_ascii_lowercase().into()))
        }
        segment => Ok(Segment::Exact(segment.into())),
    };
    text.split('/').enumerate().map(segment).collect()
}

fn uri_matches(pattern: &[Segment], name: &str) -> bool {
    let mut segments = name.split('/');
    for (index, pattern) in pattern.iter().enumerate() {
        let Some(segment) = segments.next() else { return false };
        let matches = match pattern {
            Segment::Exact(exact) if index < BEFORE_PATH => segment.eq_ignore_ascii_case(exact),
            Segment::Exact(exact) => **exact == *segment,
            Segment::One => is_plain(segment),
            Segment::Rest => return is_plain(segment) && segments.all(is_plain),
        };
        if !matches {
            return false;
        }
    }
    segments.next().is_none()
}

/// Whether a segment means the same wherever it is used: no escape, no `.` or `..`, no begin of a query. It may
/// have the characters of SPIFFE paths, and those that RFC 3986 leaves unreserved or gives no meaning.
fn is_plain(segment: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()+,;=:@".contains(&byte);
    !matches!(segment, "" | "." | "..") && segment.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(pattern: &str, name: San) -> bool {
        SanPattern::parse(pattern).expect(pattern).matches(&name)
    }

    #[test]
    fn a_star_is_one_segment_of_a_uri_and_two_are_the_rest() {
        for (pattern, name, expected) in [
            ("spiffe://example.com/device/7", "spiffe://example.com/device/7", true),
            ("spiffe://Example.com/device/7", "SPIFFE://example.COM/device/7", true),
            ("spiffe://example.com/device/7", "spiffe://example.com/Device/7", false),
            ("spiffe://example.com/device/*", "spiffe://example.com/device/7", true),
            ("spiffe://example.com/device/*", "spiffe://example.com/device/7/admin", false),
            ("spiffe://example.com/device/*", "spiffe://example.com/device/", false),
            ("spiffe://example.com/device/*", "spiffe://example.com/device", false),
            ("spiffe://example.com/device/*", "spiffe://example.com/device/..", false),
            ("spiffe://example.com/device/*", "spiffe://example.com/device/a%2fb", false),
            ("spiffe://example.com/device/*", "spiffe://example.com/device/a?b", false),
            ("spiffe://example.com/device/*", "spiffe://example.com/device/a#b", false),
            ("spiffe://example.com/device/*", "spiffe://example.com/device/*", false),
            ("spiffe://example.com/device/*", "spiffe://example.com.evil/device/7", false),
            ("spiffe://example.com/device/*", "spiffe://evil/spiffe://example.com/device/7", false),
            ("spiffe://example.com/*/agent", "spiffe://example.com/a/agent", true),
            ("spiffe://example.com/*/agent", "spiffe://example.com/a/b/agent", false),
            ("spiffe://example.com/ns/**", "spiffe://example.com/ns/a", true),
            ("spiffe://example.com/ns/**", "spiffe://example.com/ns/a/sa/b", true),
            ("spiffe://example.com/ns/**", "spiffe://example.com/ns", false),
            ("spiffe://example.com/ns/**", "spiffe://example.com/ns/a//b", false),
            ("spiffe://example.com/ns/**", "spiffe://example.com/ns/a/../b", false),
            ("urn:example:device:7", "urn:example:device:7", true),
            ("urn:example:device:7", "urn:example:device:70", false),
        ] {
            assert_eq!(fits(pattern, San::Uri(name.into())), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn a_star_is_one_label_of_a_host() {
        for (pattern, name, expected) in [
            ("api.example.com", "API.example.com", true),
            ("*.devices.example.com", "d7.devices.example.com", true),
            ("*.devices.example.com", "a.b.devices.example.com", false),
            ("*.devices.example.com", "devices.example.com", false),
            ("*.devices.example.com", ".devices.example.com", false),
            ("*.devices.example.com", "*.devices.example.com", false),
            ("*.devices.example.com", "d7.devices.example.com.", false),
            ("d7.*.example.com", "d7.eu.example.com", true),
        ] {
            assert_eq!(fits(pattern, San::Dns(name.into())), expected, "{pattern} {name}");
        }
        assert!(!fits("api.example.com", San::Email("api.example.com".into())));
        assert!(!fits("api.example.com", San::Uri("api.example.com".into())));
    }

    #[test]
    fn a_star_is_all_before_the_at_of_an_address() {
        for (pattern, name, expected) in [
            ("anna@example.com", "anna@EXAMPLE.com", true),
            ("anna@example.com", "Anna@example.com", false),
            ("*@example.com", "anna.b+c@example.com", true),
            ("*@example.com", "@example.com", false),
            ("*@example.com", "\"a b\"@example.com", false),
            ("*@example.com", "evil@evil.com@example.com", false),
            ("*@example.com", "anna@sub.example.com", false),
            ("*@*.example.com", "anna@sub.example.com", true),
        ] {
            assert_eq!(fits(pattern, San::Email(name.into())), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn an_address_is_for_itself_however_it_is_written() {
        for (pattern, name, expected) in [
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.10", false),
            ("2001:db8::1", "2001:db8::1", true),
            ("2001:DB8:0:0:0:0:0:1", "2001:db8::1", true),
            ("2001:db8::1", "2001:db8::2", false),
            ("::ffff:192.0.2.1", "192.0.2.1", true),
            ("::ffff:192.0.2.1", "192.0.2.2", false),
        ] {
            assert_eq!(fits(pattern, San::Ip(name.into())), expected, "{pattern} {name}");
        }
        for other in [San::Dns("192.0.2.1".into()), San::Uri("192.0.2.1".into())] {
            assert!(!fits("192.0.2.1", other));
        }
        assert!(!fits("*.example.com", San::Ip("192.0.2.1".into())));
    }

    #[test]
    fn a_name_in_the_form_of_others_is_refused_with_the_form_of_ours() {
        for (text, hint) in [
            ("DNS:api.example.com", "write the name alone, without `DNS:`: `api.example.com`"),
            ("dns:api.example.com", "write the name alone, without `DNS:`: `api.example.com`"),
            ("IP:192.0.2.1", "write the name alone, without `IP:`: `192.0.2.1`"),
            ("URI:spiffe://example.com/a", "write the name alone, without `URI:`: `spiffe://example.com/a`"),
            ("email:anna@example.com", "write the name alone, without `email:`: `anna@example.com`"),
            ("api.example.com:443", "a name in a certificate has no port: `api.example.com`"),
            ("192.0.2.1:443", "a name in a certificate has no port: `192.0.2.1`"),
            ("fe80::1%eth0", "an address in a certificate has no zone: `fe80::1`"),
            ("2001:db8::/32", "a range of addresses cannot be a pattern: write each address whole"),
            ("192.0.2.0/24", "a range of addresses cannot be a pattern: write each address whole"),
        ] {
            let error = SanPattern::parse(text).expect_err(text);
            assert_eq!(error.hint(), hint, "{text}");
        }
        for text in ["urn:example:7", "https://a.example:8443", "https://a.example:8443/x"] {
            assert!(SanPattern::parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn a_pattern_that_would_surprise_is_refused() {
        for text in [
            "192.0.2.*",
            "192.0.2.0/24",
            "192.0.2",
            "192.0.2.256",
            "*.0.2.1",
            "[2001:db8::1]",
            "a@192.0.2.1",
            "",
            "*",
            "a.*",
            "*a.example.com",
            "a b",
            "é.com",
            "a..b",
            "@example.com",
            "a*@example.com",
            "*@*",
            "*@",
            "*://example.com/a",
            "spiffe://*/a",
            "spiffe://*.example.com/a",
            "spiffe://example.com/a*",
            "spiffe://example.com/**/a",
            "spiffe://example.com/a/***",
            "urn:example:*",
            "urn:a/*",
        ] {
            assert!(SanPattern::parse(text).is_err(), "{text:?}");
        }
    }
}
