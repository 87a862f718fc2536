//! WebSocket upgrades, and the bytes that pass after them.
//!
//! 1. A tunnel begins when both sides have changed protocols. Bytes that came early are passed on first.
//! 2. Each direction has one buffer, so that a side that does not read stops the other.
//! 3. When one side ends its direction, the other side is told, and the other direction goes on.
//! 4. A tunnel ends when both directions have ended, when one fails, or when no byte has come from either side for the
//!    idle timeout. Both connections are closed then.
//! 5. The tunnel holds its endpoint's pick until it ends.

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
use gatewright_core::{Body, BoxError, OnUpgrade, TunnelLeases, Upgraded};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method,
    header::{CONNECTION, UPGRADE},
    request,
};
use http_body::Body as _;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};

use crate::upstream::Pick;

const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");
const UPGRADE_OPTION: HeaderValue = HeaderValue::from_static("upgrade");

/// The client's side of an upgrade that it asked for.
pub(crate) struct Upgrade {
    client: Client,
    /// What policies have granted until the tunnel ends. Our own server keeps such leases with its stream.
    leases: TunnelLeases,
}

/// Who owns the client's connection: our own server, or hyper.
enum Client {
    Ours(OnUpgrade),
    Hyper(hyper::upgrade::OnUpgrade),
}

impl Upgrade {
    /// The upgrade, when the client asks for a WebSocket on a connection that can become one.
    pub(crate) fn asked_for(parts: &mut request::Parts, body: &Body) -> Option<Self> {
        let client = match parts.extensions.remove::<OnUpgrade>() {
            Some(ours) => Client::Ours(ours),
            None => Client::Hyper(parts.extensions.remove::<hyper::upgrade::OnUpgrade>()?),
        };
        let asked = parts.method == Method::GET && body.is_end_stream() && offers_websocket(&parts.headers);
        let leases = TunnelLeases::take(&mut parts.extensions);
        asked.then_some(Self { client, leases })
    }

    /// Adds to a head the fields of an upgrade, after the fields of the connection were removed.
    pub(crate) fn write(headers: &mut HeaderMap) {
        headers.insert(CONNECTION, UPGRADE_OPTION);
        headers.insert(UPGRADE, WEBSOCKET);
    }

    /// Passes bytes both ways until both sides have ended, or neither sends any for the idle timeout.
    pub(crate) fn tunnel(self, upstream: OnUpgrade, idle_timeout: Duration, pick: Pick) {
        let Self { client, leases } = self;
        tokio::spawn(async move {
            let _leases = leases;
            let (client, upstream) = match both(client, upstream).await {
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
            pick.complete();
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

/// Whether a request's head offers to change to `websocket`, maybe among other protocols (RFC 6455, section 4.2.1).
fn offers_websocket(headers: &HeaderMap) -> bool {
    elements(headers, &CONNECTION).any(|option| option.eq_ignore_ascii_case(b"upgrade"))
        && elements(headers, &UPGRADE).any(|protocol| protocol.eq_ignore_ascii_case(b"websocket"))
}

/// Whether a response's head changes to `websocket`, and to nothing else.
pub(crate) fn changes_to_websocket(headers: &HeaderMap) -> bool {
    offers_websocket(headers)
        && elements(headers, &UPGRADE).all(|protocol| protocol.eq_ignore_ascii_case(b"websocket"))
}

/// The elements of a list, over all its field lines. Empty elements are left out (RFC 9110, section 5.6.1.2).
fn elements<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
    let values = headers.get_all(name).into_iter();
    let elements = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    elements.map(<[u8]>::trim_ascii).filter(|element| !element.is_empty())
}

/// When bytes have last come from either side.
struct Activity {
    start: Instant,
    last: AtomicU64,
}

impl Activity {
    fn note(&self) {
        let now = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(now, Ordering::Relaxed);
    }

    /// Ends when nothing has come for this long.
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

/// One side of a tunnel. It notes when bytes come from it.
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
    fn websocket_is_found_among_offers_and_alone_in_an_answer() {
        let found = |fields: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in fields {
                headers.append(*name, HeaderValue::from_static(value));
            }
            (offers_websocket(&headers), changes_to_websocket(&headers))
        };
        for (protocols, expected) in [
            (&["WebSocket"][..], (true, true)),
            (&["websocket,"], (true, true)),
            (&["websocket", "websocket"], (true, true)),
            (&["websocket, h2c"], (true, false)),
            (&["h2c,websocket"], (true, false)),
            (&["TLS/1.2", "websocket"], (true, false)),
            (&["h2c"], (false, false)),
            (&["websocket/1"], (false, false)),
            (&["web socket"], (false, false)),
            (&[","], (false, false)),
            (&[], (false, false)),
        ] {
            let fields: Vec<_> = protocols.iter().map(|protocol| ("upgrade", *protocol)).collect();
            for connection in ["keep-alive, Upgrade", "upgrade", ",upgrade"] {
                let fields = [&[("connection", connection)], &fields[..]].concat();
                assert_eq!(found(&fields), expected, "{fields:?}");
            }
            assert_eq!(found(&fields), (false, false), "{fields:?}");
            assert_eq!(
                found(&[&[("connection", "close")], &fields[..]].concat()),
                (false, false),
                "{fields:?}"
            );
        }
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
