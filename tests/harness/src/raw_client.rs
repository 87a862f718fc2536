//! A client that sends exact bytes.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;

use crate::{
    PATIENCE, Response, Socket,
    message::Content,
    reader::{Framing, Reader},
    within,
};

/// One connection, plain or TLS, on which exact bytes go out and whole HTTP/1.1 responses come in.
#[derive(Debug)]
pub struct RawClient(Reader);

impl RawClient {
    /// Connects without TLS.
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = within("connect", TcpStream::connect(address)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self(Reader::new(Socket::Plain(stream)))
    }

    /// Connects with TLS to the server that calls itself `name`.
    pub async fn connect_tls(address: SocketAddr, config: Arc<ClientConfig>, name: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
        let stream = within("TLS handshake", TlsConnector::from(config).connect(name, stream)).await?;
        Ok(Self(Reader::new(Socket::Tls(Box::new(stream.into())))))
    }

    /// Sends these bytes. A peer that has closed already is not an error here: the response tells.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = within("send", self.0.send(bytes.as_ref())).await;
    }

    /// Sends these bytes, or says why not.
    pub async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        within("send", self.0.send(bytes.as_ref())).await
    }

    /// The next response, to a method other than HEAD. A body cut short shows in [`Response::complete`].
    pub async fn response(&mut self) -> io::Result<Response> {
        self.response_to("GET").await
    }

    /// The next response, to `method`.
    pub async fn response_to(&mut self, method: &str) -> io::Result<Response> {
        within("a response", self.read_response(method)).await
    }

    /// The next response, if it comes within `time`.
    pub async fn response_within(&mut self, time: Duration) -> Option<io::Result<Response>> {
        timeout(time, self.read_response("GET")).await.ok()
    }

    /// Sends a request and returns the response; a panic says why there is none.
    pub async fn exchange(&mut self, request: impl AsRef<[u8]>) -> Response {
        let request = request.as_ref();
        self.send(request).await;
        let method: String =
            request.iter().take_while(|byte| **byte != b' ').map(|&byte| char::from(byte)).collect();
        match self.response_to(&method).await {
            Ok(response) => response,
            Err(error) => panic!("no response to {:?}: {error}", String::from_utf8_lossy(request)),
        }
    }

    /// Connects, sends a request and returns the response.
    pub async fn once(address: SocketAddr, request: impl AsRef<[u8]>) -> Response {
        Self::connect(address).await.exchange(request).await
    }

    async fn read_response(&mut self, method: &str) -> io::Result<Response> {
        let mut response = Response::default();
        loop {
            response.head = self.0.head().await?.ok_or(io::ErrorKind::UnexpectedEof)?;
            match response.status() {
                100 | 102..=199 => response.interim.push(std::mem::take(&mut response.head)),
                _ => break,
            }
        }
        let framing = Framing::of_response(method, response.status(), &response.head.fields);
        let mut content = Content::default();
        let _ = self.0.body(framing, &mut content).await;
        response.set_content(content);
        Ok(response)
    }

    /// Reads one head and leaves what follows, as after a 101.
    pub async fn head(&mut self) -> io::Result<crate::Head> {
        within("a head", self.0.head()).await?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    /// The next bytes, whatever they are; empty at the end.
    pub async fn read(&mut self) -> io::Result<Vec<u8>> {
        within("bytes", self.0.next()).await
    }

    /// Exactly `count` bytes.
    pub async fn read_exactly(&mut self, count: usize) -> io::Result<Vec<u8>> {
        let mut content = Content::default();
        within("bytes", self.0.body(Framing::Length(count), &mut content)).await?;
        Ok(content.data)
    }

    /// All that comes until the peer closes or resets, or `time` is over; the flag says whether it closed.
    pub async fn read_to_end(&mut self, time: Duration) -> (Vec<u8>, bool) {
        let mut all = Vec::new();
        let closed = timeout(time, async {
            while let Ok(bytes) = self.0.next().await {
                if bytes.is_empty() {
                    break;
                }
                all.extend(bytes);
            }
        })
        .await
        .is_ok();
        (all, closed)
    }

    /// Whether the peer closes, having sent nothing more, before patience ends.
    pub async fn is_closed(&mut self) -> bool {
        let (bytes, closed) = self.read_to_end(PATIENCE).await;
        closed && bytes.is_empty()
    }

    /// Ends our own half: the peer reads to its end, and may still send.
    pub async fn finish(&mut self) {
        let _ = self.0.socket.shutdown().await;
    }

    /// Closes with a reset.
    pub fn reset(self) {
        self.0.socket.reset();
    }

    /// The socket itself; what was read already is lost.
    pub fn into_socket(self) -> Socket {
        self.0.socket
    }
}
