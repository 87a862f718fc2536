//! The warnings about the failures of one endpoint.
//!
//! 1. Each kind of failure has a warning of its own. A refused connection does not hide a reset, and a wrong name in a
//!    certificate does not hide an expired one. Kinds differ by their text too, up to [`MAX_TEXTS`] a minute, since an
//!    endpoint may influence the text.
//! 2. Each kind has one warning a minute at most. Failures in between are counted, and the next warning tells the count.
//! 3. When the endpoint answers after a warning, one more line says so.

use std::{
    error::Error as StdError,
    hash::{DefaultHasher, Hash, Hasher},
    io,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use gatewright_core::{Error, ErrorKind};
use tokio::time::Instant;

/// How long a kind is only counted after a warning.
const WARNING_INTERVAL: Duration = Duration::from_secs(60);

/// How many kinds are remembered at most. A further kind replaces the one with the oldest warning.
const MAX_KINDS: usize = 32;

/// How many texts of one failure have a warning of their own. Further texts are only counted.
const MAX_TEXTS: usize = 8;

/// A kind of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Kind {
    what: What,
    /// A hash of its text.
    words: u64,
}

/// What failed, and what the system said of it.
type What = (ErrorKind, Option<io::ErrorKind>);

/// The failures of one endpoint.
#[derive(Debug, Default)]
pub(crate) struct FailureLog {
    /// The last line in the log was a warning.
    failing: AtomicBool,
    seen: Mutex<Vec<Seen>>,
}

#[derive(Debug)]
struct Seen {
    kind: Kind,
    warned: Instant,
    left_out: u64,
}

impl FailureLog {
    /// Warns of a failure, or counts it.
    pub(crate) fn note(&self, endpoint: &str, error: &Error) {
        let causes = std::iter::successors(error.source(), |cause| (*cause).source());
        let causes: Vec<String> = causes.map(ToString::to_string).collect();
        let causes = causes.join(": ");
        let kind = Kind { what: what_failed(error), words: hash(&causes) };
        let Some(left_out) = self.count(kind, Instant::now()) else { return };
        self.failing.store(true, Ordering::Relaxed);
        if left_out == 0 {
            tracing::warn!(%endpoint, "{error}: {causes}");
        } else {
            tracing::warn!(%endpoint, left_out, "{error}: {causes} (and {left_out} more like it since the last warning)");
        }
    }

    /// Notes that the endpoint has answered.
    pub(crate) fn note_success(&self, endpoint: &str) {
        if self.failing.load(Ordering::Relaxed) && self.failing.swap(false, Ordering::Relaxed) {
            tracing::warn!(%endpoint, "the endpoint answers again");
        }
    }

    /// How many failures of this kind were left out since its last warning, when a warning is due.
    fn count(&self, kind: Kind, now: Instant) -> Option<u64> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = seen.iter_mut().find(|known| known.kind == kind) {
            if now.duration_since(known.warned) < WARNING_INTERVAL {
                known.left_out += 1;
                return None;
            }
            known.warned = now;
            return Some(std::mem::take(&mut known.left_out));
        }
        let mut like_it: Vec<_> = seen
            .iter_mut()
            .filter(|known| known.kind.what == kind.what && now.duration_since(known.warned) < WARNING_INTERVAL)
            .collect();
        if like_it.len() >= MAX_TEXTS
            && let Some(last) = like_it.last_mut()
        {
            last.left_out += 1;
            return None;
        }
        if seen.len() >= MAX_KINDS
            && let Some(oldest) = (0..seen.len()).min_by_key(|at| seen[*at].warned)
        {
            seen.swap_remove(oldest);
        }
        seen.push(Seen { kind, warned: now, left_out: 0 });
        Some(0)
    }
}

fn hash(words: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    words.hash(&mut hasher);
    hasher.finish()
}

fn what_failed(error: &Error) -> What {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    let said = causes.filter_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind).next();
    (error.kind(), said)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn kind(what: ErrorKind, said: Option<io::ErrorKind>, words: u64) -> Kind {
        Kind { what: (what, said), words }
    }

    const REFUSED: Kind = kind(ErrorKind::Connect, Some(io::ErrorKind::ConnectionRefused), 1);
    const UNREACHABLE: Kind = kind(ErrorKind::Connect, Some(io::ErrorKind::HostUnreachable), 2);
    const RESET: Kind = kind(ErrorKind::Closed, Some(io::ErrorKind::ConnectionReset), 3);
    const TIMEOUT: Kind = kind(ErrorKind::ResponseTimeout, None, 4);
    const PROTOCOL: Kind = kind(ErrorKind::Protocol, None, 5);
    const OTHER_PROTOCOL: Kind = kind(ErrorKind::Protocol, None, 6);

    #[test]
    fn each_kind_is_warned_of() {
        let (failures, now) = (FailureLog::default(), Instant::now());
        for kind in [REFUSED, UNREACHABLE, RESET, TIMEOUT, PROTOCOL, OTHER_PROTOCOL] {
            assert_eq!(failures.count(kind, now), Some(0), "{kind:?}");
            assert_eq!(failures.count(kind, now), None, "{kind:?}");
        }
    }

    #[test]
    fn those_in_between_are_counted_by_kind() {
        let (failures, start) = (FailureLog::default(), Instant::now());
        for second in 0..WARNING_INTERVAL.as_secs() {
            let expected = (second == 0).then_some(0);
            assert_eq!(failures.count(RESET, start + Duration::from_secs(second)), expected);
        }
        assert_eq!(failures.count(TIMEOUT, start), Some(0));
        assert_eq!(failures.count(RESET, start + WARNING_INTERVAL), Some(WARNING_INTERVAL.as_secs() - 1));
        assert_eq!(failures.count(TIMEOUT, start + WARNING_INTERVAL), Some(0));
        assert_eq!(failures.count(RESET, start + 2 * WARNING_INTERVAL), Some(0));
    }

    #[test]
    fn kinds_are_told_apart_by_what_the_system_said() {
        let of = |said| what_failed(&Error::new(ErrorKind::Connect, io::Error::from(said)));
        assert_eq!(of(io::ErrorKind::ConnectionRefused), REFUSED.what);
        assert_eq!(of(io::ErrorKind::HostUnreachable), UNREACHABLE.what);
        assert_eq!(what_failed(&Error::new(ErrorKind::Protocol, "bad")), PROTOCOL.what);
    }

    #[test]
    fn an_endpoint_that_fails_in_ever_other_words_does_not_flood_the_log() {
        let (failures, start) = (FailureLog::default(), Instant::now());
        for words in 0..1000 {
            let warned = failures.count(kind(ErrorKind::Protocol, None, words), start);
            assert_eq!(warned.is_some(), words < MAX_TEXTS as u64, "{words}");
        }
        assert_eq!(failures.count(TIMEOUT, start), Some(0));
        let last = kind(ErrorKind::Protocol, None, MAX_TEXTS as u64 - 1);
        assert_eq!(failures.count(last, start + WARNING_INTERVAL), Some(1000 - MAX_TEXTS as u64));
    }

    #[test]
    fn the_kinds_are_bounded() {
        let (failures, start) = (FailureLog::default(), Instant::now());
        let kinds = [
            ErrorKind::Resolve,
            ErrorKind::Connect,
            ErrorKind::Tls,
            ErrorKind::ConnectTimeout,
            ErrorKind::ResponseTimeout,
            ErrorKind::IdleTimeout,
            ErrorKind::Overloaded,
            ErrorKind::Closed,
            ErrorKind::Protocol,
        ];
        let said = [
            io::ErrorKind::ConnectionRefused,
            io::ErrorKind::ConnectionReset,
            io::ErrorKind::BrokenPipe,
            io::ErrorKind::TimedOut,
            io::ErrorKind::UnexpectedEof,
        ];
        for kind in kinds {
            for said in said {
                failures.count(Kind { what: (kind, Some(said)), words: 0 }, start);
            }
        }
        assert_eq!(failures.seen.lock().expect("is not poisoned").len(), MAX_KINDS);
    }
}
