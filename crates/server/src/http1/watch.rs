//! The judgement of the watchdog of an HTTP/1 connection.

use tokio::time::Instant;

use crate::{
    drain::{DRAIN_GRACE, Phase},
    limits::Limits,
    transport::{Activity, ticks},
};

/// What the connection does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// No limit has passed; look again then.
    Wait(Instant),
    /// The client is too slow with a head: answer and close.
    SlowHead,
    /// The client is too slow with a body: fail the body.
    SlowBody,
    /// Nobody needs the connection: close it.
    Idle,
    /// Nobody has needed the connection for a while: give up its memory.
    Park,
    /// The client never sent a request: close without a response.
    Silent,
    /// The client does not read: drop everything.
    Stalled,
}

/// The state of a connection that decides which limits apply.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    /// The number of requests so far.
    pub(super) requests: u64,
    /// Whether a request or its response is not over.
    pub(super) in_flight: bool,
    /// Whether the response has begun.
    pub(super) responding: bool,
    /// Whether the rest of the request's body is being thrown away.
    pub(super) discarding: bool,
    /// Whether the connection holds memory that it can give up.
    pub(super) can_park: bool,
    pub(super) phase: Phase,
    pub(super) draining_since: Option<u64>,
}

/// Judges the connection by its stamps.
pub(super) fn judge(standing: Standing, activity: &Activity, limits: &Limits) -> Verdict {
    let now = activity.now();
    let mut next = now + ticks(limits.shortest());
    if standing.phase != Phase::Serving {
        next = next.min(now + ticks(DRAIN_GRACE));
    }
    let mut due = |since: u64, limit: u64, verdict: Verdict| {
        let at = since.saturating_add(limit);
        next = next.min(at);
        (at <= now).then_some(verdict)
    };
    let verdict = stalled(activity, limits, &mut due).or_else(|| match standing.in_flight {
        true => slow_body(standing, activity, limits, &mut due),
        false => idle(standing, activity, limits, &mut due),
    });
    verdict.unwrap_or_else(|| Verdict::Wait(activity.instant(next)))
}

type Due<'a> = dyn FnMut(u64, u64, Verdict) -> Option<Verdict> + 'a;

fn stalled(activity: &Activity, limits: &Limits, due: &mut Due<'_>) -> Option<Verdict> {
    due(activity.write_blocked.get()?, ticks(limits.write_timeout), Verdict::Stalled)
}

fn slow_body(standing: Standing, activity: &Activity, limits: &Limits, due: &mut Due<'_>) -> Option<Verdict> {
    let limit = match standing {
        Standing { discarding: true, .. } => limits.linger_timeout,
        Standing { responding: true, .. } => limits.stream_timeout,
        _ => limits.body_timeout,
    };
    due(activity.body_awaited.get()?, ticks(limit), Verdict::SlowBody)
}

fn idle(standing: Standing, activity: &Activity, limits: &Limits, due: &mut Due<'_>) -> Option<Verdict> {
    let idle_since = activity.idle.get()?;
    if let Some(begun) = activity.head_begun.get() {
        // A head that arrived during a response is timed from the end of the response.
        return due(begun.max(idle_since), ticks(limits.header_timeout), Verdict::SlowHead);
    }
    let (limit, verdict) = if standing.requests == 0 {
        (limits.header_timeout, Verdict::Silent)
    } else {
        (limits.keep_alive_timeout, Verdict::Idle)
    };
    let ordinary = due(idle_since, ticks(limit), verdict);
    if standing.phase == Phase::Serving {
        let parks = || due(idle_since, ticks(limits.park_after), Verdict::Park);
        return if standing.can_park { ordinary.or_else(parks) } else { ordinary };
    }
    let draining_since = standing.draining_since.unwrap_or(idle_since);
    ordinary.or_else(|| due(idle_since.max(draining_since), ticks(DRAIN_GRACE), Verdict::Idle))
}
