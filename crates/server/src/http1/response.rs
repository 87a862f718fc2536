//! Writing the response of the request in hand, from its head to its end.

use std::{
    io,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use gatewright_core::{BoxError, ReplyFormat, hop_by_hop, problem::Problem};
use gatewright_http1::{Framing, WrongLength, write_response_head};
use http::{HeaderMap, Response, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    connection::{Connection, End, Turn},
    exchange_slot::{ResponseBody, exact_size},
};
use crate::{
    drain::Phase,
    service::{Application, problem, refuse},
};

impl<S, T> Connection<S, T>
where
    S: Application,
    T: AsyncRead + AsyncWrite + Unpin,
{
    /// Writes the head, and begins the body if there is one.
    pub(super) fn begin_response(&mut self, response: Response<ResponseBody<S>>, cx: &mut Context<'_>) {
        let (head, body) = response.into_parts();
        // Interim responses that the service sent before its response still go first.
        self.interims.close();
        self.interims.take(self.requests, &mut self.out);
        // The finished future of the service may still hold the request's body.
        self.slot.clear();
        self.settle_upload(cx);
        let switching = head.status == StatusCode::SWITCHING_PROTOCOLS;
        let upgrade = self.upgrade.take();
        // A service that answers with the status of the violation has noticed the violation and logged it.
        let refusal = self.refusal.take().filter(|violation| violation.status() != head.status);
        let instead = if let Some(violation) = refusal {
            let response = refuse(&violation.into(), ReplyFormat::Problem, Some(&head.headers));
            self.accepted.refused(&self.shared, Some(&response), violation.reason(), None);
            response
        } else if switching && upgrade.is_none() {
            tracing::warn!("the service answered 101 to a request that asked for no upgrade");
            problem(Problem::new(StatusCode::BAD_GATEWAY), ReplyFormat::Problem, Some(&head.headers))
        } else if head.status.is_informational() && !switching {
            tracing::warn!(status = %head.status, "the service gave an interim response as its final one");
            problem(Problem::new(StatusCode::INTERNAL_SERVER_ERROR), ReplyFormat::Problem, Some(&head.headers))
        } else {
            if switching {
                self.upgrade = upgrade;
            } else if self.shared.connections.phase() != Phase::Serving {
                self.persistent = false;
            }
            let size = exact_size(&body);
            self.begin_writing(head.status, &head.headers, size);
            if switching {
                self.turn = Turn::Last(End::Upgraded);
            } else if self.writer.framing() == Framing::Empty {
                drop(body);
                self.finish_response();
            } else {
                self.slot.respond(body);
                self.turn = Turn::Response;
            }
            return;
        };
        drop(body);
        self.persistent = false;
        let (head, own) = instead.into_parts();
        let size = Some(own.len() as u64);
        self.begin_writing(head.status, &head.headers, size);
        // A response to HEAD has no body, so the writer refuses the data.
        let _ = self.writer.data(&mut self.out, own);
        self.finish_response();
    }

    fn begin_writing(&mut self, status: StatusCode, headers: &HeaderMap, size: Option<u64>) {
        self.writer =
            write_response_head(status, headers, size, self.asked, &mut self.persistent, &mut self.out);
    }

    /// Writes the body as its frames come.
    pub(super) fn poll_response(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let was_full = self.out.is_full();
            if !was_full && let Poll::Ready(over) = self.poll_frame(cx) {
                match over {
                    Ok(true) => self.finish_response(),
                    Ok(false) => continue,
                    Err(error) => self.cut_response_short(&error),
                }
                return Poll::Ready(Ok(()));
            }
            if !self.poll_client(cx)? && was_full == self.out.is_full() {
                return Poll::Pending;
            }
        }
    }

    /// Encodes one frame. True if the response is over.
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, BoxError>> {
        let trailers = match ready!(self.slot.poll_frame(cx)) {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => {
                    let fits = self.write_data(data);
                    if fits && !self.writer.is_complete() && !self.slot.is_end_stream() {
                        return Poll::Ready(Ok(false));
                    }
                    None
                }
                Err(frame) => frame.into_trailers().ok(),
            },
            Some(Err(error)) => return Poll::Ready(Err(error)),
            None => None,
        };
        let trailers = trailers.map(|mut trailers| {
            hop_by_hop::remove_from_trailers(&mut trailers);
            trailers
        });
        // The end of a body is a few bytes, so it may exceed a full queue.
        match self.writer.end(&mut self.out, trailers.as_ref()) {
            Ok(()) => Poll::Ready(Ok(true)),
            Err(error) => Poll::Ready(Err(error.into())),
        }
    }

    /// Writes data of the response's body, and leaves out bytes beyond the declared length. False if bytes were left out.
    fn write_data(&mut self, data: Bytes) -> bool {
        let Err(WrongLength::TooLong { left, mut data }) = self.writer.data(&mut self.out, data) else {
            return true;
        };
        tracing::warn!("a response's body is longer than its Content-Length");
        self.persistent = false;
        data.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        let _ = self.writer.data(&mut self.out, data);
        false
    }

    /// Ends the connection after a failed body. The encoded part of the response is still written.
    fn cut_response_short(&mut self, error: &BoxError) {
        tracing::debug!(%error, "a response's body failed");
        self.slot.clear();
        let ends_with_connection = self.writer.framing() == Framing::UntilClose;
        self.turn = Turn::Last(End::CutShort { ends_with_connection });
    }

    /// The whole response is encoded.
    fn finish_response(&mut self) {
        self.slot.clear();
        self.turn = Turn::Rest;
    }
}
