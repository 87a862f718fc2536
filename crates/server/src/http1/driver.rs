//! Driving one HTTP/1 connection from its first byte to its close.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use hyper::server::conn::http1::UpgradeableConnection;
use hyper_util::rt::TokioIo;

use super::{
    interim,
    io::{FramedIo, Parts},
    service::Http1Service,
    state::{Negotiation, Refusal, State},
    watch::{Verdict, judge},
};
use crate::{
    connection::{Accepted, Linger, Shared, Transport, Watchdog, close, encode_last},
    drain::Phase,
    framing::Follower,
    refused::RequestLine,
    service::Application,
    service::refuse,
};

/// Why a connection ends.
enum End {
    /// hyper is done with it: by its own rules, by the client's or since the client has gone.
    Done { cleanly: bool },
    /// A rule or a limit was broken, and nothing is in flight.
    Refused(Refusal),
    /// Nobody needs it.
    Idle,
    /// Nobody has needed it for a while; hyper's part of it can be given up until somebody does.
    Parked,
    /// The client does not read.
    Stalled,
    /// Time is up.
    Cut,
}

type Connection<S> = UpgradeableConnection<TokioIo<FramedIo>, Http1Service<S>>;

/// Serves the connection until it ends.
pub(crate) async fn serve<S>(transport: Transport, service: S, accepted: Accepted, shared: Arc<Shared>)
where
    S: Application,
{
    let activity = Arc::clone(transport.socket().activity());
    activity.idle.set(activity.now());
    let state = Arc::new(State::new(activity));
    let info = Arc::new(accepted.info.clone().with_interim(interim::responder(&state)));
    let accepted = Arc::new(accepted);
    let service = Http1Service {
        service,
        state: Arc::clone(&state),
        info,
        accepted: Arc::clone(&accepted),
        shared: Arc::clone(&shared),
    };
    let shared = &*shared;
    let mut parts = Parts::new(transport, Follower::new(shared.limits.rules()));
    let mut service = service;
    let (end, in_flight) = loop {
        let idle = {
            let io = TokioIo::new(FramedIo::new(parts, Arc::clone(&state)));
            let mut connection = Box::new(shared.http1.serve_connection(io, service).with_upgrades());
            let end = drive(&mut connection, &state, shared).await;
            if !matches!(end, End::Parked) {
                break (end, state.in_flight());
            }
            take_apart(*connection)
        };
        // Only an upgrade takes the socket from hyper, and an idle connection has none under way.
        let Some(idle) = idle else { return };
        (parts, service) = idle;
        if let Some(end) = park(&parts.transport, &state, shared).await {
            drop(service);
            return Box::pin(finish(parts, end, false, &state, &accepted, shared)).await;
        }
    };
    match state.take_back() {
        // Boxed, so that what the end needs is not held for as long as the connection lives.
        Some(parts) => Box::pin(finish(parts, end, in_flight, &state, &accepted, shared)).await,
        None if state.upgrade() == Negotiation::Granted => Box::pin(watch_tunnel(&state, shared)).await,
        None => {}
    }
}

/// Polls hyper and the watchdog until one of them says that it is over.
async fn drive<S>(connection: &mut Connection<S>, state: &State, shared: &Shared) -> End
where
    S: Application,
{
    let connections = &*shared.connections;
    let mut phase_changed = pin!(connections.phase_changed.notified());
    let mut phase = None;
    let mut draining_since = None;
    let first_look = shared.limits.shortest().min(shared.limits.park_after);
    let mut watchdog = Watchdog::new(tokio::time::Instant::now() + first_look);
    poll_fn(move |cx| {
        // Registered once for each phase, before the phase is read; a load is all that it costs otherwise.
        if phase != Some(connections.phase()) {
            if phase.is_some() {
                phase_changed.set(connections.phase_changed.notified());
            } else {
                state.interims.set_task(cx.waker());
            }
            let _ = phase_changed.as_mut().poll(cx);
            phase = Some(connections.phase());
            if phase == Some(Phase::Draining) {
                draining_since = Some(state.activity().now());
                watchdog.look_at(tokio::time::Instant::now());
            }
        }
        let phase = connections.phase();
        if phase == Phase::Cutting {
            return Poll::Ready(End::Cut);
        }
        loop {
            if let Poll::Ready(end) = poll_hyper(connection, state, cx) {
                return Poll::Ready(end);
            }
            if watchdog.poll(cx).is_pending() {
                return Poll::Pending;
            }
            let verdict = judge(state, &shared.limits, phase, draining_since);
            match verdict {
                Verdict::Wait(next) => watchdog.look_at(next),
                Verdict::Park => return Poll::Ready(End::Parked),
                Verdict::Idle | Verdict::Silent => return Poll::Ready(End::Idle),
                Verdict::Stalled => return Poll::Ready(End::Stalled),
                Verdict::SlowHead | Verdict::SlowBody => {
                    if let Some(violation) = verdict.violation() {
                        let in_body = verdict == Verdict::SlowBody;
                        let after = state.requests();
                        state.refuse(Refusal { violation, in_body, after, request_line: None });
                    }
                    watchdog.look_at(tokio::time::Instant::now() + shared.limits.shortest());
                }
            }
        }
    })
    .await
}

fn poll_hyper<S>(connection: &mut Connection<S>, state: &State, cx: &mut Context<'_>) -> Poll<End>
where
    S: Application,
{
    loop {
        if let Poll::Ready(done) = Pin::new(&mut *connection).poll(cx) {
            if let Err(error) = &done {
                tracing::debug!(%error, "a connection failed");
            }
            return Poll::Ready(End::Done { cleanly: done.is_ok() });
        }
        if let Some(refusal) = state.refused_head() {
            return Poll::Ready(End::Refused(refusal.clone()));
        }
        if !state.take_poll_again() {
            return Poll::Pending;
        }
    }
}

/// Gives up hyper's part of an idle connection, its buffers with it.
fn take_apart<S>(connection: Connection<S>) -> Option<(Parts, Http1Service<S>)>
where
    S: Application,
{
    let idle = connection.into_parts()?;
    let mut parts = idle.io.into_inner().into_parts()?;
    parts.put_back(&idle.read_buf);
    Some((parts, idle.service))
}

/// Waits on the bare socket. `None` when there is something to read, or the client has gone.
async fn park(transport: &Transport, state: &State, shared: &Shared) -> Option<End> {
    let connections = &*shared.connections;
    let mut phase_changed = pin!(connections.phase_changed.notified());
    phase_changed.as_mut().enable();
    if connections.phase() != Phase::Serving {
        return None;
    }
    let activity = state.activity();
    let until = activity.instant(activity.idle.get().unwrap_or_default()) + shared.limits.keep_alive_timeout;
    tokio::select! {
        _ = transport.socket().readable() => None,
        // hyper is asked back to see the drain through.
        () = phase_changed => None,
        () = tokio::time::sleep_until(until) => Some(End::Idle),
    }
}

/// Closes the socket that hyper gave back.
async fn finish(parts: Parts, end: End, in_flight: bool, state: &State, accepted: &Accepted, shared: &Shared) {
    let mid_message = parts.mid_message();
    let linger = if mid_message { Linger::Yes } else { Linger::IfUnread };
    match end {
        End::Refused(refusal) => {
            let response = refuse(refusal.violation, None);
            let is_head = refusal.request_line.as_ref().is_some_and(RequestLine::is_head);
            let last = encode_last(&response, is_head);
            accepted.refused(shared, Some(&response), refusal.violation.reason(), refusal.request_line);
            close(parts.transport, last, Linger::Yes).await;
        }
        End::Done { cleanly } => {
            // Its response had begun, and is cut short, or it was never looked at.
            if let Some(refusal) = state.refusal()
                && state.report()
            {
                accepted.refused(shared, None, refusal.violation.reason(), refusal.request_line.clone());
            }
            if cleanly || state.refusal().is_some() {
                close(parts.transport, Bytes::new(), linger).await;
            } else {
                // The response may be cut short, and in HTTP/1.0 only a reset tells.
                parts.transport.socket().reset_on_close();
            }
        }
        End::Idle | End::Parked => close(parts.transport, Bytes::new(), Linger::No).await,
        End::Stalled => {
            accepted.refused(shared, None, "slow_reader", None);
            parts.transport.socket().reset_on_close();
        }
        End::Cut => {
            if in_flight || mid_message {
                shared.connections.count_cut();
            }
            parts.transport.socket().reset_on_close();
        }
    }
}

/// Watches a stream that somebody else holds now.
async fn watch_tunnel(state: &State, shared: &Shared) {
    let connections = &*shared.connections;
    let _counted = connections.upgrade();
    let mut phase_changed = pin!(connections.phase_changed.notified());
    let mut watchdog = Watchdog::new(tokio::time::Instant::now());
    let mut seen = None;
    poll_fn(|cx| {
        if state.tunnel.poll_closed(cx) {
            return Poll::Ready(());
        }
        if seen != Some(connections.phase()) {
            phase_changed.set(connections.phase_changed.notified());
            let _ = phase_changed.as_mut().poll(cx);
            seen = Some(connections.phase());
        }
        if connections.phase() == Phase::Cutting {
            connections.count_cut();
            state.tunnel.cut();
            return Poll::Ready(());
        }
        while watchdog.poll(cx).is_ready() {
            let activity = state.activity();
            let due = activity.idle.get().unwrap_or_default()
                + crate::connection::millis(shared.limits.stream_timeout);
            if due <= activity.now() {
                state.tunnel.cut();
                watchdog.look_at(tokio::time::Instant::now() + shared.limits.stream_timeout);
            } else {
                watchdog.look_at(activity.instant(due));
            }
        }
        Poll::Pending
    })
    .await;
}
