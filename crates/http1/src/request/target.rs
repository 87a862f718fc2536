//! The request target (RFC 9112, section 3.2).

use super::host;
use crate::violation::Violation;

/// Checks the bytes and the form of a target, and gives the authority that the target names, if it names one.
///
/// Allowed are the characters of RFC 3986, and the characters that browsers do not encode by the URL standard's path and
/// query percent-encode sets (`\`, `^`, `{`, `|`, `}`, and the backtick in a query): the router decides about them in a path.
/// Browsers encode `"`, `<`, `>` and bytes beyond ASCII, so these are refused.
pub(crate) fn check<'a>(target: &'a [u8], method: &[u8]) -> Result<Option<Authority<'a>>, Violation> {
    if let Some(byte) = refused_byte(target) {
        return Err(if byte == b'#' { Violation::FRAGMENT } else { Violation::TARGET });
    }
    match target {
        [b'/', ..] => Ok(None),
        b"*" if method == b"OPTIONS" => Ok(None),
        _ => absolute(target).map(Some),
    }
}

/// The first byte that no target may hold.
#[inline]
pub(crate) fn refused_byte(target: &[u8]) -> Option<u8> {
    let mut in_query = false;
    target.iter().copied().find(|byte| {
        in_query |= *byte == b'?';
        !(ALLOWED[usize::from(*byte)] || in_query && *byte == b'`')
    })
}

/// The longest authority: a host of 255 bytes, and a port.
const MAX_AUTHORITY: usize = 255 + ":65535".len();

/// The longest target that `http::Uri` takes.
const MAX_URI: usize = u16::MAX as usize - 1;

/// Whether a target of `length` bytes is longer than `max`; `target` holds at least its start. The scheme and the authority
/// of the absolute form do not count, as over HTTP/2.
#[inline]
pub(super) fn is_too_long(target: &[u8], length: usize, max: usize) -> bool {
    length > max && (length > MAX_URI || length.saturating_sub(before_path(target)) > max)
}

/// The number of bytes before the path and query of a target in absolute form, up to the longest authority.
#[cold]
fn before_path(target: &[u8]) -> usize {
    let scheme =
        [&b"http://"[..], b"https://"].into_iter().find(|scheme| strip_scheme(target, scheme).is_some());
    let Some(scheme) = scheme else { return 0 };
    let rest = &target[scheme.len()..];
    let authority = &rest[..rest.len().min(MAX_AUTHORITY)];
    scheme.len() + memchr::memchr3(b'/', b'?', b' ', authority).unwrap_or(authority.len())
}

/// Whether the path of an HTTP/2 request has the bytes and the form of a target.
pub fn is_valid(target: &[u8], method: &[u8]) -> bool {
    matches!(check(target, method), Ok(None))
}

/// The authority of an absolute-form target.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Authority<'a> {
    pub(crate) host: &'a [u8],
    pub(crate) default_port: &'static [u8],
}

fn absolute(target: &[u8]) -> Result<Authority<'_>, Violation> {
    let (rest, default_port): (_, &[u8]) = match strip_scheme(target, b"http://") {
        Some(rest) => (rest, b"80"),
        None => (strip_scheme(target, b"https://").ok_or(Violation::TARGET)?, b"443"),
    };
    let end = memchr::memchr2(b'/', b'?', rest).unwrap_or(rest.len());
    let host = &rest[..end];
    if host::is_valid(host) { Ok(Authority { host, default_port }) } else { Err(Violation::TARGET) }
}

fn strip_scheme<'a>(target: &'a [u8], scheme: &[u8]) -> Option<&'a [u8]> {
    let (start, rest) = target.split_at_checked(scheme.len())?;
    start.eq_ignore_ascii_case(scheme).then_some(rest)
}

static ALLOWED: [bool; 256] = {
    let mut allowed = [false; 256];
    let mut byte = b'!';
    while byte <= b'~' {
        allowed[byte as usize] = !matches!(byte, b'"' | b'#' | b'<' | b'>' | b'`');
        byte += 1;
    }
    allowed
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_forms_of_a_target_are_told_apart() {
        assert!(check(b"/a?b", b"GET").is_ok_and(|authority| authority.is_none()));
        assert!(check(b"*", b"OPTIONS").is_ok_and(|authority| authority.is_none()));
        let authority = check(b"HTTP://Example.com:80/x", b"GET").expect("valid").expect("absolute");
        assert_eq!(authority.host, b"Example.com:80");
        assert_eq!(check(b"/a#b", b"GET").expect_err("a fragment"), Violation::FRAGMENT);
        for bad in
            ["*", "", "a", "example.com:443", "ftp://a/", "http://", "http:///x", "http://u@a/", "//a\u{e9}"]
        {
            assert_eq!(check(bad.as_bytes(), b"GET").expect_err(bad), Violation::TARGET);
        }
    }

    /// Each printable character, in a path and in a query.
    #[test]
    fn a_target_holds_what_browsers_leave_in_it() {
        for byte in b'!'..=b'~' {
            let char = char::from(byte);
            // https://url.spec.whatwg.org/#path-percent-encode-set and #special-query-percent-encode-set; `%`, `?` and `#`
            // have meanings of their own, and browsers make `/` of `\`.
            let raw_in_query = !matches!(char, '"' | '#' | '<' | '>' | '\'');
            let raw_in_path = raw_in_query && !matches!(char, '?' | '^' | '`' | '{' | '}') || char == '\'';
            let is_taken = |target: String| check(target.as_bytes(), b"GET").is_ok();
            let beyond = |more: &[char]| more.contains(&char);
            assert_eq!(is_taken(format!("/a?b{char}")), raw_in_query || beyond(&['\'']), "{char} in a query");
            assert_eq!(
                is_taken(format!("/a{char}")),
                raw_in_path || beyond(&['?', '^', '{', '}']),
                "{char} in a path"
            );
        }
    }

    #[test]
    fn each_byte_is_allowed_in_a_target_or_not() {
        for byte in 0..=u8::MAX {
            let expected = match byte {
                b'#' => Err(Violation::FRAGMENT),
                // In a query it may stand.
                b'"' | b'<' | b'>' | b'`' => Err(Violation::TARGET),
                b'!'..=b'~' => Ok(true),
                _ => Err(Violation::TARGET),
            };
            assert_eq!(check(&[b'/', byte, b'a'], b"GET").map(|named| named.is_none()), expected, "{byte:#x}");
            assert_eq!(is_valid(&[b'/', byte], b"GET"), expected.is_ok(), "{byte:#x}");
        }
    }

    #[test]
    fn a_path_of_http_2_is_no_absolute_target() {
        for (target, method, valid) in [
            ("/", "GET", true),
            ("/a?b", "POST", true),
            ("*", "OPTIONS", true),
            ("*", "GET", false),
            ("http://a/", "GET", false),
            ("a", "GET", false),
            ("", "GET", false),
        ] {
            assert_eq!(is_valid(target.as_bytes(), method.as_bytes()), valid, "{method} {target}");
        }
    }

    #[test]
    fn an_absolute_target_names_its_host_and_the_port_of_its_scheme() {
        for (target, host, port) in [
            ("http://a", "a", "80"),
            ("HTTPS://a:1/x", "a:1", "443"),
            ("https://[::1]?x", "[::1]", "443"),
            ("http://a.b:80?x/y", "a.b:80", "80"),
            ("http://a/?x", "a", "80"),
        ] {
            let named = check(target.as_bytes(), b"GET").expect("valid").expect("absolute");
            assert_eq!((named.host, named.default_port), (host.as_bytes(), port.as_bytes()), "{target}");
        }
    }

    proptest! {
        #[test]
        fn what_is_accepted_here_is_a_uri_to_the_http_crate(target in "(/|http://a(:1)?/?|http://b\\?)[ -~]{0,20}") {
            if check(target.as_bytes(), b"GET").is_ok() {
                prop_assert!(target.parse::<http::Uri>().is_ok(), "{}", target);
            }
        }
    }
}
