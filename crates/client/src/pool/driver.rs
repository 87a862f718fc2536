//! Drives one HTTP/2 connection from its preface to its close.
//!
//! 1. A connection serves streams once the endpoint has sent its preface (SETTINGS, RFC 9113, section 3.4). The wait for it
//!    is part of `connect_timeout`. No request is sent to an endpoint that may not speak HTTP/2.
//! 2. A connection without a stream for `keep_alive` is retired under the lock that reserves streams, so that no request
//!    meets its end. It sends GOAWAY, and is closed even if that cannot leave.

use std::{convert::Infallible, pin::pin, sync::Arc, task::Poll, time::Duration};

use bytes::Bytes;
use gatewright_core::{BoxError, Error, ErrorKind};
use gatewright_http1::Rules;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::sync::oneshot;

use super::{
    Connection, Inner,
    connection_permit::ConnectionPermit,
    multiplexed::Multiplexed,
    streams::{Idle, MAX_STREAMS, Streams},
    transport::Transport,
    upload::Upload,
};
use crate::stream::Stream;

/// How many bytes are read ahead on one stream.
const STREAM_WINDOW: u32 = 256 << 10;

/// At least the windows of all streams together, so that clients that do not read cannot stop the others.
///
/// It is ten times that, because h2 derives from it how many small DATA frames may be unread before it closes the
/// connection, and hyper does not let that be set: each takes what it lacks of 256 bytes out of half of this window.
/// So two streams of one byte a frame may be full while their clients do not read, or a hundred of 42 bytes a frame.
/// An unread frame takes some 300 bytes of memory beside its payload, which is why the window is no larger.
const CONNECTION_WINDOW: u32 = 256 << 20;
const _: () = assert!(CONNECTION_WINDOW as usize >= STREAM_WINDOW as usize * MAX_STREAMS);

/// How long the GOAWAY of an idle connection may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// The least time between two looks at whether a connection is idle.
const LEAST_PAUSE: Duration = Duration::from_millis(10);

/// hyper's part of a connection.
type Driven<B> = http2::Connection<TokioIo<Transport<B>>, Upload<B>, TokioExecutor>;

/// The size of a head as h2 counts it, with 32 bytes more for each field (RFC 9113, section 6.5.2).
fn max_header_list_size(rules: &Rules) -> u32 {
    let fields = usize::from(rules.max_fields).saturating_mul(32);
    u32::try_from(rules.max_head.saturating_add(fields)).unwrap_or(u32::MAX)
}

/// Starts HTTP/2 on an open connection, adds the connection to the shard, and reserves a stream of it.
pub(super) async fn start<B>(
    pool: &Arc<Inner<B>>,
    shard: usize,
    stream: Stream,
    permit: ConnectionPermit<B>,
) -> Result<Connection<B>, Error>
where
    B: http_body::Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Into<BoxError>,
{
    let (closer, closing) = oneshot::channel();
    let (preface, heard) = oneshot::channel();
    let streams = Streams::new(Arc::downgrade(pool), closer, pool.rules);
    let wire = Transport::new(stream, Arc::clone(&streams), preface, closing, permit);
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(10))
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(max_header_list_size(&pool.rules))
        .handshake(TokioIo::new(wire))
        .await
        .map_err(|error| Error::new(ErrorKind::Connect, error))?;
    let at_once = || Error::new(ErrorKind::Connect, "the endpoint closed the connection at once");
    let multiplexed = Multiplexed::new(sender, Arc::clone(&streams));
    // A stream is reserved first, since a connection without one is idle, however long the preface takes.
    let reserved = multiplexed.reserve();
    tokio::spawn(drive(connection, Arc::clone(&streams), shard, pool.keep_alive));
    let preface = heard.await.map_err(|_| at_once())?;
    if let Some(fault) = preface.fault() {
        return Err(Error::new(ErrorKind::Connect, fault));
    }
    pool.shards[shard].put_multiplexed(multiplexed);
    reserved.map(Connection::http2).ok_or_else(at_once)
}

/// Polls the connection until it ends, or until it has been idle for `keep_alive`, and closes it.
async fn drive<B>(connection: Driven<B>, streams: Arc<Streams<B>>, shard: usize, keep_alive: Duration)
where
    B: http_body::Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Into<BoxError>,
{
    let closer = poll_until_idle(connection, &streams, keep_alive).await;
    // The last sender is dropped here, and hyper sends GOAWAY.
    if let Some(pool) = streams.pool() {
        pool.shards[shard].drop_over();
    }
    if let Some(mut closer) = closer {
        // An endpoint that takes nothing would keep the connection open.
        let _ = tokio::time::timeout(FAREWELL, closer.closed()).await;
    }
}

/// Polls the connection. When the connection was retired because it was idle, returns the sender whose drop closes it.
async fn poll_until_idle<B>(
    connection: Driven<B>,
    streams: &Streams<B>,
    keep_alive: Duration,
) -> Option<oneshot::Sender<Infallible>>
where
    B: http_body::Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Into<BoxError>,
{
    let mut connection = pin!(connection);
    let mut look = pin!(tokio::time::sleep(keep_alive));
    std::future::poll_fn(|cx| {
        let polled = connection.as_mut().poll(cx);
        streams.allow(connection.current_max_send_streams());
        if let Poll::Ready(ended) = polled {
            if let Err(error) = ended {
                tracing::debug!(%error, "an upstream connection ended");
            }
            return Poll::Ready(None);
        }
        while look.as_mut().poll(cx).is_ready() {
            match streams.retire_idle(keep_alive) {
                Idle::For(since) => {
                    look.set(tokio::time::sleep(keep_alive.saturating_sub(since).max(LEAST_PAUSE)));
                }
                Idle::Retired(closer) => return Poll::Ready(closer),
            }
        }
        Poll::Pending
    })
    .await
}
