//! What the failures of one endpoint leave in the log.
//!
//! 1. Each kind of failure is a warning of its own: a refused connection does not hide a reset, nor a wrong name in a
//!    certificate an expired one. What is said of a failure tells kinds apart, up to [`WORDINGS`] a minute, since an
//!    endpoint may have a hand in the words.
//! 2. A kind is warned of once a minute at most. Those in between are counted, and the next warning says how many they were.
//! 3. When the endpoint answers after a warning, that is said once.

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

/// How long a kind that was warned of is counted only.
const QUIET: Duration = Duration::from_secs(60);

/// Kinds that are told apart at most; further ones take the place of the one that was warned of first.
const MOST: usize = 32;

/// So often is one thing warned of in other words before they are counted only.
const WORDINGS: usize = 8;

/// What kinds are told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Kind {
    what: What,
    /// A hash of what is said of it.
    words: u64,
}

/// What failed, and what the system said of it.
type What = (ErrorKind, Option<io::ErrorKind>);

/// The failures of one endpoint.
#[derive(Debug, Default)]
pub(crate) struct FailureLog {
    /// A warning was the last word.
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

    /// How many of this kind were left out since the last warning, when one is due.
    fn count(&self, kind: Kind, now: Instant) -> Option<u64> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = seen.iter_mut().find(|known| known.kind == kind) {
            if now.duration_since(known.warned) < QUIET {
                known.left_out += 1;
                return None;
            }
            known.warned = now;
            return Some(std::mem::take(&mut known.left_out));
        }
        let mut like_it: Vec<_> = seen
            .iter_mut()
            .filter(|known| known.kind.what == kind.what && now.duration_since(known.warned) < QUIET)
            .collect();
        if like_it.len() >= WORDINGS
            && let Some(last) = like_it.last_mut()
        {
            last.left_out += 1;
            return None;
        }
        if seen.len() >= MOST
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
        for second in 0..QUIET.as_secs() {
            let expected = (second == 0).then_some(0);
            assert_eq!(failures.count(RESET, start + Duration::from_secs(second)), expected);
        }
        assert_eq!(failures.count(TIMEOUT, start), Some(0));
        assert_eq!(failures.count(RESET, start + QUIET), Some(QUIET.as_secs() - 1));
        assert_eq!(failures.count(TIMEOUT, start + QUIET), Some(0));
        assert_eq!(failures.count(RESET, start + 2 * QUIET), Some(0));
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
            assert_eq!(warned.is_some(), words < WORDINGS as u64, "{words}");
        }
        assert_eq!(failures.count(TIMEOUT, start), Some(0));
        let last = kind(ErrorKind::Protocol, None, WORDINGS as u64 - 1);
        assert_eq!(failures.count(last, start + QUIET), Some(1000 - WORDINGS as u64));
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
        assert_eq!(failures.seen.lock().expect("is not poisoned").len(), MOST);
    }
}
