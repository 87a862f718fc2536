//! Counts over short windows of time.
//!
//! 1. A window has a number: the time since the beginning divided by its length. A ring has a place for each of the last
//!    windows, and a window's place is its number modulo their count.
//! 2. A counter carries the number of the window that it counts for. Whoever counts for a later window starts it anew, so
//!    nobody has to clear a ring, no count is lost, and a reader takes no count of another window.
//! 3. A count never waits: it is a loop of one compare-and-swap, which another core can only delay by having counted.

use std::sync::atomic::{AtomicU64, Ordering};

use super::histogram::{BUCKETS, Histogram, bucket_of};

/// A count of one window.
#[derive(Debug, Default)]
pub(super) struct Windowed(AtomicU64);

impl Windowed {
    /// Counts one, in this window.
    pub(super) fn add(&self, window: u32) {
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |packed| {
            let (of, count) = unpack(packed);
            match of {
                _ if of == window => Some(pack(window, count.saturating_add(1))),
                // A request that ended in a window which the ring has left meanwhile counts nowhere.
                _ if of > window => None,
                _ => Some(pack(window, 1)),
            }
        });
    }

    /// The count, if it is of this window.
    pub(super) fn get(&self, window: u32) -> u32 {
        match unpack(self.0.load(Ordering::Relaxed)) {
            (of, count) if of == window => count,
            _ => 0,
        }
    }
}

fn pack(window: u32, count: u32) -> u64 {
    (u64::from(window) << 32) | u64::from(count)
}

#[expect(clippy::cast_possible_truncation, reason = "the two halves")]
fn unpack(packed: u64) -> (u32, u32) {
    ((packed >> 32) as u32, packed as u32)
}

/// How requests ended, as charts group them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// 1xx to 3xx.
    Success,
    /// 4xx, without those below.
    ClientError,
    /// 5xx, and requests that failed without a status.
    ServerError,
    /// Refused by a limit: 429, or by the name of the policy.
    Limited,
    /// Refused by another policy.
    Refused,
}

impl Class {
    pub(crate) const ALL: [Self; 5] =
        [Self::Success, Self::ClientError, Self::ServerError, Self::Limited, Self::Refused];

    /// The word for it in the API.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::ClientError => "client_error",
            Self::ServerError => "server_error",
            Self::Limited => "limited",
            Self::Refused => "refused",
        }
    }
}

/// The requests of one window.
#[derive(Debug)]
struct Window {
    classes: [Windowed; Class::ALL.len()],
    latencies: [Windowed; BUCKETS],
}

/// The last windows of one length.
#[derive(Debug)]
pub(super) struct Ring {
    /// In seconds.
    length: u32,
    windows: Box<[Window]>,
}

/// What was counted in one window or in several.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counts {
    pub(crate) classes: [u64; Class::ALL.len()],
    pub(crate) latencies: Histogram,
}

impl Ring {
    pub(super) fn new(length: u32, count: usize) -> Self {
        let window = || Window {
            classes: std::array::from_fn(|_| Windowed::default()),
            latencies: std::array::from_fn(|_| Windowed::default()),
        };
        Self { length, windows: (0..count.max(1)).map(|_| window()).collect() }
    }

    /// Counts a request that ended in this second.
    #[inline]
    pub(super) fn add(&self, second: u32, class: Class, micros: Option<u64>) {
        let number = second / self.length;
        let window = self.window(number);
        window.classes[class as usize].add(number);
        if let Some(micros) = micros {
            window.latencies[bucket_of(micros)].add(number);
        }
    }

    fn window(&self, number: u32) -> &Window {
        &self.windows[number as usize % self.windows.len()]
    }

    /// Adds the counts of the window of this number, which is one of the last.
    pub(super) fn read(&self, number: u32, counts: &mut Counts) {
        let window = self.window(number);
        for (sum, count) in counts.classes.iter_mut().zip(&window.classes) {
            *sum += u64::from(count.get(number));
        }
        counts.latencies.add_each(window.latencies.iter().map(|count| count.get(number)));
    }

    /// Adds how many requests the window of this number has, by class, and leaves their latencies out.
    pub(super) fn read_classes(&self, number: u32, classes: &mut [u64; Class::ALL.len()]) {
        for (sum, count) in classes.iter_mut().zip(&self.window(number).classes) {
            *sum += u64::from(count.get(number));
        }
    }

    pub(super) fn length(&self) -> u32 {
        self.length
    }

    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.windows.len()).unwrap_or(u32::MAX)
    }
}

impl Counts {
    /// All requests.
    pub(crate) fn total(&self) -> u64 {
        self.classes.iter().sum()
    }

    pub(crate) fn of(&self, class: Class) -> u64 {
        self.classes[class as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(ring: &Ring, number: u32) -> Counts {
        let mut counts = Counts::default();
        ring.read(number, &mut counts);
        counts
    }

    #[test]
    fn a_window_counts_its_own_requests_and_goes_when_its_place_is_taken() {
        let ring = Ring::new(10, 6);
        ring.add(5, Class::Success, Some(900));
        ring.add(9, Class::ServerError, Some(900));
        ring.add(10, Class::Success, Some(900));
        assert_eq!((read(&ring, 0).total(), read(&ring, 1).total(), read(&ring, 2).total()), (2, 1, 0));
        assert_eq!(read(&ring, 0).of(Class::ServerError), 1);
        // A minute later, the first window's place is another one's.
        ring.add(60, Class::Success, Some(900));
        assert_eq!((read(&ring, 0).of(Class::Success), read(&ring, 6).total()), (0, 1));
        // What comes too late is no request of the later window.
        ring.add(5, Class::Success, Some(900));
        assert_eq!((read(&ring, 0).of(Class::Success), read(&ring, 6).total()), (0, 1));
    }

    #[test]
    fn no_count_of_many_threads_is_lost_when_a_window_begins() {
        let ring = Ring::new(1, 4);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for second in 0..4 {
                        for _ in 0..1000 {
                            ring.add(second, Class::Success, Some(100));
                        }
                    }
                });
            }
        });
        let total: u64 = (0..4).map(|number| read(&ring, number).total()).sum();
        assert_eq!(total, 16_000);
    }
}
