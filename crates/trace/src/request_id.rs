//! The value of `x-request-id`.

use gatewright_core::{ids, problem::REQUEST_ID};
use http::{HeaderMap, HeaderValue};

/// The longest id that is kept, in bytes.
const MAX_LENGTH: usize = 128;

/// Keeps the request's id, when it may be kept and is well-formed, or makes one; the request then carries it.
pub(crate) fn settle(headers: &mut HeaderMap, keep: bool) -> HeaderValue {
    if keep && let Some(id) = kept(headers) {
        return id;
    }
    let id = ids::request_id();
    headers.insert(REQUEST_ID, id.clone());
    id
}

/// The id that the request brought, when there is one only and it is well-formed.
fn kept(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut values = headers.get_all(REQUEST_ID).iter();
    let id = values.next()?;
    let alone = values.next().is_none();
    (alone && is_well_formed(id.as_bytes())).then(|| id.clone())
}

/// Holds what UUIDs, hex, base64 and the ids of the usual proxies are made of, and nothing that a log, a shell or a
/// page could take for more than text.
fn is_well_formed(id: &[u8]) -> bool {
    (1..=MAX_LENGTH).contains(&id.len())
        && id.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~+/=:@".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(keep: bool, brought: &[&[u8]]) -> (String, usize) {
        let mut headers = HeaderMap::new();
        for id in brought {
            headers.append(REQUEST_ID, HeaderValue::from_bytes(id).expect("a header value"));
        }
        let id = settle(&mut headers, keep);
        assert_eq!(headers[REQUEST_ID], id, "the request carries it");
        (id.to_str().expect("text").to_owned(), headers.get_all(REQUEST_ID).iter().count())
    }

    #[test]
    fn a_well_formed_id_of_a_trusted_peer_is_kept() {
        let longest = [b'a'; MAX_LENGTH];
        for id in [
            &b"a"[..],
            b"0",
            b"5f2b1c0e-8e0b-4a39-9c1e-0d7c7a0e6b11",
            b"Root=1-67891233-abcdef012345678912345678",
            b"dGVzdA+/==",
            b"node.42_7~x:y@z",
            &longest,
        ] {
            assert_eq!(settled(true, &[id]), (String::from_utf8_lossy(id).into_owned(), 1));
        }
    }

    #[test]
    fn any_other_id_is_replaced() {
        let too_long = [b'a'; MAX_LENGTH + 1];
        let cases: &[(bool, &[&[u8]])] = &[
            (true, &[]),
            (true, &[b""]),
            (true, &[b" "]),
            (true, &[b"a b"]),
            (true, &[b"a,b"]),
            (true, &[b"a\"b"]),
            (true, &[b"a\\b"]),
            (true, &[b"<script>"]),
            (true, &[b"a\tb"]),
            (true, &[b"\xff\xfe"]),
            (true, &["h\u{e9}".as_bytes()]),
            (true, &[b"${jndi:x}"]),
            (true, &[&too_long]),
            (true, &[b"one", b"two"]),
            (true, &[b"same", b"same"]),
            (false, &[]),
            (false, &[b"well-formed-but-untrusted"]),
            (false, &[b"one", b"two"]),
        ];
        for (keep, brought) in cases {
            let (id, lines) = settled(*keep, brought);
            assert_eq!(lines, 1, "{brought:?}");
            assert_eq!(id.len(), 32, "{brought:?}");
            assert!(id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')), "{brought:?}");
        }
    }
}
