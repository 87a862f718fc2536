//! Driving one HTTP/2 connection from its preface to its close.
//!
//! Invariants:
//!
//! 1. One task polls h2 and the watchdog. Each stream has a task of its own, which ends when h2 is dropped.
//! 2. h2 is dropped before the socket is closed. As h2 is dropped, the guarded socket gives its transport back to
//!    `State`, so that the driver can still write a GOAWAY frame.
//! 3. A GOAWAY frame is written only at the end of a whole frame.
//! 4. A drain first lets h2 finish its streams. An idle connection gets a GOAWAY frame and `FAREWELL` to leave.

use std::{future::poll_fn, pin::pin, sync::Arc, task::Poll, time::Duration};

use bytes::Bytes;
use tokio::time::Instant;

use super::{
    frames::goaway,
    io::GuardedIo,
    protocol::Protocol,
    request::Requests,
    state::{Parts, State},
    streams::Found,
};
use crate::{
    connection::{Accepted, Linger, Shared, Watchdog, close},
    drain::Phase,
    limits::Limits,
    service::Application,
    transport::{Transport, ticks},
};

const ENHANCE_YOUR_CALM: u32 = 11;
/// How long a client has to leave after an idle connection was told to go away.
const FAREWELL: Duration = Duration::from_millis(500);

/// Why a connection ends.
enum End {
    /// h2 has ended the connection.
    Done,
    /// The client floods the connection, or is too slow with a frame.
    Flooded(&'static str),
    /// Nobody needs the connection.
    Idle,
    /// The client does not read.
    Stalled,
    /// The client does not answer.
    Silent,
    /// The deadline of the drain has passed.
    Cut { in_flight: bool },
}

/// The judgement of the watchdog.
enum Verdict {
    Wait(Instant),
    /// Send GOAWAY, and give the client a moment to leave.
    Farewell,
    End(End),
}

/// Serves the connection until it ends.
pub(crate) async fn serve<S>(transport: Transport, service: S, accepted: Accepted, shared: Arc<Shared>)
where
    S: Application,
{
    let activity = Arc::clone(transport.socket().activity());
    activity.idle.set(activity.now());
    let state = Arc::new(State::new(activity));
    let accepted = Arc::new(accepted);
    let requests = Requests {
        service,
        state: Arc::clone(&state),
        info: Arc::new(accepted.info.clone()),
        accepted: Arc::clone(&accepted),
        shared: Arc::clone(&shared),
        rules: shared.limits.rules(),
    };
    let protocol = Protocol::new(GuardedIo::new(transport, Arc::clone(&state)), &shared.limits);
    // `drive` drops h2, which fails every stream and wakes its task.
    let end = drive(protocol, requests, &state, &shared).await;
    if let Some(parts) = state.take_back() {
        finish(parts, end, &accepted, &shared).await;
    }
}

/// Polls h2 and the watchdog until one of them ends the connection, and drops h2.
async fn drive<S>(mut protocol: Protocol, requests: Requests<S>, state: &State, shared: &Shared) -> End
where
    S: Application,
{
    let connections = &*shared.connections;
    let mut phase_changed = pin!(connections.phase_changed.notified());
    let mut phase = None;
    let mut leave_by = None;
    let mut watchdog = Watchdog::new(Instant::now() + shared.limits.shortest());
    poll_fn(move |cx| {
        if phase != Some(connections.phase()) {
            if phase.is_some() {
                phase_changed.set(connections.phase_changed.notified());
            }
            let _ = phase_changed.as_mut().poll(cx);
            phase = Some(connections.phase());
            if phase == Some(Phase::Draining) {
                protocol.leave();
            }
        }
        if phase == Some(Phase::Cutting) {
            requests.info.set_cut();
            return Poll::Ready(End::Cut { in_flight: state.streams.in_flight() > 0 });
        }
        loop {
            let polled = protocol.poll(cx, state, |request, reply| requests.begin(request, reply));
            if let Poll::Ready(done) = polled {
                if let Err(error) = done {
                    tracing::debug!(%error, "a connection failed");
                }
                return Poll::Ready(End::Done);
            }
            if let Some(flood) = state.flood() {
                return Poll::Ready(End::Flooded(flood));
            }
            if watchdog.poll(cx).is_pending() {
                return Poll::Pending;
            }
            let Some(next) = protocol.look_after(state, cx) else {
                return Poll::Ready(End::Silent);
            };
            match judge(state, &shared.limits, leave_by, next) {
                Verdict::Wait(next) => watchdog.look_at(next),
                Verdict::Farewell => {
                    let now = Instant::now();
                    leave_by = Some(state.activity().at(now + FAREWELL));
                    watchdog.look_at(now + FAREWELL);
                    protocol.leave();
                }
                Verdict::End(end) => return Poll::Ready(end),
            }
        }
    })
    .await
}

/// Judges the connection and its streams by their stamps. `next` is the latest stamp at which to look again.
fn judge(state: &State, limits: &Limits, leave_by: Option<u64>, next: u64) -> Verdict {
    let activity = state.activity();
    let now = activity.now();
    let mut next = next.min(now + ticks(limits.shortest()));
    match state.streams.check(activity, limits) {
        Found::Next(at) => next = next.min(at),
        Found::Stuck => return Verdict::End(End::Flooded("slow_reader")),
    }
    let mut is_due = |since: Option<u64>, limit: Duration| {
        let Some(at) = since.map(|since| since.saturating_add(ticks(limit))) else { return false };
        next = next.min(at);
        at <= now
    };
    if is_due(activity.write_blocked.get(), limits.write_timeout) {
        return Verdict::End(End::Stalled);
    }
    if is_due(activity.head_begun.get(), limits.header_timeout) {
        return Verdict::End(End::Flooded("slow_headers"));
    }
    if is_due(activity.body_awaited.get(), limits.body_timeout) {
        return Verdict::End(End::Flooded("slow_frame"));
    }
    if state.streams.in_flight() == 0 {
        let first = state.requests() == 0;
        let limit = if first { limits.header_timeout } else { limits.keep_alive_timeout };
        match leave_by {
            Some(leave_by) if leave_by <= now => return Verdict::End(End::Idle),
            Some(leave_by) => next = next.min(leave_by),
            None if is_due(activity.idle.get(), limit) => return Verdict::Farewell,
            None => {}
        }
    }
    Verdict::Wait(activity.instant(next))
}

/// Closes the socket in the way that the end demands.
async fn finish(parts: Parts, end: End, accepted: &Accepted, shared: &Shared) {
    let Parts { transport, at_boundary, last_stream } = parts;
    match end {
        End::Done => close(transport, Bytes::new(), Linger::Yes, shared).await,
        End::Idle => close(transport, Bytes::new(), Linger::No, shared).await,
        End::Flooded(reason) => {
            accepted.refused(shared, None, reason, None);
            let last = if at_boundary {
                Bytes::copy_from_slice(&goaway(last_stream, ENHANCE_YOUR_CALM))
            } else {
                Bytes::new()
            };
            close(transport, last, Linger::Yes, shared).await;
        }
        End::Silent => close(transport, Bytes::new(), Linger::No, shared).await,
        End::Stalled => {
            accepted.refused(shared, None, "slow_reader", None);
            transport.socket().reset_on_close();
        }
        End::Cut { in_flight } => {
            if in_flight {
                shared.connections.count_cut();
            }
            transport.socket().reset_on_close();
        }
    }
}
