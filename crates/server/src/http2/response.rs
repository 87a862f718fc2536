//! Sending a response.
//!
//! Invariants:
//!
//! 1. The task of a stream goes through its stages in this order: `Opening` (only for a request with a body), `Service`,
//!    `Body` (only for a response with a body). It never goes back.
//! 2. While a stage waits, the task also waits for the end of the stream, so a reset ends the task at once.
//! 3. [`Tracked::hand_over`] is called right before h2 gets the end of a response. The socket may write the last frame
//!    before the call that gives h2 the end returns.
//! 4. A response that ends in error is reset, so that the client cannot take a cut body for a whole one.

use std::{
    error::Error as StdError,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use gatewright_core::BoxError;
use h2::{Reason, server::SendResponse};
use http::{HeaderMap, HeaderName, StatusCode, header, response};
use http_body::Body;
use pin_project_lite::pin_project;
use tokio::time::Sleep;

use super::{
    aborted::Aborted,
    date,
    pipe::Pipe,
    start::{Opening, Start},
    streams::Stream,
    tracked::Tracked,
};
use crate::service::{Application, Exchange, Outgoing};

/// How long a request that probably has no body waits for the empty frame that proves it.
const EMPTY_FRAME: Duration = Duration::from_millis(250);

pin_project! {
    /// The task of one stream: waits for the service's response, and sends it.
    pub(super) struct Responding<S>
    where
        S: Application,
    {
        #[pin]
        stage: Stage<S>,
        reply: SendResponse<Bytes>,
        stream: Arc<Stream>,
        is_head: bool,
    }
}

pin_project! {
    #[project = StageProjection]
    enum Stage<S>
    where
        S: Application,
    {
        Opening { opening: Option<Opening<S>>, patience: Option<Pin<Box<Sleep>>> },
        Service { #[pin] exchange: Exchange<S, Tracked> },
        Body { #[pin] body: Outgoing<S::ResponseBody, Tracked>, pipe: Pipe },
    }
}

impl<S: Application> Responding<S> {
    pub(super) fn new(start: Start<S>, reply: SendResponse<Bytes>, stream: Arc<Stream>, is_head: bool) -> Self {
        let stage = match start {
            Start::Call(exchange) => Stage::Service { exchange },
            Start::Body(opening) => Stage::Opening { opening: Some(opening), patience: None },
        };
        Self { stage, reply, stream, is_head }
    }

    fn poll_sent(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Aborted>> {
        let mut this = self.project();
        if this.stream.is_reset() {
            return Poll::Ready(Err(Aborted::Cut));
        }
        loop {
            let response = match this.stage.as_mut().project() {
                StageProjection::Opening { opening, patience } => {
                    let Some(open) = opening else { unreachable!("it is taken as this stage ends") };
                    if open.poll_body(cx).is_pending() && open.is_likely_empty {
                        let patience =
                            patience.get_or_insert_with(|| Box::pin(tokio::time::sleep(EMPTY_FRAME)));
                        if patience.as_mut().poll(cx).is_pending() {
                            return this.stream.poll_end(cx, |cx| this.reply.poll_reset(cx)).map(Err);
                        }
                    }
                    if let Some(opening) = opening.take() {
                        this.stage.set(Stage::Service { exchange: opening.call() });
                    }
                    continue;
                }
                StageProjection::Service { exchange } => match exchange.poll(cx) {
                    Poll::Ready(Ok(response)) => response,
                    Poll::Pending => {
                        return this.stream.poll_end(cx, |cx| this.reply.poll_reset(cx)).map(Err);
                    }
                },
                StageProjection::Body { body, pipe } => return pipe.poll(body, this.stream, cx),
            };
            let (mut head, body) = response.into_parts();
            if head.status.is_informational() {
                return Poll::Ready(Err(Aborted::Interim));
            }
            let is_whole = complete(&mut head, &body, *this.is_head);
            // Before the call of h2: the socket may write the last frame during that call.
            if is_whole {
                body.track().hand_over();
            }
            let head = http::Response::from_parts(head, ());
            let send = this.reply.send_response(head, is_whole).map_err(Aborted::Refused)?;
            if is_whole {
                return Poll::Ready(Ok(()));
            }
            this.stage.set(Stage::Body { body, pipe: Pipe::new(send) });
        }
    }
}

impl<S: Application> Future for Responding<S> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let sent = ready!(self.as_mut().poll_sent(cx));
        let reply = self.project().reply;
        match sent {
            Ok(()) | Err(Aborted::Gone) => {}
            Err(Aborted::Cut) => reply.send_reset(Reason::CANCEL),
            Err(Aborted::Body(error)) => {
                tracing::debug!(%error, "a response body failed");
                reply.send_reset(reason_in(&*error).unwrap_or(Reason::INTERNAL_ERROR));
            }
            Err(Aborted::Interim) => reply.send_reset(Reason::INTERNAL_ERROR),
            Err(Aborted::Refused(error)) => {
                tracing::debug!(%error, "a response cannot be sent");
                reply.send_reset(Reason::INTERNAL_ERROR);
            }
        }
        Poll::Ready(())
    }
}

/// Adds the date and the length, and removes connection fields. True if the response ends with its head.
fn complete<B>(head: &mut response::Parts, body: &Outgoing<B, Tracked>, is_head: bool) -> bool
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    strip_connection_fields(&mut head.headers);
    if !head.headers.contains_key(header::DATE)
        && let Some(date) = date::now()
    {
        head.headers.insert(header::DATE, date);
    }
    // RFC 9110, section 6.4.1.
    let has_none = matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if has_none || body.is_end_stream() {
        return true;
    }
    if !head.headers.contains_key(header::CONTENT_LENGTH)
        && let Some(length) = body.size_hint().exact()
    {
        head.headers.insert(header::CONTENT_LENGTH, length.into());
    }
    is_head
}

/// The fields that make an HTTP/2 message malformed (RFC 9113, section 8.2.2).
const OF_CONNECTION: [HeaderName; 6] = [
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::TE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

fn strip_connection_fields(headers: &mut HeaderMap) {
    if !headers.keys().any(|name| OF_CONNECTION.contains(name)) {
        return;
    }
    if let Some(connection) = headers.remove(header::CONNECTION)
        && let Ok(nominated) = connection.to_str()
    {
        for name in nominated.split(',') {
            headers.remove(name.trim());
        }
    }
    for name in &OF_CONNECTION {
        headers.remove(name);
    }
}

/// The code of the reset, if the body came from an HTTP/2 stream that was reset.
fn reason_in(error: &(dyn StdError + 'static)) -> Option<Reason> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(reason) = error.downcast_ref::<h2::Error>().and_then(h2::Error::reason) {
            return Some(reason);
        }
        cause = error.source();
    }
    None
}
