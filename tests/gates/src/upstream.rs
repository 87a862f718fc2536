//! An upstream that answers whatever it is asked.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::region::Uncounted;

const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\n\
    content-type: application/json\r\n\
    content-length: 11\r\n\
    cache-control: no-store\r\n\
    date: Tue, 24 Nov 2026 12:00:00 GMT\r\n\
    etag: \"7\"\r\n\r\n\
    {\"order\":7}";

pub(crate) struct Upstream(TcpListener);

impl Upstream {
    /// Its address, and the future that serves; that adds each connection to `accepted`.
    pub(crate) async fn bind(accepted: Arc<AtomicUsize>) -> io::Result<(SocketAddr, impl Future<Output = ()>)> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        Ok((listener.local_addr()?, Self(listener).serve(accepted)))
    }

    async fn serve(self, accepted: Arc<AtomicUsize>) {
        while let Ok((stream, _)) = self.0.accept().await {
            accepted.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(Uncounted::new(answer(stream)));
        }
    }
}

/// Answers each request's head; requests with a body are not sent here. A connection that breaks ends in an error on
/// the other side, which is the one that is looked at.
async fn answer(mut stream: TcpStream) {
    let mut request = Vec::with_capacity(4096);
    while let Ok(1..) = stream.read_buf(&mut request).await {
        if request.ends_with(b"\r\n\r\n") {
            request.clear();
            if stream.write_all(RESPONSE).await.is_err() {
                break;
            }
        }
    }
}
