//! A well-behaved HTTP/2 client.

use std::{future::poll_fn, io, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use h2::client::SendRequest;
use http::{HeaderMap, Request};
use rustls::ClientConfig;
use tokio::task::JoinHandle;

use crate::{Fields, RawClient, Response, Socket, within};

/// One HTTP/2 connection. It goes when dropped.
#[derive(Debug)]
pub struct H2Client {
    send: SendRequest<Bytes>,
    connection: JoinHandle<()>,
}

impl H2Client {
    /// Connects without TLS, by prior knowledge.
    pub async fn connect(address: SocketAddr) -> Self {
        Self::over(RawClient::connect(address).await.into_socket()).await.unwrap()
    }

    /// Connects with TLS; `config` should offer `h2`.
    pub async fn connect_tls(address: SocketAddr, config: Arc<ClientConfig>, name: &str) -> io::Result<Self> {
        let socket = RawClient::connect_tls(address, config, name).await?.into_socket();
        assert_eq!(socket.alpn(), Some(&b"h2"[..]), "the server chose another protocol");
        Self::over(socket).await
    }

    async fn over(socket: Socket) -> io::Result<Self> {
        let (send, connection) = h2::client::handshake(socket).await.map_err(io::Error::other)?;
        let connection = tokio::spawn(async move {
            let _ = connection.await;
        });
        Ok(Self { send, connection })
    }

    /// Sends a request with its whole body and returns the whole response.
    pub async fn exchange(&mut self, request: Request<impl Into<Bytes>>) -> Result<Response, h2::Error> {
        self.exchange_with_trailers(request, None).await
    }

    /// The same, with trailers after the body.
    pub async fn exchange_with_trailers(
        &mut self,
        request: Request<impl Into<Bytes>>,
        trailers: Option<HeaderMap>,
    ) -> Result<Response, h2::Error> {
        let exchange = async {
            let (parts, body) = request.into_parts();
            let mut body: Bytes = body.into();
            poll_fn(|cx| self.send.poll_ready(cx)).await?;
            let bare = body.is_empty() && trailers.is_none();
            let (response, mut stream) = self.send.send_request(Request::from_parts(parts, ()), bare)?;
            // A server may answer before it has read the body: then the rest of it is not wanted.
            let upload = async {
                while !body.is_empty() {
                    stream.reserve_capacity(body.len());
                    let Some(Ok(room)) = poll_fn(|cx| stream.poll_capacity(cx)).await else { return };
                    let piece = body.split_to(room.min(body.len()));
                    let end = body.is_empty() && trailers.is_none();
                    if stream.send_data(piece, end).is_err() {
                        return;
                    }
                }
                // Those that HTTP/2 forbids are not sent; the stream must not wait for them.
                if let Some(trailers) = trailers
                    && stream.send_trailers(trailers).is_err()
                {
                    stream.send_reset(h2::Reason::CANCEL);
                }
            };
            let (response, ()) = tokio::join!(receive(response), upload);
            response
        };
        within("an HTTP/2 response", exchange).await
    }

    /// The `h2` sender, for what this client does not do.
    pub fn sender(&mut self) -> &mut SendRequest<Bytes> {
        &mut self.send
    }

    /// Whether the server has closed the connection, once it has.
    pub async fn closed(&mut self) {
        within("the connection's end", &mut self.connection).await.unwrap();
    }
}

impl Drop for H2Client {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

async fn receive(response: h2::client::ResponseFuture) -> Result<Response, h2::Error> {
    let (parts, mut body) = response.await?.into_parts();
    let mut response = Response::default();
    response.head.line = format!("HTTP/2 {}", parts.status.as_u16());
    response.head.fields = Fields::from_map(&parts.headers);
    while let Some(chunk) = body.data().await {
        let Ok(chunk) = chunk else { return Ok(response) };
        let _ = body.flow_control().release_capacity(chunk.len());
        response.body.extend_from_slice(&chunk);
    }
    match body.trailers().await {
        Ok(trailers) => {
            response.trailers = trailers.map(|map| Fields::from_map(&map)).unwrap_or_default();
            response.complete = true;
        }
        Err(_) => response.complete = false,
    }
    Ok(response)
}
