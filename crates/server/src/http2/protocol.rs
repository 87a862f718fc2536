//! h2's part of a connection.

use std::{
    future::Future,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use h2::{
    RecvStream,
    server::{Builder, Connection, Handshake, SendResponse},
};
use http::Request;

use super::{io::GuardedIo, keep_alive::KeepAlive, state::State};
use crate::limits::Limits;

const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// The most that h2 holds of a response, however large the client's windows are.
const SEND_BUFFER: usize = 64 * 1024;

/// h2's connection, from the preface on.
pub(super) struct Protocol {
    stage: Stage,
    /// Whether to send GOAWAY as soon as the connection is open.
    is_leaving: bool,
}

enum Stage {
    Opening(Handshake<GuardedIo, Bytes>),
    Open { connection: Connection<GuardedIo, Bytes>, keep_alive: KeepAlive },
}

/// h2 counts 32 bytes more for each field (RFC 9113, section 6.5.2) than HTTP/1. [`checks`](super::checks) applies the
/// exact limit; this looser one bounds heads of many small fields before they are decoded.
fn max_header_list_size(limits: &Limits) -> u32 {
    u32::try_from(limits.max_head.saturating_mul(4)).unwrap_or(u32::MAX)
}

impl Protocol {
    pub(super) fn new(io: GuardedIo, limits: &Limits) -> Self {
        let mut builder = Builder::new();
        builder
            .max_concurrent_streams(limits.max_streams)
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(max_header_list_size(limits))
            .max_send_buffer_size(SEND_BUFFER);
        Self { stage: Stage::Opening(builder.handshake(io)), is_leaving: false }
    }

    /// Reads, writes, and gives each request to `on_request`. Ready when the connection has ended.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        state: &State,
        mut on_request: impl FnMut(Request<RecvStream>, SendResponse<Bytes>),
    ) -> Poll<Result<(), h2::Error>> {
        if let Stage::Opening(handshake) = &mut self.stage {
            let mut connection = ready!(Pin::new(handshake).poll(cx))?;
            let keep_alive = KeepAlive::new(connection.ping_pong(), state);
            if self.is_leaving {
                connection.graceful_shutdown();
            }
            self.stage = Stage::Open { connection, keep_alive };
        }
        let Stage::Open { connection, .. } = &mut self.stage else { return Poll::Pending };
        while let Some(request) = ready!(pin!(connection.accept()).poll(cx)) {
            let (request, reply) = request?;
            on_request(request, reply);
        }
        Poll::Ready(Ok(()))
    }

    /// Takes no new streams, and ends after the last one.
    pub(super) fn leave(&mut self) {
        self.is_leaving = true;
        if let Stage::Open { connection, .. } = &mut self.stage {
            connection.graceful_shutdown();
        }
    }

    /// Pings a silent client. Gives the stamp at which to look again; `None` if the client is gone.
    pub(super) fn look_after(&mut self, state: &State, cx: &mut Context<'_>) -> Option<u64> {
        match &mut self.stage {
            Stage::Opening(_) => Some(u64::MAX),
            Stage::Open { keep_alive, .. } => keep_alive.look(state, cx),
        }
    }
}
