//! One HTTP/1 connection from its first byte to its close: its limits of time and its end.
//!
//! Invariants:
//!
//! 1. One task polls the connection and its watchdog. Nothing else moves the connection on.
//! 2. The watchdog sleeps no longer than the shortest limit, so that no limit passes unseen. It sleeps until the
//!    keep-alive limit only while nothing can begin without bytes from the client (`is_asleep`).
//! 3. The task registers for the next phase of the drain before it reads the current phase, so it misses no phase.
//! 4. The connection ends once, with one [`End`]. [`finish`] alone closes the socket or hands it over.
//! 5. A message that was cut is closed with a reset if a plain close could make it look complete.

use std::{future::poll_fn, pin::pin, sync::Arc, task::Poll};

use bytes::Bytes;
use gatewright_core::ReplyFormat;
use gatewright_http1::Violation;
use tokio::time::Instant;

use super::{
    connection::{Connection, End},
    tunnel,
    watch::{Standing, Verdict, judge},
};
use crate::{
    connection::{Accepted, Linger, Shared, Watchdog, close, encode_last},
    drain::Phase,
    refused::RequestLine,
    service::{Application, refuse},
    transport::{Transport, ticks},
};

/// Serves the connection until it ends.
pub(crate) async fn serve<S>(transport: Transport, service: S, accepted: Accepted, shared: Arc<Shared>)
where
    S: Application,
{
    let activity = Arc::clone(transport.socket().activity());
    activity.idle.set(activity.now());
    let mut connection = Connection::new(transport, activity, service, accepted, Arc::clone(&shared));
    let end = drive(&mut connection, &shared).await;
    // Boxed, so that the memory of the close is not held as long as the connection lives.
    Box::pin(finish(connection, end, &shared)).await;
}

/// Polls the connection and the watchdog until one of them ends the connection.
async fn drive<S: Application>(connection: &mut Connection<S, Transport>, shared: &Shared) -> End {
    let connections = &*shared.connections;
    let limits = &shared.limits;
    let mut phase_changed = pin!(connections.phase_changed.notified());
    let mut phase = None;
    let mut draining_since = None;
    let mut watchdog = Watchdog::new(Instant::now() + limits.shortest().min(limits.park_after));
    // Whether the watchdog sleeps beyond the shortest limit.
    let mut sleeps_long = false;
    poll_fn(move |cx| {
        // The task registers once for each phase; otherwise the check costs one load.
        if phase != Some(connections.phase()) {
            if phase.is_some() {
                phase_changed.set(connections.phase_changed.notified());
            } else {
                connection.interims().set_task(cx.waker());
            }
            let _ = phase_changed.as_mut().poll(cx);
            phase = Some(connections.phase());
            if phase == Some(Phase::Draining) {
                draining_since = Some(connection.activity.now());
                watchdog.look_at(Instant::now());
            }
        }
        let phase = connections.phase();
        if phase == Phase::Cutting {
            connection.info().set_cut();
            return Poll::Ready(End::Cut);
        }
        loop {
            if let Poll::Ready(end) = connection.poll(cx) {
                return Poll::Ready(end);
            }
            // A request has begun, so the watchdog must wake within the shortest limit again.
            if sleeps_long && !is_asleep(connection) {
                sleeps_long = false;
                watchdog.look_at(Instant::now() + limits.shortest());
            }
            if watchdog.poll(cx).is_pending() {
                return Poll::Pending;
            }
            match judge(connection.standing(phase, draining_since), &connection.activity, limits) {
                Verdict::Wait(_) if phase == Phase::Serving && is_asleep(connection) => {
                    let idle = connection.activity.idle.get().unwrap_or_default();
                    let until = idle + ticks(limits.keep_alive_timeout);
                    watchdog.look_at(connection.activity.instant(until));
                    sleeps_long = true;
                }
                Verdict::Wait(next) => watchdog.look_at(next),
                // The next look sets the long sleep of a connection without memory.
                Verdict::Park => {
                    connection.park();
                    watchdog.look_at(Instant::now());
                }
                Verdict::Idle | Verdict::Silent => return Poll::Ready(End::Idle),
                Verdict::Stalled => return Poll::Ready(End::Stalled),
                Verdict::SlowHead => return Poll::Ready(End::Refused(Violation::SLOW_HEAD.into())),
                // The body fails in the service first; the service's response or a refusal then answers the client.
                Verdict::SlowBody => {
                    connection.refuse_upload(cx, Violation::SLOW_BODY);
                    watchdog.look_at(Instant::now() + limits.shortest());
                }
            }
        }
    })
    .await
}

/// Whether nothing can begin on the connection before the client sends something.
fn is_asleep<S: Application>(connection: &Connection<S, Transport>) -> bool {
    connection.is_parked() && connection.requests() > 0 && connection.activity.head_begun.get().is_none()
}

/// Closes the socket in the way that the end demands.
async fn finish<S: Application>(mut connection: Connection<S, Transport>, end: End, shared: &Shared) {
    let mid_message = connection.mid_message();
    let in_flight = connection.in_flight();
    let upgraded = connection.upgrade.take().map(|pending| (pending, connection.take_input()));
    connection.give_buffers_back();
    let Connection { transport, accepted, refusal, was_slow, .. } = connection;
    let linger = match mid_message {
        true if was_slow => Linger::Yes,
        true => Linger::MidRequest,
        false => Linger::IfUnread,
    };
    // No response told the client of this violation: the response had begun already, or the body came after it.
    if let (End::Done { .. } | End::CutShort { .. }, Some(violation)) = (&end, refusal) {
        accepted.refused(shared, None, violation.reason(), None);
    }
    match end {
        End::Upgraded => {
            if let Some((pending, read_ahead)) = upgraded {
                tunnel::serve(transport, read_ahead, pending, shared).await;
            }
        }
        End::Refused(refusal) => {
            let response = refuse(&refusal, ReplyFormat::Problem, None);
            let request_line = RequestLine::of_refusal(&refusal);
            let is_head = request_line.as_ref().is_some_and(RequestLine::is_head);
            let last = encode_last(&response, is_head);
            accepted.refused(shared, Some(&response), refusal.violation().reason(), request_line);
            // A body may follow the head.
            let is_slow = refusal.violation() == Violation::SLOW_HEAD;
            close(transport, last, if is_slow { Linger::Yes } else { Linger::MidRequest }, shared).await;
        }
        End::Done { cleanly: true } => close(transport, Bytes::new(), linger, shared).await,
        End::Done { cleanly: false } => transport.socket().reset_on_close(),
        // A reset could destroy earlier responses that the client has not read yet. The client does not know of the end and
        // may be sending its next request (RFC 9112, section 9.6).
        End::CutShort { ends_with_connection: false } => {
            close(transport, Bytes::new(), Linger::Yes, shared).await
        }
        End::CutShort { ends_with_connection: true } => transport.socket().reset_on_close(),
        End::Idle => close(transport, Bytes::new(), Linger::No, shared).await,
        End::Stalled => {
            accepted.refused(shared, None, "slow_reader", None);
            transport.socket().reset_on_close();
        }
        End::Cut => {
            if in_flight || mid_message {
                shared.connections.count_cut();
            }
            transport.socket().reset_on_close();
        }
    }
}

impl<S: Application, T> Connection<S, T> {
    fn standing(&self, phase: Phase, draining_since: Option<u64>) -> Standing {
        Standing {
            requests: self.requests(),
            in_flight: self.in_flight(),
            responding: self.is_responding(),
            discarding: self.is_discarding,
            can_park: self.can_park(),
            phase,
            draining_since,
        }
    }
}
