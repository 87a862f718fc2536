//! What the watchdog of an HTTP/1 connection finds when it wakes.

use tokio::time::Instant;

use super::state::State;
use crate::{
    connection::{DRAIN_GRACE, millis},
    drain::Phase,
    framing::Violation,
    limits::Limits,
};

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// All is well; look again then.
    Wait(Instant),
    /// The client is too slow with a head: answer and close.
    SlowHead,
    /// The client is too slow with a body: fail the body.
    SlowBody,
    /// Nobody needs the connection: close it.
    Idle,
    /// Nobody has needed the connection for a while: park it.
    Park,
    /// The client never sent a request: close without a word.
    Silent,
    /// The client does not read: drop everything.
    Stalled,
}

/// Judges the connection by its stamps.
pub(super) fn judge(state: &State, limits: &Limits, phase: Phase, draining_since: Option<u64>) -> Verdict {
    let activity = state.activity();
    let now = activity.now();
    let mut next = now + millis(limits.shortest());
    if phase != Phase::Serving {
        next = next.min(now + millis(DRAIN_GRACE));
    }
    let mut due = |since: u64, limit: u64, verdict: Verdict| {
        let at = since.saturating_add(limit);
        next = next.min(at);
        (at <= now).then_some(verdict)
    };
    let verdict = stalled(state, limits, &mut due).or_else(|| {
        if state.in_flight() {
            slow_body(state, limits, &mut due)
        } else {
            idle(state, limits, phase, draining_since, &mut due)
        }
    });
    verdict.unwrap_or_else(|| Verdict::Wait(activity.instant(next)))
}

type Due<'a> = dyn FnMut(u64, u64, Verdict) -> Option<Verdict> + 'a;

fn stalled(state: &State, limits: &Limits, due: &mut Due<'_>) -> Option<Verdict> {
    due(state.activity().write_blocked.get()?, millis(limits.write_timeout), Verdict::Stalled)
}

fn slow_body(state: &State, limits: &Limits, due: &mut Due<'_>) -> Option<Verdict> {
    if state.refusal().is_some() {
        return None;
    }
    let answered = state.responding() == state.requests();
    let limit = if answered { limits.stream_timeout } else { limits.body_timeout };
    due(state.activity().body_awaited.get()?, millis(limit), Verdict::SlowBody)
}

fn idle(
    state: &State,
    limits: &Limits,
    phase: Phase,
    draining_since: Option<u64>,
    due: &mut Due<'_>,
) -> Option<Verdict> {
    let idle_since = state.activity().idle.get()?;
    if let Some(begun) = state.activity().head_begun.get() {
        // A head that came while a response was still under way is timed from the response's end.
        return due(begun.max(idle_since), millis(limits.header_timeout), Verdict::SlowHead);
    }
    let (limit, verdict) = if state.requests() == 0 {
        (limits.header_timeout, Verdict::Silent)
    } else {
        (limits.keep_alive_timeout, Verdict::Idle)
    };
    let ordinary = due(idle_since, millis(limit), verdict);
    if phase == Phase::Serving {
        let parks = state.requests() > 0 && state.at_boundary() && state.refusal().is_none();
        return ordinary
            .or_else(|| if parks { due(idle_since, millis(limits.park_after), Verdict::Park) } else { None });
    }
    let draining_since = draining_since.unwrap_or(idle_since);
    ordinary.or_else(|| due(idle_since.max(draining_since), millis(DRAIN_GRACE), Verdict::Idle))
}

impl Verdict {
    /// The rule that was broken, for logs.
    pub(super) fn violation(self) -> Option<Violation> {
        match self {
            Self::SlowHead => Some(Violation::SLOW_HEAD),
            Self::SlowBody => Some(Violation::SLOW_BODY),
            _ => None,
        }
    }
}
