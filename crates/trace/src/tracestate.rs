//! The `tracestate` header (W3C Trace Context, section 3.3). It is sent on as it came, or not at all.

use http::{HeaderMap, HeaderName};

pub(crate) const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

const MAX_MEMBERS: usize = 32;
const MAX_LENGTH: usize = 256;

/// Whether all lines of the header together are one valid list. A key that stands there twice is let pass: the
/// services behind us, which change the list, settle that.
pub(crate) fn is_valid(headers: &HeaderMap) -> bool {
    let mut members = 0;
    headers.get_all(TRACESTATE).iter().all(|line| {
        line.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii).all(|member| {
            members += usize::from(!member.is_empty());
            member.is_empty() || (members <= MAX_MEMBERS && is_member(member))
        })
    })
}

fn is_member(member: &[u8]) -> bool {
    let Some(equals) = member.iter().position(|byte| *byte == b'=') else { return false };
    let (key, value) = (&member[..equals], &member[equals + 1..]);
    is_key(key) && is_value(value)
}

fn is_key(key: &[u8]) -> bool {
    let simple = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9');
    key.len() <= MAX_LENGTH
        && key.first().is_some_and(simple)
        && key.iter().all(|byte| simple(byte) || b"_-*/@".contains(byte))
}

fn is_value(value: &[u8]) -> bool {
    (1..=MAX_LENGTH).contains(&value.len())
        && value.iter().all(|byte| matches!(byte, b' '..=b'~') && *byte != b'=')
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn valid(lines: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(TRACESTATE, HeaderValue::from_bytes(line.as_bytes()).expect("a header value"));
        }
        is_valid(&headers)
    }

    #[test]
    fn valid_lists_are_known() {
        let most = vec!["a=1"; 32].join(",");
        let longest = format!("{}={}", "k".repeat(256), "v".repeat(256));
        for lines in [
            &["rojo=00f067aa0ba902b7"][..],
            &["rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"],
            &["a=1", "b=2"],
            &["a=1 ,\tb=2", ""],
            &["a=1,,b=2"],
            &["1tenant@sys-tem/x*=v al:ue"],
            &[&most],
            &[&longest],
        ] {
            assert!(valid(lines), "{lines:?}");
        }
    }

    #[test]
    fn invalid_lists_are_known() {
        let too_many = vec!["a=1"; 33].join(",");
        let too_long = format!("a={}", "v".repeat(257));
        let long_key = format!("{}=1", "k".repeat(257));
        for lines in [
            &["a"][..],
            &["=1"],
            &["a="],
            &["A=1"],
            &["a b=1"],
            &["@a=1"],
            &["a=1=2"],
            &["a=h\u{e9}"],
            &["a=1\t2"],
            &["a=1;b=2"],
            &["a=1", "B=2"],
            &[&too_many],
            &[&too_long],
            &[&long_key],
        ] {
            assert!(!valid(lines), "{lines:?}");
        }
    }
}
