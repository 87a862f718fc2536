//! Credentials in cookies (RFC 6265, section 4.2).

use http::{HeaderMap, HeaderValue, header::COOKIE};

/// The values of all cookies with this name, in all Cookie fields: HTTP/2 may split the field.
pub(crate) fn values<'a>(headers: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    let pairs = headers.get_all(COOKIE).iter().flat_map(|field| pairs(field.as_bytes()));
    pairs.filter_map(move |pair| value_of(pair, name.as_bytes()))
}

/// Removes all cookies with this name. The other cookies stay as they were written.
pub(crate) fn remove(headers: &mut HeaderMap, name: &str) {
    if values(headers, name).next().is_none() {
        return;
    }
    let kept: Vec<HeaderValue> =
        headers.get_all(COOKIE).iter().filter_map(|field| without(field, name)).collect();
    headers.remove(COOKIE);
    for field in kept {
        headers.append(COOKIE, field);
    }
}

fn without(field: &HeaderValue, name: &str) -> Option<HeaderValue> {
    let kept: Vec<&[u8]> =
        pairs(field.as_bytes()).filter(|pair| value_of(pair, name.as_bytes()).is_none()).collect();
    if kept.is_empty() { None } else { HeaderValue::from_bytes(&kept.join(&b"; "[..])).ok() }
}

fn pairs(field: &[u8]) -> impl Iterator<Item = &[u8]> {
    field.split(|byte| *byte == b';').map(<[u8]>::trim_ascii).filter(|pair| !pair.is_empty())
}

fn value_of<'a>(pair: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let rest = pair.strip_prefix(name)?.trim_ascii_start();
    rest.strip_prefix(b"=").map(<[u8]>::trim_ascii_start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_found_in_all_fields_and_taken_out() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=1; token=t1;b=2"));
        headers.append(COOKIE, HeaderValue::from_static("token=t2"));
        headers.append(COOKIE, HeaderValue::from_static("xtoken=3; tokenx=4; token"));
        assert_eq!(values(&headers, "token").collect::<Vec<_>>(), [b"t1", b"t2"]);
        remove(&mut headers, "token");
        let left: Vec<_> = headers.get_all(COOKIE).iter().collect();
        assert_eq!(left, ["a=1; b=2", "xtoken=3; tokenx=4; token"]);
    }
}
