//! A connection that leaves HTTP (RFC 9110, section 7.8).
//!
//! Whoever speaks HTTP/1 puts an [`OnUpgrade`] into the extensions of a message that may change the protocol, and keeps
//! the [`PendingUpgrade`] that belongs to it. When the change has come about, the stream goes through it; when it is
//! dropped, whoever waits is told that there will be none.

use std::{
    any::Any,
    fmt,
    future::Future,
    io::{self, IoSlice},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Waker},
};

use bytes::{Buf, Bytes};
use http::Extensions;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::Lease;

/// Waits for the stream of an upgrade. It rides in the extensions of the request that asks for it, or of the `101`
/// response that grants it.
///
/// It gives the stream once: a clone that is polled later gives an error.
#[derive(Clone)]
pub struct OnUpgrade(Arc<Mutex<State>>);

/// The other half of an [`OnUpgrade`]: the promise of a stream. Dropped unkept, it tells that there is none.
pub struct PendingUpgrade(Arc<Mutex<State>>);

struct State {
    stage: Stage,
    kept: Kept,
}

/// What is dropped with the stream, and not before.
type Kept = Vec<Box<dyn Any + Send>>;

enum Stage {
    Pending(Option<Waker>),
    Ready(Upgraded),
    /// Given away, or never to come.
    Over,
}

impl OnUpgrade {
    /// A new upgrade that has not come about.
    pub fn pending() -> (PendingUpgrade, Self) {
        let state = Arc::new(Mutex::new(State { stage: Stage::Pending(None), kept: Kept::new() }));
        (PendingUpgrade(Arc::clone(&state)), Self(state))
    }

    /// Keeps a value for as long as the stream lives: the permit of a limit, say. When there is no stream after all, it
    /// is dropped as soon as that is known.
    pub fn keep(&self, value: impl Send + 'static) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !matches!(state.stage, Stage::Over) {
            state.kept.push(Box::new(value));
        }
    }
}

impl PendingUpgrade {
    /// Hands over the stream.
    pub fn fulfil(self, upgraded: Upgraded) {
        self.settle(Stage::Ready(upgraded));
    }

    /// Whether nobody waits for the stream any more, so that [`fulfil`](Self::fulfil) would only drop it.
    pub fn is_abandoned(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }

    /// Only the first call counts.
    fn settle(&self, settled: Stage) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Stage::Pending(waker) = &mut state.stage {
            let waker = waker.take();
            let over = matches!(settled, Stage::Over);
            state.stage = settled;
            let kept = if over { std::mem::take(&mut state.kept) } else { Kept::new() };
            drop(state);
            drop(kept);
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

impl Drop for PendingUpgrade {
    fn drop(&mut self) {
        self.settle(Stage::Over);
    }
}

impl Future for OnUpgrade {
    type Output = Result<Upgraded, UpgradeError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut state.stage, Stage::Over) {
            Stage::Pending(_) => {
                state.stage = Stage::Pending(Some(cx.waker().clone()));
                Poll::Pending
            }
            Stage::Ready(mut upgraded) => {
                upgraded.kept.append(&mut state.kept);
                Poll::Ready(Ok(upgraded))
            }
            Stage::Over => Poll::Ready(Err(UpgradeError(()))),
        }
    }
}

impl fmt::Debug for OnUpgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnUpgrade")
    }
}

impl fmt::Debug for PendingUpgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PendingUpgrade")
    }
}

/// The leases that end with the tunnel of a connection which hyper serves. They ride in the extensions of the request that
/// asks for the tunnel, since hyper's own `OnUpgrade` can keep nothing; whoever opens the tunnel takes them along.
#[derive(Debug, Clone, Default)]
pub struct TunnelLeases(Vec<Lease>);

impl TunnelLeases {
    /// Takes the leases out of a request's extensions. Drop them when the tunnel has ended.
    pub fn take(request: &mut Extensions) -> Self {
        request.remove().unwrap_or_default()
    }

    pub(crate) fn add_to(request: &mut Extensions, lease: Lease) {
        request.get_or_insert_default::<Self>().0.push(lease);
    }
}

/// The upgrade did not come about, or its stream has been given away already.
#[derive(Debug)]
pub struct UpgradeError(());

impl fmt::Display for UpgradeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection was not upgraded")
    }
}

impl std::error::Error for UpgradeError {}

/// A stream of bytes both ways that was an HTTP/1 connection. It is read and written by tokio's traits.
pub struct Upgraded {
    read_ahead: Bytes,
    stream: Box<dyn Stream>,
    kept: Kept,
}

/// What an upgraded stream can do.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Upgraded {
    /// The stream, and what had been read of it beyond the head, which is given first.
    pub fn new(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static, read_ahead: Bytes) -> Self {
        Self { read_ahead, stream: Box::new(stream), kept: Kept::new() }
    }
}

impl AsyncRead for Upgraded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.read_ahead.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let length = self.read_ahead.len().min(buf.remaining());
        buf.put_slice(&self.read_ahead[..length]);
        self.read_ahead.advance(length);
        if self.read_ahead.is_empty() {
            self.read_ahead = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Upgraded {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl fmt::Debug for Upgraded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgraded").field("read_ahead", &self.read_ahead.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn what_was_read_ahead_comes_first() {
        let (near, mut far) = tokio::io::duplex(64);
        let (pending, on_upgrade) = OnUpgrade::pending();
        let waiting = tokio::spawn(on_upgrade);
        tokio::task::yield_now().await;
        pending.fulfil(Upgraded::new(near, Bytes::from_static(b"one ")));
        let mut upgraded = waiting.await.expect("no panic").expect("is upgraded");
        far.write_all(b"two").await.expect("is open");
        drop(far);
        let mut all = String::new();
        upgraded.read_to_string(&mut all).await.expect("is open");
        assert_eq!(all, "one two");
    }

    #[tokio::test]
    async fn a_promise_that_is_dropped_is_an_error() {
        let (pending, on_upgrade) = OnUpgrade::pending();
        let waiting = tokio::spawn(on_upgrade);
        tokio::task::yield_now().await;
        assert!(!pending.is_abandoned());
        drop(pending);
        assert!(waiting.await.expect("no panic").is_err());
    }

    #[tokio::test]
    async fn what_is_kept_goes_with_the_stream_or_when_there_is_none() {
        let value = Arc::new(());
        let (pending, on_upgrade) = OnUpgrade::pending();
        on_upgrade.keep(Arc::clone(&value));
        pending.fulfil(Upgraded::new(tokio::io::duplex(1).0, Bytes::new()));
        let upgraded = on_upgrade.await.expect("is upgraded");
        assert_eq!(Arc::strong_count(&value), 2);
        drop(upgraded);
        assert_eq!(Arc::strong_count(&value), 1);

        let (pending, on_upgrade) = OnUpgrade::pending();
        on_upgrade.keep(Arc::clone(&value));
        drop(pending);
        assert_eq!(Arc::strong_count(&value), 1);
        on_upgrade.keep(Arc::clone(&value));
        assert_eq!(Arc::strong_count(&value), 1);
    }

    #[tokio::test]
    async fn the_stream_is_given_once() {
        let (pending, on_upgrade) = OnUpgrade::pending();
        let clone = on_upgrade.clone();
        pending.fulfil(Upgraded::new(tokio::io::duplex(1).0, Bytes::new()));
        assert!(on_upgrade.await.is_ok());
        assert!(clone.await.is_err());
    }
}
