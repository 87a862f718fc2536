//! Common field names, found without an allocation.

use http::{HeaderName, header};

/// At least the length of the longest common name.
const LONGEST: usize = 32;

macro_rules! names {
    ($($text:literal => $name:expr,)*) => {
        /// The common name that the first `length` bytes spell, in any case. The caller has checked that the bytes are
        /// characters of a name.
        #[inline]
        pub(crate) fn usual(bytes: &[u8], length: usize) -> Option<HeaderName> {
            // Usually this many bytes follow, and a copy of a fixed size costs almost nothing.
            let mut lower = match bytes.first_chunk() {
                Some(chunk) => *chunk,
                None => padded(bytes),
            };
            for byte in &mut lower {
                // This sets letters to lower case. Digits and hyphens have the bit already.
                *byte |= 0x20;
            }
            match lower.get(..length)? {
                $($text => Some(const { $name }),)*
                _ => None,
            }
        }

        #[cfg(test)]
        const ALL: &[&[u8]] = &[$($text),*];
    };
}

#[cold]
fn padded(bytes: &[u8]) -> [u8; LONGEST] {
    let mut padded = [0; LONGEST];
    padded.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    padded
}

names! {
    b"te" => header::TE,
    b"via" => header::VIA,
    b"dnt" => header::DNT,
    b"date" => header::DATE,
    b"host" => header::HOST,
    b"accept" => header::ACCEPT,
    b"cookie" => header::COOKIE,
    b"expect" => header::EXPECT,
    b"origin" => header::ORIGIN,
    b"pragma" => header::PRAGMA,
    b"referer" => header::REFERER,
    b"trailer" => header::TRAILER,
    b"upgrade" => header::UPGRADE,
    b"priority" => HeaderName::from_static("priority"),
    b"if-match" => header::IF_MATCH,
    b"forwarded" => header::FORWARDED,
    b"x-real-ip" => HeaderName::from_static("x-real-ip"),
    b"x-api-key" => HeaderName::from_static("x-api-key"),
    b"sec-ch-ua" => HeaderName::from_static("sec-ch-ua"),
    b"connection" => header::CONNECTION,
    b"keep-alive" => HeaderName::from_static("keep-alive"),
    b"user-agent" => header::USER_AGENT,
    b"tracestate" => HeaderName::from_static("tracestate"),
    b"traceparent" => HeaderName::from_static("traceparent"),
    b"content-type" => header::CONTENT_TYPE,
    b"grpc-timeout" => HeaderName::from_static("grpc-timeout"),
    b"x-request-id" => HeaderName::from_static("x-request-id"),
    b"authorization" => header::AUTHORIZATION,
    b"cache-control" => header::CACHE_CONTROL,
    b"if-none-match" => header::IF_NONE_MATCH,
    b"accept-charset" => header::ACCEPT_CHARSET,
    b"content-length" => header::CONTENT_LENGTH,
    b"sec-fetch-dest" => HeaderName::from_static("sec-fetch-dest"),
    b"sec-fetch-mode" => HeaderName::from_static("sec-fetch-mode"),
    b"sec-fetch-site" => HeaderName::from_static("sec-fetch-site"),
    b"sec-fetch-user" => HeaderName::from_static("sec-fetch-user"),
    b"accept-encoding" => header::ACCEPT_ENCODING,
    b"accept-language" => header::ACCEPT_LANGUAGE,
    b"idempotency-key" => HeaderName::from_static("idempotency-key"),
    b"x-forwarded-for" => HeaderName::from_static("x-forwarded-for"),
    b"content-encoding" => header::CONTENT_ENCODING,
    b"sec-ch-ua-mobile" => HeaderName::from_static("sec-ch-ua-mobile"),
    b"x-correlation-id" => HeaderName::from_static("x-correlation-id"),
    b"x-forwarded-host" => HeaderName::from_static("x-forwarded-host"),
    b"x-forwarded-port" => HeaderName::from_static("x-forwarded-port"),
    b"x-requested-with" => HeaderName::from_static("x-requested-with"),
    b"if-modified-since" => header::IF_MODIFIED_SINCE,
    b"sec-websocket-key" => header::SEC_WEBSOCKET_KEY,
    b"transfer-encoding" => header::TRANSFER_ENCODING,
    b"x-forwarded-proto" => HeaderName::from_static("x-forwarded-proto"),
    b"sec-ch-ua-platform" => HeaderName::from_static("sec-ch-ua-platform"),
    b"sec-websocket-version" => header::SEC_WEBSOCKET_VERSION,
    b"access-control-request-method" => header::ACCESS_CONTROL_REQUEST_METHOD,
    b"upgrade-insecure-requests" => header::UPGRADE_INSECURE_REQUESTS,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_usual_name_is_the_name_that_it_reads_like() {
        for text in ALL {
            let expected = HeaderName::from_bytes(text).expect("a name");
            assert_eq!(usual(text, text.len()), Some(expected.clone()));
            let line = [&text.to_ascii_uppercase()[..], b": and a value that is long enough"].concat();
            assert_eq!(usual(&line, text.len()), Some(expected));
        }
        for other in [&b""[..], b"hosts", b"ho_t", b"x-forwarded-fo2", &[b'a'; 33]] {
            assert_eq!(usual(other, other.len()), None);
        }
    }
}
