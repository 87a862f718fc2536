//! Bodies over HTTP/2.

use std::future::poll_fn;

use bytes::Bytes;
use fastrand::Rng;
use h2::SendStream;
use http::{HeaderMap, HeaderValue};

use crate::pieces::Chunks;

/// Sends a body in DATA frames of these sizes, as the peer's window allows. `None` when the peer wants no more of it.
pub(crate) async fn send(
    stream: &mut SendStream<Bytes>,
    mut body: Bytes,
    chunks: Chunks,
    ends: bool,
    rng: &mut Rng,
) -> Option<()> {
    if body.is_empty() && ends {
        return stream.send_data(Bytes::new(), true).ok();
    }
    while !body.is_empty() {
        let mut chunk = body.split_to(chunks.next(rng, body.len()));
        // Its end may be told by a frame of its own.
        let last = body.is_empty() && ends;
        let apart = last && rng.bool();
        while !chunk.is_empty() {
            stream.reserve_capacity(chunk.len());
            let room = poll_fn(|cx| stream.poll_capacity(cx)).await?.ok()?;
            let piece = chunk.split_to(room.min(chunk.len()));
            stream.send_data(piece, last && chunk.is_empty() && !apart).ok()?;
        }
        if apart {
            stream.send_data(Bytes::new(), true).ok()?;
        }
    }
    Some(())
}

/// Sends trailers with this value, if there are to be some.
pub(crate) fn end(stream: &mut SendStream<Bytes>, trailer: Option<String>) -> Option<()> {
    let Some(trailer) = trailer else { return Some(()) };
    let mut trailers = HeaderMap::new();
    trailers.insert("x-soak-trailer", HeaderValue::from_str(&trailer).ok()?);
    stream.send_trailers(trailers).ok()
}

/// Trailers as names and values.
pub(crate) fn fields(trailers: Option<HeaderMap>) -> Vec<(String, String)> {
    let trailers = trailers.unwrap_or_default();
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    trailers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
}
