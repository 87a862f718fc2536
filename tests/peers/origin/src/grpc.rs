//! Answers each unary gRPC call with the message that it got, over HTTP/2 with prior knowledge.

use std::{convert::Infallible, io};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;

pub(crate) async fn serve(listener: TcpListener) -> io::Result<()> {
    let mut server = http2::Builder::new(TokioExecutor::new());
    server.max_concurrent_streams(1024);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let connection = server.serve_connection(TokioIo::new(stream), service_fn(echo));
        tokio::spawn(async move {
            // Proxies that are stopped cut their connections.
            let _ = connection.await;
        });
    }
}

async fn echo(
    request: Request<Incoming>,
) -> Result<Response<impl Body<Data = Bytes, Error = Infallible>>, hyper::Error> {
    let message = request.into_body().collect().await?.to_bytes();
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let body = Full::new(message).with_trailers(async { Some(Ok(trailers)) });
    let mut response = Response::new(body);
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    Ok(response)
}
