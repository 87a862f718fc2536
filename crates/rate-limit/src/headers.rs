//! The header fields of draft-ietf-httpapi-ratelimit-headers-10, and the ones that many used before it.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use smallvec::SmallVec;

use crate::{
    gcra::Reading,
    limits::{Limit, Limits},
};

pub(crate) const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
pub(crate) const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LEGACY_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const LEGACY_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const LEGACY_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// Which header fields a response gets.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Fields {
    pub(crate) none: bool,
    pub(crate) legacy: bool,
}

/// Whole seconds, rounded up, so that whoever waits as long does not come too early.
pub(crate) fn seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

/// The text as a string of structured fields (RFC 9651, section 3.3.3). What it cannot hold becomes `_`.
pub(crate) fn string(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            ' '..='~' => quoted.push(c),
            _ => quoted.push('_'),
        }
    }
    quoted.push('"');
    quoted
}

/// `"minute";q=100;w=60, "day";q=5000;w=86400`
pub(crate) fn policy(limits: &[Limit]) -> HeaderValue {
    let items: Vec<_> = limits
        .iter()
        .map(|limit| {
            let (quota, window) = limit.described();
            format!("{};q={quota};w={window}", limit.label)
        })
        .collect();
    // Labels hold nothing but visible ASCII and spaces.
    HeaderValue::from_maybe_shared(Bytes::from(items.join(", "))).unwrap_or(HeaderValue::from_static(""))
}

/// `"minute";r=42;t=30, "day";r=4711;t=3600`: what is left, and in how many seconds the bucket is full.
fn ratelimit(limits: &Limits, readings: &[Reading]) -> HeaderValue {
    // On the stack, so that the value itself is the one allocation.
    let mut value: SmallVec<[u8; 128]> = SmallVec::new();
    let mut number = itoa::Buffer::new();
    for (limit, reading) in limits.iter().zip(readings) {
        if !value.is_empty() {
            value.extend_from_slice(b", ");
        }
        value.extend_from_slice(limit.label.as_bytes());
        value.extend_from_slice(b";r=");
        value.extend_from_slice(number.format(reading.remaining).as_bytes());
        value.extend_from_slice(b";t=");
        value.extend_from_slice(number.format(reset(reading)).as_bytes());
    }
    HeaderValue::from_bytes(&value).unwrap_or(HeaderValue::from_static(""))
}

fn reset(reading: &Reading) -> u64 {
    seconds(Duration::from_nanos(reading.reset))
}

impl Fields {
    /// Writes what the limits have to say. Outer and inner limits each add their own line.
    pub(crate) fn write(self, headers: &mut HeaderMap, limits: &Limits, readings: &[Reading]) {
        if self.none || readings.is_empty() {
            return;
        }
        headers.append(RATELIMIT_POLICY, limits.policy().clone());
        headers.append(RATELIMIT, ratelimit(limits, readings));
        if self.legacy {
            // There is room for one limit only: the one that is nearest to its end.
            let nearest = limits.iter().zip(readings).min_by_key(|(_, reading)| reading.remaining);
            if let Some((limit, reading)) = nearest {
                headers.insert(LEGACY_LIMIT, limit.described().0.into());
                headers.insert(LEGACY_REMAINING, reading.remaining.into());
                headers.insert(LEGACY_RESET, reset(reading).into());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use gatewright_core::Quota;

    use super::*;

    fn written(name: &str, quotas: &[Quota], legacy: bool, readings: &[Reading]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        Fields { none: false, legacy }.write(&mut headers, &Limits::new(name, "", quotas), readings);
        headers
    }

    #[test]
    fn each_limit_is_an_item_of_both_fields() {
        let quotas = [Quota::per_second(50).burst(100), Quota::per_day(5000)];
        let readings =
            [Reading { remaining: 99, reset: 20_000_000 }, Reading { remaining: 4_999, reset: 17_280_000_000 }];
        let headers = written("", &quotas, true, &readings);
        assert_eq!(headers["ratelimit-policy"], r#""second";q=100;w=2, "day";q=5000;w=86400"#);
        assert_eq!(headers["ratelimit"], r#""second";r=99;t=1, "day";r=4999;t=18"#);
        assert_eq!(headers["x-ratelimit-limit"], "100");
        assert_eq!(headers["x-ratelimit-remaining"], "99");
        assert_eq!(headers["x-ratelimit-reset"], "1");
    }

    #[test]
    fn a_name_is_a_string_of_structured_fields() {
        let reading = [Reading { remaining: 0, reset: 0 }];
        let headers = written("a \"b\" \\ \r\n\u{fc}", &[Quota::per_minute(1)], false, &reading);
        assert_eq!(headers["ratelimit"], r#""a \"b\" \\ ___";r=0;t=0"#);
        assert!(!headers.contains_key("x-ratelimit-limit"));
        let named = written("api", &[Quota::per_minute(1), Quota::per_hour(9)], false, &reading);
        assert_eq!(named["ratelimit-policy"], r#""api-minute";q=1;w=60, "api-hour";q=9;w=3600"#);
    }

    #[test]
    fn a_bucket_that_refills_within_a_second_is_described_by_its_rate() {
        let headers =
            written("", &[Quota::per_second(1000).burst(10)], false, &[Reading { remaining: 1, reset: 1 }]);
        assert_eq!(headers["ratelimit-policy"], r#""second";q=1000;w=1"#);
    }

    #[test]
    fn a_bucket_that_refills_in_a_second_is_described_by_what_it_holds() {
        let quota = Quota::per(10, Duration::from_secs(2)).burst(5);
        let headers = written("", &[quota], false, &[Reading { remaining: 1, reset: 1 }]);
        assert_eq!(headers["ratelimit-policy"], r#""2s";q=5;w=1"#);
    }
}
