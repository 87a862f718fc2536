//! Fetches a key set.

use std::{future::Future, pin::Pin, time::Duration};

use bytes::Bytes;
use gatewright_core::Body;
use http::{
    HeaderMap, HeaderValue, Request,
    header::{ACCEPT, CACHE_CONTROL},
};

use crate::provider::{Endpoint, NoAnswer};

/// Gets the text of a key set. It is a trait for tests, which have no provider and another clock.
pub(super) trait Fetch: Send + Sync {
    fn fetch(&self) -> Pin<Box<dyn Future<Output = Result<Fetched, NoAnswer>> + Send + '_>>;
}

/// The text of a key set, and the time for which it is fresh.
#[derive(Debug, Clone)]
pub(super) struct Fetched {
    pub(super) text: Bytes,
    pub(super) fresh: Duration,
}

/// The time for which keys are fresh if the provider does not say.
const FRESH: Duration = Duration::from_secs(10 * 60);

pub(super) async fn get_keys(endpoint: &Endpoint) -> Result<Fetched, NoAnswer> {
    let answer = endpoint.send(get("application/jwk-set+json, application/json")).await?;
    Ok(Fetched { fresh: fresh(&answer.headers), text: answer.body })
}

pub(super) fn get(accept: &'static str) -> Request<Body> {
    let mut request = Request::new(Body::empty());
    request.headers_mut().insert(ACCEPT, HeaderValue::from_static(accept));
    request
}

/// The freshness in `Cache-Control` (RFC 9111, section 5.2.2).
fn fresh(headers: &HeaderMap) -> Duration {
    let mut fresh = FRESH;
    let fields = headers.get_all(CACHE_CONTROL).iter().filter_map(|field| field.to_str().ok());
    for directive in fields.flat_map(|field| field.split(',')) {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        match name.trim().to_ascii_lowercase().as_str() {
            "no-store" | "no-cache" => return Duration::ZERO,
            "max-age" => {
                fresh = value.trim().trim_matches('"').parse().map_or(fresh, Duration::from_secs);
            }
            _ => {}
        }
    }
    fresh
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_fresh_for_as_long_as_the_provider_says() {
        for (field, expected) in [
            ("max-age=120", 120),
            ("public, Max-Age = \"300\", must-revalidate", 300),
            ("max-age=300, no-store", 0),
            ("no-cache", 0),
            ("max-age=x", 600),
            ("max-age=99999999999999999999", 600),
            ("private", 600),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(CACHE_CONTROL, HeaderValue::from_static(field));
            assert_eq!(fresh(&headers), Duration::from_secs(expected), "{field}");
        }
        assert_eq!(fresh(&HeaderMap::new()), FRESH);
    }
}
