//! Driving one HTTP/2 connection from its preface to its close.

use std::{future::poll_fn, pin::pin, sync::Arc, task::Poll, time::Duration};

use bytes::Bytes;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::time::Instant;

use super::{
    frames::goaway,
    io::GuardedIo,
    service::{Http2Service, StreamExecutor},
    state::{Parts, State},
};
use crate::{
    connection::{Accepted, Linger, Shared, Transport, Watchdog, close, millis},
    drain::Phase,
    limits::Limits,
    service::Application,
};

const ENHANCE_YOUR_CALM: u32 = 11;
/// How long a client has to leave after an idle connection was told to go away.
const FAREWELL: Duration = Duration::from_millis(500);

const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// What a stream may hold of a response that its client does not take. It bounds what a slow reader costs.
const SEND_BUFFER: usize = 64 * 1024;
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a connection ends.
enum End {
    /// hyper is done with it.
    Done,
    /// The client floods it, or is too slow with a frame.
    Flooded(&'static str),
    /// Nobody needs it.
    Idle,
    /// The client does not read.
    Stalled,
    /// Time is up.
    Cut { in_flight: bool },
}

/// What the watchdog found.
enum Verdict {
    Wait(Instant),
    /// Say goodbye, and give the client a moment to leave.
    Farewell,
    End(End),
}

fn builder(executor: StreamExecutor, limits: &Limits) -> http2::Builder<StreamExecutor> {
    let mut builder = http2::Builder::new(executor);
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.max_streams)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .max_header_list_size(u32::try_from(limits.max_head).unwrap_or(u32::MAX))
        .max_send_buf_size(SEND_BUFFER);
    builder
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
    let service = Http2Service {
        service,
        state: Arc::clone(&state),
        info: Arc::new(accepted.info.clone()),
        accepted: Arc::clone(&accepted),
        shared: Arc::clone(&shared),
        rules: shared.limits.rules(),
    };
    let io = TokioIo::new(GuardedIo::new(transport, Arc::clone(&state)));
    let builder = builder(StreamExecutor(Arc::clone(&state)), &shared.limits);
    let connection = Box::pin(builder.serve_connection(io, service));
    let end = drive(connection, &state, &shared).await;
    state.reset_streams();
    if let Some(parts) = state.take_back() {
        finish(parts, end, &accepted, &shared).await;
    }
}

type Connection<S> = http2::Connection<TokioIo<GuardedIo>, Http2Service<S>, StreamExecutor>;

/// Polls hyper and the watchdog until one of them says that it is over, and lets go of hyper's part.
async fn drive<S>(mut connection: std::pin::Pin<Box<Connection<S>>>, state: &State, shared: &Shared) -> End
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
                connection.as_mut().graceful_shutdown();
            }
        }
        if phase == Some(Phase::Cutting) {
            return Poll::Ready(End::Cut { in_flight: state.in_flight() > 0 });
        }
        loop {
            if let Poll::Ready(done) = connection.as_mut().poll(cx) {
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
            match judge(state, &shared.limits, leave_by) {
                Verdict::Wait(next) => watchdog.look_at(next),
                Verdict::Farewell => {
                    let now = Instant::now();
                    leave_by = Some(state.activity().at(now + FAREWELL));
                    watchdog.look_at(now + FAREWELL);
                    connection.as_mut().graceful_shutdown();
                }
                Verdict::End(end) => return Poll::Ready(end),
            }
        }
    })
    .await
}

/// Judges the connection and its streams by their stamps.
fn judge(state: &State, limits: &Limits, leave_by: Option<u64>) -> Verdict {
    let activity = state.activity();
    let now = activity.now();
    let mut next = (now + millis(limits.shortest())).min(state.check_streams(now, limits));
    let mut is_due = |since: Option<u64>, limit: Duration| {
        let Some(at) = since.map(|since| since.saturating_add(millis(limit))) else { return false };
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
    if state.in_flight() == 0 {
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

/// Closes the socket that hyper gave back.
async fn finish(parts: Parts, end: End, accepted: &Accepted, shared: &Shared) {
    let Parts { transport, at_boundary, last_stream } = parts;
    match end {
        End::Done => close(transport, Bytes::new(), Linger::Yes).await,
        End::Idle => close(transport, Bytes::new(), Linger::No).await,
        End::Flooded(reason) => {
            accepted.refused(shared, None, reason, None);
            let last = if at_boundary {
                Bytes::copy_from_slice(&goaway(last_stream, ENHANCE_YOUR_CALM))
            } else {
                Bytes::new()
            };
            close(transport, last, Linger::Yes).await;
        }
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
