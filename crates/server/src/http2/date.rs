//! The `date` field of responses (RFC 9110, section 6.6.1), made once a second.

use std::{
    cell::RefCell,
    time::{SystemTime, UNIX_EPOCH},
};

use http::HeaderValue;

thread_local! {
    static CACHED: RefCell<Option<(u64, HeaderValue)>> = const { RefCell::new(None) };
}

/// The current date; `None` should it be none that can be written.
pub(super) fn now() -> Option<HeaderValue> {
    let now = SystemTime::now();
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
    #[test]
    fn the_date_is_that_of_now() {
        let date = super::now().expect("a date");
        let date = httpdate::parse_http_date(date.to_str().expect("text")).expect("a date");
        assert!(date.elapsed().expect("not in the future").as_secs() < 5);
    }
}
