//! The `Date` field (RFC 9110, section 6.6.1), formatted once a second.

use std::{
    cell::RefCell,
    time::{SystemTime, UNIX_EPOCH},
};

const LENGTH: usize = "Sun, 06 Nov 1994 08:49:37 GMT".len();

struct Cached {
    second: u64,
    text: [u8; LENGTH],
}

thread_local! {
    static CACHED: RefCell<Cached> = const { RefCell::new(Cached { second: u64::MAX, text: [b' '; LENGTH] }) };
}

/// Adds the current date.
pub(crate) fn append(out: &mut Vec<u8>) {
    let now = SystemTime::now();
    let second = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    CACHED.with_borrow_mut(|cached| {
        if cached.second != second {
            let text = httpdate::fmt_http_date(now);
            if let Ok(text) = <[u8; LENGTH]>::try_from(text.as_bytes()) {
                *cached = Cached { second, text };
            }
        }
        out.extend_from_slice(&cached.text);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_is_that_of_now() {
        let mut out = Vec::new();
        append(&mut out);
        let text = std::str::from_utf8(&out).expect("text");
        let date = httpdate::parse_http_date(text).expect("a date");
        assert!(date.elapsed().expect("not in the future").as_secs() < 5);
    }
}
