//! The state of one HTTP/1 connection. [`turns`](super::turns) moves it on, with the help of
//! [`upload`](super::upload) and [`response`](super::response).
//!
//! Invariants:
//!
//! 1. `turn` names the one thing that the connection waits for. The turns of a request are `Head`, `Service`, `Response`
//!    (left out when the response has no body), `Rest`, and then `Head` again. `Last` may follow every turn, and no turn
//!    follows `Last`.
//! 2. A head is taken only when `out` is empty. So no response begins while another response is pending, and a client can
//!    make the connection hold no more than the frames of one response.
//! 3. Interim responses and `100 Continue` enter `out` only in the turn `Service`, before the head of the response.
//! 4. Every encoded byte goes into `out`, and the task writes `out` before it waits for anything.
//! 5. `body` stands where `input` begins: the first byte of `input` is the next byte of the request's body, or the first
//!    byte after the body once the body has ended.
//! 6. The connection reads a request's body only when the service asks for it, one frame at a time, or in order to throw
//!    it away.
//! 7. After a violation no byte is parsed as HTTP any more. The connection may still throw bytes away, because a client
//!    that sends its whole request before it reads would otherwise never get the response.
//! 8. `slot` holds the exchange in the turn `Service`, the body of the response in the turn `Response`, and nothing in the
//!    other turns.
//! 9. `input` and `out` own pooled memory only while `has_buffers` is set, and an idle connection gives the memory back.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use gatewright_core::{ConnectionInfo, PendingUpgrade};
use gatewright_http1::{
    Asked, BodyLength, BodyReader, BodyWriter, Framing, Refusal, RequestReader, Violation, WriteBuffer,
};
use http::Version;

use super::{body, buffers, exchange_slot::ExchangeSlot, interim::Interims};
use crate::{
    connection::{Accepted, Shared},
    service::Application,
    transport::Activity,
};

/// Why a connection ends.
pub(super) enum End {
    /// Both sides have finished, if `cleanly` is set. Otherwise the client has gone, possibly within a message.
    Done { cleanly: bool },
    /// The body of a response failed, and the part before the failure has been written. If the body ends with the
    /// connection, only a reset tells the client of the failure.
    CutShort { ends_with_connection: bool },
    /// A head breaks a rule, and every earlier request has been answered.
    Refused(Refusal),
    /// The connection leaves HTTP, and `101` has been written.
    Upgraded,
    /// Nobody needs the connection.
    Idle,
    /// The client does not read.
    Stalled,
    /// The deadline of the drain has passed.
    Cut,
}

/// The one thing that the connection waits for.
pub(super) enum Turn {
    Head,
    Service,
    /// Frames of the response's body.
    Response,
    /// The end of the request's body; the response is over.
    Rest,
    /// The last bytes to be written, before this end.
    Last(End),
}

/// The body of the request in hand, from the connection's side.
#[derive(Debug)]
pub(super) enum Upload {
    /// The request has no body, or all of the body has been read.
    Done,
    /// The service may still read the body.
    Open(Open),
    /// Part of the body has not been read and will not be, so no further request can be read.
    Failed,
}

/// A body that the service may still read.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) sender: body::Sender,
    /// Whether the client still waits for `100 Continue`.
    pub(super) expects_continue: bool,
}

/// One connection over `T`. [`driver`](super::driver) keeps its limits of time and closes it.
pub(super) struct Connection<S: Application, T> {
    pub(super) transport: T,
    pub(super) activity: Arc<Activity>,
    pub(super) shared: Arc<Shared>,
    pub(super) accepted: Arc<Accepted>,
    pub(super) service: S,
    pub(super) info: Arc<ConnectionInfo>,
    pub(super) interims: Arc<Interims>,
    pub(super) reader: RequestReader,
    /// The position within the body of the request in hand.
    pub(super) body: BodyReader,
    /// Received bytes that have not been parsed.
    pub(super) input: BytesMut,
    pub(super) read_size: usize,
    /// Encoded bytes that have not been written.
    pub(super) out: WriteBuffer,
    has_buffers: bool,
    pub(super) slot: ExchangeSlot<S>,
    pub(super) turn: Turn,
    pub(super) requests: u64,
    /// Whether another request may follow on this connection.
    pub(super) persistent: bool,
    pub(super) asked: Asked,
    pub(super) writer: BodyWriter,
    pub(super) upload: Upload,
    pub(super) upgrade: Option<PendingUpgrade>,
    /// The rule or limit that the body of the request in hand breaks.
    pub(super) refusal: Option<Violation>,
    /// Whether a body of the client was too slow, so that the close does not wait for the client.
    pub(super) was_slow: bool,
    /// Whether the rest of a body is being thrown away, so that the connection can go on after it.
    pub(super) is_discarding: bool,
    /// The number of bytes that may still be thrown away after the response.
    pub(super) discardable: u64,
}

impl<S: Application, T> Connection<S, T> {
    pub(super) fn new(
        transport: T,
        activity: Arc<Activity>,
        service: S,
        accepted: Accepted,
        shared: Arc<Shared>,
    ) -> Self {
        let interims = Arc::new(Interims::default());
        let info = accepted.info.clone().with_interim(Arc::<Interims>::clone(&interims));
        Self {
            transport,
            activity,
            service,
            info: Arc::new(info),
            interims,
            body: BodyReader::new(BodyLength::None),
            reader: RequestReader::new(shared.limits.rules()).remember_heads(shared.limits.remember_heads),
            input: BytesMut::new(),
            read_size: buffers::INPUT,
            out: WriteBuffer::default(),
            has_buffers: false,
            slot: ExchangeSlot::new(),
            turn: Turn::Head,
            requests: 0,
            persistent: true,
            asked: Asked::new(false, Version::HTTP_11, false),
            writer: BodyWriter::new(Framing::Empty),
            upload: Upload::Done,
            upgrade: None,
            refusal: None,
            was_slow: false,
            is_discarding: false,
            discardable: shared.limits.max_discarded,
            accepted: Arc::new(accepted),
            shared,
        }
    }

    pub(super) fn info(&self) -> &ConnectionInfo {
        &self.info
    }

    pub(super) fn interims(&self) -> &Interims {
        &self.interims
    }

    /// Whether a request or its response is not over.
    pub(super) fn in_flight(&self) -> bool {
        matches!(self.turn, Turn::Service | Turn::Response | Turn::Rest) || !self.out.is_empty()
    }

    /// Whether the response in hand has begun.
    pub(super) fn is_responding(&self) -> bool {
        !matches!(self.turn, Turn::Service)
    }

    /// The number of requests so far.
    pub(super) fn requests(&self) -> u64 {
        self.requests
    }

    /// Whether the client may be sending part of a message.
    pub(super) fn mid_message(&self) -> bool {
        !self.body.is_ended() || !self.input.is_empty()
    }

    /// Whether the connection is idle and holds memory that it can give up.
    pub(super) fn can_park(&self) -> bool {
        matches!(self.turn, Turn::Head) && self.out.is_empty() && !self.is_parked()
    }

    pub(super) fn is_parked(&self) -> bool {
        self.slot.is_released()
    }

    pub(super) fn park(&mut self) {
        self.slot.release();
        self.reader.release();
    }

    /// Takes a pair of buffers, if the connection has none.
    pub(super) fn take_buffers(&mut self) {
        if !self.has_buffers {
            let (input, output) = buffers::take();
            self.input = input;
            self.out.give_memory(output);
            self.has_buffers = true;
        }
    }

    /// Gives the buffers to other connections. Their content is dropped.
    pub(super) fn give_buffers_back(&mut self) {
        if std::mem::take(&mut self.has_buffers) {
            buffers::give_back(std::mem::take(&mut self.input), self.out.take_memory());
        }
    }

    /// The bytes after the head of a request that has been granted an upgrade.
    pub(super) fn take_input(&mut self) -> Bytes {
        std::mem::take(&mut self.input).freeze()
    }
}
