mod background_upload;
mod memory;
mod model;
mod requests;
mod responses;
mod sequence;

use std::{
    future::Future,
    pin::{Pin, pin},
    task::Poll,
};

use bytes::Bytes;
use gatewright_core::{Body, Error};
use http::{HeaderMap, Request, StatusCode, Version};
use http_body::Body as _;
use http_body_util::BodyExt;
use tokio::{
    io::{AsyncWriteExt, DuplexStream},
    task::coop::unconstrained,
};

use super::{Connection, Exchange, Incoming};
use crate::stream::Stream;

/// A connection in memory, and the endpoint's side of it.
fn connection() -> (Box<Connection<()>>, DuplexStream) {
    let (near, far) = tokio::io::duplex(1 << 20);
    (Connection::new(Stream::Memory(near), ()), far)
}

fn get() -> Request<Body> {
    Request::get("/").header("host", "origin").body(Body::empty()).expect("a request")
}

/// A response, and whether its connection was left clean.
#[derive(Debug, PartialEq)]
struct Seen {
    status: StatusCode,
    version: Version,
    headers: HeaderMap,
    body: Bytes,
    trailers: Option<HeaderMap>,
    reusable: bool,
}

async fn seen(exchange: Exchange<Body, ()>) -> Result<Seen, Error> {
    let response = exchange.await.map_err(|error| error.into_parts().0)?;
    let (parts, mut body) = response.into_parts();
    let hint = body.size_hint();
    let (mut data, mut trailers) = (Vec::new(), None);
    loop {
        let said_over = body.is_end_stream();
        let Some(frame) = body.frame().await else { break };
        assert!(!said_over, "it was over before {frame:?}");
        match frame?.into_data() {
            Ok(chunk) => data.extend_from_slice(&chunk),
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
    assert!(body.is_end_stream());
    assert!(hint.exact().is_none_or(|length| length == data.len() as u64), "{hint:?}");
    Ok(Seen {
        status: parts.status,
        version: parts.version,
        headers: parts.headers,
        body: data.into(),
        trailers,
        reusable: body.take_spent().is_some(),
    })
}

/// What becomes of a request whose response comes in these pieces, after which the endpoint closes.
async fn answered<'a>(
    request: Request<Body>,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Seen, Error> {
    answered_on(connection(), request, pieces).await
}

async fn answered_on<'a>(
    (connection, mut far): (Box<Connection<()>>, DuplexStream),
    request: Request<Body>,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Seen, Error> {
    let mut reading = pin!(seen(Exchange::new(connection, request, None)));
    assert!(once(reading.as_mut()).await.is_pending());
    for piece in pieces {
        // What comes after the end is not read.
        let _ = far.write_all(piece).await;
        if let Poll::Ready(seen) = once(reading.as_mut()).await {
            return seen;
        }
    }
    drop(far);
    reading.await
}

/// A connection on which this response has come and gone.
async fn used(text: &str) -> (Box<Connection<()>>, DuplexStream) {
    let (connection, mut far) = connection();
    let mut exchange = pin!(Exchange::<Body, ()>::new(connection, get(), None));
    assert!(once(exchange.as_mut()).await.is_pending());
    far.write_all(text.as_bytes()).await.expect("is open");
    let mut body = exchange.await.expect(text).into_body();
    while let Some(frame) = body.frame().await {
        frame.expect(text);
    }
    let mut connection = body.take_spent().expect(text);
    connection.rest();
    (connection, far)
}

/// Polls once, whatever the test's task has done before.
async fn once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    let mut future = unconstrained(future);
    std::future::poll_fn(|cx| Poll::Ready(Pin::new(&mut future).poll(cx))).await
}
