//! WebSocket upgrades, and the bytes that pass after them.

use std::{
    future::Future,
    io,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use gatewright_core::{Body, BoxError, OnUpgrade, Upgraded};
use http::{
    HeaderMap, HeaderValue, Method,
    header::{CONNECTION, UPGRADE},
    request,
};
use http_body::Body as _;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};

const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");
const UPGRADE_OPTION: HeaderValue = HeaderValue::from_static("upgrade");

/// The client's side of an upgrade that it asked for.
pub(crate) struct Upgrade(Client);

/// Whose connection the client's is: our own server's, or hyper's.
enum Client {
    Ours(OnUpgrade),
    Hyper(hyper::upgrade::OnUpgrade),
}

impl Upgrade {
    /// Whether the client asks for a WebSocket, on a connection that can become one.
    pub(crate) fn asked_for(parts: &mut request::Parts, body: &Body) -> Option<Self> {
        let client = match parts.extensions.remove::<OnUpgrade>() {
            Some(ours) => Client::Ours(ours),
            None => Client::Hyper(parts.extensions.remove::<hyper::upgrade::OnUpgrade>()?),
        };
        let asked = parts.method == Method::GET && body.is_end_stream() && names_websocket(&parts.headers);
        asked.then_some(Self(client))
    }

    /// Writes into a head what an upgrade needs, after the fields of the connection were removed.
    pub(crate) fn write(headers: &mut HeaderMap) {
        headers.insert(CONNECTION, UPGRADE_OPTION);
        headers.insert(UPGRADE, WEBSOCKET);
    }

    /// Passes bytes both ways until both sides have ended, or neither sends any for the idle timeout.
    pub(crate) fn tunnel(self, upstream: OnUpgrade, idle_timeout: Duration) {
        tokio::spawn(async move {
            let (client, upstream) = match both(self.0, upstream).await {
                Ok(both) => both,
                Err(error) => return tracing::debug!(%error, "an upgrade did not come about"),
            };
            let activity = Arc::new(Activity { start: Instant::now(), last: AtomicU64::new(0) });
            let mut client = Watched { io: client, activity: Arc::clone(&activity) };
            let mut upstream = Watched { io: upstream, activity: Arc::clone(&activity) };
            let mut passing = pin!(tokio::io::copy_bidirectional(&mut client, &mut upstream));
            let mut silence = pin!(activity.silence(idle_timeout));
            std::future::poll_fn(|cx| {
                if let Poll::Ready(passed) = passing.as_mut().poll(cx) {
                    if let Err(error) = passed {
                        tracing::debug!(%error, "an upgraded connection broke");
                    }
                    return Poll::Ready(());
                }
                ready!(silence.as_mut().poll(cx));
                tracing::debug!("an upgraded connection was silent for too long");
                Poll::Ready(())
            })
            .await;
        });
    }
}

/// Both streams, when both are there.
async fn both(client: Client, upstream: OnUpgrade) -> Result<(Upgraded, Upgraded), BoxError> {
    let client = match client {
        Client::Ours(client) => client.await?,
        Client::Hyper(client) => Upgraded::new(TokioIo::new(client.await?), Bytes::new()),
    };
    Ok((client, upstream.await?))
}

/// Whether a head names `websocket`, and it alone, as the protocol to change to.
pub(crate) fn names_websocket(headers: &HeaderMap) -> bool {
    let mut protocols = headers.get_all(UPGRADE).iter();
    let named = protocols.next().is_some_and(|protocol| protocol.as_bytes().eq_ignore_ascii_case(b"websocket"));
    let option = |value: &HeaderValue| {
        value
            .as_bytes()
            .split(|byte| *byte == b',')
            .any(|option| option.trim_ascii().eq_ignore_ascii_case(b"upgrade"))
    };
    named && protocols.next().is_none() && headers.get_all(CONNECTION).iter().any(option)
}

/// When bytes last came, from either side.
struct Activity {
    start: Instant,
    last: AtomicU64,
}

impl Activity {
    fn note(&self) {
        let now = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(now, Ordering::Relaxed);
    }

    /// Ends when nothing has come for so long.
    async fn silence(&self, timeout: Duration) {
        loop {
            let due = self.start + Duration::from_millis(self.last.load(Ordering::Relaxed)) + timeout;
            if due <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(due).await;
        }
    }
}

/// One side of a tunnel, which notes when bytes come from it.
struct Watched<T> {
    io: T,
    activity: Arc<Activity>,
}

impl<T: AsyncRead + Unpin> AsyncRead for Watched<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.io).poll_read(cx, buf);
        if polled.is_ready() {
            self.activity.note();
        }
        polled
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Watched<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, BufWriter};

    use super::*;

    #[test]
    fn only_a_websocket_upgrade_counts() {
        let named = |fields: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in fields {
                headers.append(*name, HeaderValue::from_static(value));
            }
            names_websocket(&headers)
        };
        assert!(named(&[("connection", "keep-alive, Upgrade"), ("upgrade", "WebSocket")]));
        assert!(!named(&[("upgrade", "websocket")]));
        assert!(!named(&[("connection", "upgrade"), ("upgrade", "h2c")]));
        assert!(!named(&[("connection", "upgrade"), ("upgrade", "websocket, h2c")]));
        assert!(!named(&[("connection", "upgrade"), ("upgrade", "websocket"), ("upgrade", "h2c")]));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_counted_from_the_last_byte() {
        let activity = Activity { start: Instant::now(), last: AtomicU64::new(0) };
        let timeout = Duration::from_secs(60);
        let talking = async {
            for _ in 0..3 {
                tokio::time::sleep(Duration::from_secs(50)).await;
                activity.note();
            }
        };
        tokio::join!(activity.silence(timeout), talking);
        assert_eq!(activity.start.elapsed().as_secs(), 210);
    }

    #[tokio::test]
    async fn what_is_written_is_flushed_and_ended_on_the_other_side() {
        let (near, mut far) = tokio::io::duplex(64);
        let activity = Arc::new(Activity { start: Instant::now(), last: AtomicU64::new(0) });
        let mut watched = Watched { io: BufWriter::new(near), activity };
        watched.write_all(b"all of it").await.expect("writes");
        watched.flush().await.expect("flushes");
        let mut read = [0; 9];
        tokio::time::timeout(Duration::from_secs(20), far.read_exact(&mut read))
            .await
            .expect("comes")
            .expect("reads");
        assert_eq!(&read, b"all of it");
        watched.shutdown().await.expect("ends");
        let end = tokio::time::timeout(Duration::from_secs(20), far.read(&mut read));
        assert_eq!(end.await.expect("comes").expect("reads"), 0);
    }
}
