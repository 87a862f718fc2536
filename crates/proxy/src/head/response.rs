//! The head of a response on its way through.

use gatewright_core::{Error, ErrorKind, hop_by_hop};
use http::{HeaderMap, HeaderValue, StatusCode, Version, header::CONTENT_LENGTH, response};

/// Removes from a response the fields that are not forwarded, and leaves one length at most.
///
/// # Errors
///
/// When its lengths contradict each other.
pub(crate) fn clean_response(parts: &mut response::Parts) -> Result<(), Error> {
    if parts.headers.keys().any(|name| hop_by_hop::is_one(name.as_str())) {
        hop_by_hop::remove(&mut parts.headers);
    }
    // The version that the upstream speaks does not matter to the client.
    parts.version = Version::HTTP_11;
    if parts.status.is_informational() || parts.status == StatusCode::NO_CONTENT {
        // RFC 9110, section 8.6.
        parts.headers.remove(CONTENT_LENGTH);
        return Ok(());
    }
    settle_length(&mut parts.headers)
}

/// Makes several equal lengths one, in the form that the RFC demands (RFC 9110, section 8.6).
fn settle_length(headers: &mut HeaderMap) -> Result<(), Error> {
    let mut fields = headers.get_all(CONTENT_LENGTH).iter();
    let Some(first) = fields.next() else { return Ok(()) };
    // Any nineteen digits fit into 64 bits.
    let plain = |text: &[u8]| match text {
        b"0" => true,
        [b'1'..=b'9', rest @ ..] => rest.len() < 19 && rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if fields.next().is_none() && plain(first.as_bytes()) {
        return Ok(());
    }
    let mut lengths = headers
        .get_all(CONTENT_LENGTH)
        .iter()
        .flat_map(|field| field.as_bytes().split(|byte| *byte == b','))
        .map(|text| digits(text.trim_ascii()));
    let contradiction = || Error::new(ErrorKind::Protocol, "the response's lengths contradict each other");
    let length = lengths.next().flatten().ok_or_else(contradiction)?;
    if !lengths.all(|other| other == Some(length)) {
        return Err(contradiction());
    }
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    Ok(())
}

fn digits(text: &[u8]) -> Option<u64> {
    let text = str::from_utf8(text).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_has_one_length_at_most() {
        let settled = |status: StatusCode, lengths: &[&'static str]| {
            let (mut parts, ()) = http::Response::new(()).into_parts();
            parts.status = status;
            for length in lengths {
                parts.headers.append(CONTENT_LENGTH, HeaderValue::from_static(length));
            }
            clean_response(&mut parts).map(|()| {
                parts
                    .headers
                    .get_all(CONTENT_LENGTH)
                    .iter()
                    .map(|length| length.to_str().unwrap().to_owned())
                    .collect()
            })
        };
        let ok = |lengths: &[&'static str]| -> Option<Vec<String>> { settled(StatusCode::OK, lengths).ok() };
        assert_eq!(ok(&[]).unwrap(), [] as [&str; 0]);
        for one in [&["2"][..], &["2", "2"], &["2, 2"], &["002"], &["2", "02 ,2"]] {
            assert_eq!(ok(one).unwrap(), ["2"], "{one:?}");
        }
        assert_eq!(ok(&["0"]).unwrap(), ["0"]);
        for contradiction in [&["2", "3"][..], &["2,3"], &["+2"], &["2,"], &["x"], &["99999999999999999999"]] {
            let error = settled(StatusCode::OK, contradiction).expect_err("is refused");
            assert_eq!(error.kind(), ErrorKind::Protocol, "{contradiction:?}");
        }
        assert_eq!(settled(StatusCode::NO_CONTENT, &["2"]).unwrap(), [] as [&str; 0]);
    }
}
