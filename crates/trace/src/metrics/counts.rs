//! Counters by method and status.

use std::sync::{
    OnceLock,
    atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
};

use http::Method;

/// The methods that have a label of their own (RFC 9110, section 9; RFC 5789; QUERY).
const METHODS: [&str; 10] =
    ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE", "QUERY"];

/// Any other method, as OpenTelemetry's semantic conventions have it.
const OTHER_METHOD: &str = "_OTHER";

/// Counters in a chunk, and the most chunks of one route: 64 series.
const CHUNK: usize = 8;
const CHUNKS: usize = 8;

/// A method and a status, as one number that is never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct CountKey(u32);

impl CountKey {
    pub(super) fn new(method: &Method, status: Option<u16>) -> Self {
        let number = match *method {
            Method::GET => 0,
            Method::HEAD => 1,
            Method::POST => 2,
            Method::PUT => 3,
            Method::DELETE => 4,
            Method::PATCH => 5,
            Method::OPTIONS => 6,
            Method::CONNECT => 7,
            Method::TRACE => 8,
            _ => METHODS.iter().position(|known| *known == method.as_str()).unwrap_or(METHODS.len()),
        };
        Self::of_number(number, status)
    }

    /// As [`new`](Self::new), of a method that may be none.
    pub(super) fn of_text(method: &str, status: Option<u16>) -> Self {
        let number = METHODS.iter().position(|known| *known == method).unwrap_or(METHODS.len());
        Self::of_number(number, status)
    }

    fn of_number(method: usize, status: Option<u16>) -> Self {
        // There are eleven methods.
        let method = u32::try_from(method + 1).unwrap_or(u32::MAX >> 16);
        Self(method << 16 | u32::from(status.unwrap_or(0)))
    }

    pub(super) fn method(self) -> &'static str {
        METHODS.get((self.0 >> 16) as usize - 1).copied().unwrap_or(OTHER_METHOD)
    }

    /// `None` where no response began.
    pub(super) fn status(self) -> Option<u16> {
        u16::try_from(self.0 & 0xffff).ok().filter(|status| *status != 0)
    }
}

/// A counter for each method and status that comes, found by a walk over those that came before. Few come on one route.
#[derive(Default)]
pub(super) struct Counts {
    first: Chunk,
    other: AtomicU64,
}

#[derive(Default)]
struct Chunk {
    keys: [AtomicU32; CHUNK],
    counts: [AtomicU64; CHUNK],
    next: OnceLock<Box<Chunk>>,
}

impl Counts {
    /// Counts one; false when there are too many methods and statuses to tell this one apart.
    #[inline]
    pub(super) fn add(&self, key: CountKey) -> bool {
        let mut chunk = &self.first;
        for number in 0..CHUNKS {
            for (place, count) in chunk.keys.iter().zip(&chunk.counts) {
                let mut found = place.load(Relaxed);
                if found == 0 {
                    // Somebody else may have taken the place meanwhile, perhaps for the same key.
                    found = place.compare_exchange(0, key.0, Relaxed, Relaxed).err().unwrap_or(key.0);
                }
                if found == key.0 {
                    count.fetch_add(1, Relaxed);
                    return true;
                }
            }
            if number + 1 < CHUNKS {
                chunk = chunk.next.get_or_init(Box::default);
            }
        }
        self.other.fetch_add(1, Relaxed);
        false
    }

    /// What has been counted.
    pub(super) fn each(&self, mut see: impl FnMut(CountKey, u64)) {
        let mut next = Some(&self.first);
        while let Some(chunk) = next {
            for (key, count) in chunk.keys.iter().zip(&chunk.counts) {
                let (key, count) = (key.load(Relaxed), count.load(Relaxed));
                if key != 0 && count != 0 {
                    see(CountKey(key), count);
                }
            }
            next = chunk.next.get().map(|next| &**next);
        }
    }

    /// What could not be told apart.
    pub(super) fn other(&self) -> u64 {
        self.other.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn methods_have_their_names_and_strange_ones_share_one() {
        for method in METHODS {
            let parsed = Method::from_bytes(method.as_bytes()).expect("a method");
            let key = CountKey::new(&parsed, Some(200));
            assert_eq!((key.method(), key.status()), (method, Some(200)));
            assert_eq!(key, CountKey::of_text(method, Some(200)));
        }
        for strange in ["BREW", "get", "X\"Y"] {
            assert_eq!(CountKey::of_text(strange, None).method(), "_OTHER");
        }
        let brew = Method::from_bytes(b"BREW").expect("a method");
        assert_eq!(
            (CountKey::new(&brew, None).method(), CountKey::new(&brew, None).status()),
            ("_OTHER", None)
        );
    }

    #[test]
    fn many_threads_lose_no_count() {
        let counts = Counts::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for turn in 0..4000_u16 {
                        assert!(counts.add(CountKey::new(&Method::GET, Some(200 + turn % 40))));
                    }
                });
            }
        });
        let mut seen = BTreeMap::new();
        counts.each(|key, count| *seen.entry(key).or_insert(0) += count);
        assert_eq!((seen.len(), counts.other()), (40, 0));
        assert!(seen.values().all(|count| *count == 400), "{seen:?}");
    }

    #[test]
    fn what_is_too_much_is_counted_together() {
        let counts = Counts::default();
        let told = (100..1000).filter(|status| counts.add(CountKey::new(&Method::GET, Some(*status)))).count();
        assert_eq!((told, counts.other()), (CHUNK * CHUNKS, 900 - (CHUNK * CHUNKS) as u64));
    }
}
