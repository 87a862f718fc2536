//! The `date` field of responses (RFC 9110, section 6.6.1), made once a second.

use std::{
    cell::RefCell,
    time::{SystemTime, UNIX_EPOCH},
};

use http::HeaderValue;

thread_local! {
    static CACHED: RefCell<Option<(u64, HeaderValue)>> = const { RefCell::new(None) };
}

/// The current date; `None` if the clock shows a date that cannot be written.
pub(super) fn now() -> Option<HeaderValue> {
    at(SystemTime::now())
}

fn at(now: SystemTime) -> Option<HeaderValue> {
    let second = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    CACHED.with_borrow_mut(|cached| {
        if cached.as_ref().is_none_or(|(of, _)| *of != second) {
            *cached = HeaderValue::try_from(httpdate::fmt_http_date(now)).ok().map(|value| (second, value));
        }
        cached.as_ref().map(|(_, value)| value.clone())
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_date_is_that_of_now() {
        let date = now().expect("a date");
        let date = httpdate::parse_http_date(date.to_str().expect("text")).expect("a date");
        assert!(date.elapsed().expect("not in the future").as_secs() < 5);
    }

    #[test]
    fn the_date_changes_with_each_second_and_with_nothing_less() {
        for (millis, expected) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (999, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (1000, "Thu, 01 Jan 1970 00:00:01 GMT"),
            (1001, "Thu, 01 Jan 1970 00:00:01 GMT"),
            (86_400_000, "Fri, 02 Jan 1970 00:00:00 GMT"),
            // A clock that is set back.
            (2999, "Thu, 01 Jan 1970 00:00:02 GMT"),
        ] {
            assert_eq!(at(UNIX_EPOCH + Duration::from_millis(millis)).expect("a date"), expected, "{millis}");
        }
    }

    #[test]
    fn the_date_is_made_once_a_second() {
        let [first, same, next] = [0, 999, 1000].map(|millis| {
            let date = at(UNIX_EPOCH + Duration::from_millis(millis)).expect("a date");
            (date.as_bytes().as_ptr(), date)
        });
        assert_eq!(first, same, "it is shared");
        assert_ne!(first.0, next.0);
    }
}
