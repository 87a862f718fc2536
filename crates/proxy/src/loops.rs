//! Requests that come back to the gateway that forwarded them (RFC 8586).
//!
//! 1. Each request that is forwarded carries this process's id in `CDN-Loop`, once for each pass. It stands behind the
//!    ids of other proxies.
//! 2. A request that has passed [`MAX_PASSES`] times is refused with 508, so that a loop ends after a few rounds.
//! 3. The id is random, so that two gateways in a row do not mistake each other for themselves.

use std::sync::LazyLock;

use gatewright_core::{Error, ErrorKind, ids};
use http::{HeaderMap, HeaderName, HeaderValue};

/// The field. Only the last recipient removes it.
pub(crate) const CDN_LOOP: HeaderName = HeaderName::from_static("cdn-loop");

/// How often one request may pass through this process. No sensible arrangement needs as many passes.
const MAX_PASSES: usize = 5;

/// The id of this process.
static OWN_ID: LazyLock<HeaderValue> = LazyLock::new(|| {
    HeaderValue::try_from(format!("gatewright-{:016x}", ids::short_id()))
        .unwrap_or_else(|_| HeaderValue::from_static("gatewright"))
});

/// Adds this process to the list of proxies that have forwarded the request. `seen` tells whether the head has the field.
///
/// # Errors
///
/// When the request has passed too often.
pub(crate) fn pass(headers: &mut HeaderMap, seen: bool) -> Result<(), Error> {
    if !seen {
        headers.insert(CDN_LOOP, OWN_ID.clone());
        return Ok(());
    }
    let passes = headers.get_all(CDN_LOOP).iter().map(|value| passes_in(value.as_bytes())).sum::<usize>();
    if passes >= MAX_PASSES {
        return Err(Error::new(ErrorKind::Loop, format!("the request has come back {passes} times")));
    }
    headers.append(CDN_LOOP, OWN_ID.clone());
    Ok(())
}

/// How often the id of this process occurs in a list of ids with parameters.
fn passes_in(value: &[u8]) -> usize {
    let ids = value.split(|byte| *byte == b',').filter_map(|id| id.split(|byte| *byte == b';').next());
    ids.filter(|id| id.trim_ascii() == OWN_ID.as_bytes()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (CDN_LOOP, value.parse().expect("a value"))).collect()
    }

    fn passes(mut headers: HeaderMap) -> Result<Vec<String>, ErrorKind> {
        let seen = headers.contains_key(CDN_LOOP);
        pass(&mut headers, seen).map_err(|error| error.kind())?;
        let values = headers.get_all(CDN_LOOP).iter();
        Ok(values.map(|value| value.to_str().expect("is text").to_owned()).collect())
    }

    #[test]
    fn the_id_comes_behind_those_of_others() {
        let own = OWN_ID.to_str().expect("is text");
        assert!(own.starts_with("gatewright-") && own.len() == 27, "{own}");
        assert_eq!(passes(with(&[])), Ok(vec![own.to_owned()]));
        assert_eq!(passes(with(&["a; x=\"1\", b"])), Ok(vec!["a; x=\"1\", b".to_owned(), own.to_owned()]));
    }

    #[test]
    fn a_request_that_has_passed_too_often_is_refused() {
        let own = OWN_ID.to_str().expect("is text");
        for passed in 0..MAX_PASSES {
            assert!(passes(with(&vec![own; passed])).is_ok(), "{passed}");
        }
        assert_eq!(passes(with(&[own; MAX_PASSES])), Err(ErrorKind::Loop));
        // In one line, with parameters, among others.
        let line = vec![format!("{own};v=1"); MAX_PASSES].join(" , cloudflare,");
        assert_eq!(passes(with(&[&line])), Err(ErrorKind::Loop));
        assert!(passes(with(&[&vec!["gatewright-0"; 100].join(",")])).is_ok());
    }
}
