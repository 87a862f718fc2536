//! A connection and its buffers, over all its requests.

use std::{
    future::Future,
    io,
    pin::pin,
    task::{Context, Poll, Waker},
    time::Instant,
};

use bytes::{BufMut, BytesMut};
use gatewright_http1::{ResponseReader, Rules, WriteBuffer};
use tokio::{io::AsyncReadExt, task::coop::unconstrained};

use crate::{response_timer::ResponseTimer, stream::Stream};

/// How many bytes are read at once of a head, and at first of a body.
const READ: usize = 8 << 10;

/// How much memory the write buffer keeps while the connection is idle.
const KEPT: usize = 8 << 10;

/// How many bytes are read at once of a body that comes fast.
const MAX_READ: usize = 128 << 10;

/// A connection to an endpoint. `P` is its permit of the pool, which is dropped with it.
pub(crate) struct Connection<P> {
    pub(super) stream: Stream,
    /// The bytes that were read and not yet taken. Responses are slices of this buffer. It is used again when nobody holds
    /// a slice any longer.
    pub(super) received: BytesMut,
    /// The bytes that are to be written.
    pub(super) out: WriteBuffer,
    pub(super) reader: ResponseReader,
    /// The timer for the head of the response.
    pub(super) timer: ResponseTimer,
    read_size: usize,
    idle_since: Option<Instant>,
    /// `None` while a background upload has it.
    pub(super) permit: Option<P>,
}

impl<P> Connection<P> {
    pub(crate) fn new(stream: Stream, permit: P) -> Box<Self> {
        Box::new(Self {
            stream,
            received: BytesMut::new(),
            out: WriteBuffer::default(),
            reader: ResponseReader::new(Rules::for_responses()),
            timer: ResponseTimer::default(),
            read_size: READ,
            idle_since: None,
            permit: Some(permit),
        })
    }

    /// Sets the rules by which heads of responses are read, and whether a head is compared with earlier ones.
    pub(crate) fn reading(mut self: Box<Self>, rules: Rules, remember: bool) -> Box<Self> {
        self.reader = ResponseReader::new(rules).remember_heads(remember);
        self
    }

    pub(crate) fn permit(&self) -> Option<&P> {
        self.permit.as_ref()
    }

    pub(super) fn with_stream(self, change: impl FnOnce(Stream) -> Stream) -> Box<Self> {
        Box::new(Self { stream: change(self.stream), ..self })
    }

    /// When its last exchange ended; `None` for a new connection.
    pub(crate) fn idle_since(&self) -> Option<Instant> {
        self.idle_since
    }

    /// Notes that its exchange has ended.
    pub(crate) fn rest(&mut self) {
        self.idle_since = Some(Instant::now());
        self.out.clear();
        self.out.shrink_to(KEPT);
        if self.read_size > READ {
            self.read_size = READ;
            self.received = BytesMut::new();
        }
    }

    /// Gives back the memory that it does not need while it is idle.
    pub(crate) fn trim(&mut self) {
        self.received = BytesMut::new();
        self.out = WriteBuffer::default();
        self.reader.release();
        self.timer = ResponseTimer::default();
    }

    /// Whether the endpoint has neither closed it nor sent anything since its last response. No system call is made
    /// unless the runtime knows that there is something to read.
    pub(crate) fn is_quiet(&mut self) -> bool {
        if !self.received.is_empty() {
            return false;
        }
        if !self.stream.may_be_readable() {
            return true;
        }
        // A task that has used up its budget would get "not yet" without a look.
        let looking = pin!(unconstrained(self.stream.read_buf(&mut self.received)));
        looking.poll(&mut Context::from_waker(Waker::noop())).is_pending()
    }

    /// Like [`is_quiet`](Self::is_quiet), with a look at the socket. The runtime does not know what has arrived since it
    /// last asked the system. The socket of a new connection is not looked at, because a TLS server may begin with tickets.
    pub(super) fn is_quiet_now(&mut self) -> bool {
        self.is_quiet() && (self.idle_since.is_none() || self.stream.is_silent())
    }

    /// Reads once. `left` is how many bytes of a body are missing at least. Gives the number of bytes that came; zero
    /// means that the endpoint has closed.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>, left: u64) -> Poll<io::Result<usize>> {
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(self.read_size);
        let mut room = self.received.capacity() - self.received.len();
        if room < wanted / 2 || room < READ / 2 {
            self.received.reserve(wanted.max(READ));
            room = self.received.capacity() - self.received.len();
        }
        // Memory that is used again may be larger than what was asked for.
        let most = room.min(self.read_size);
        let mut received = (&mut self.received).limit(most);
        let polled = pin!(self.stream.read_buf(&mut received)).poll(cx);
        if let Poll::Ready(Ok(read)) = polled
            && read == most
        {
            self.read_size = (self.read_size * 2).min(MAX_READ);
        }
        polled
    }
}

impl<P> std::fmt::Debug for Connection<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("received", &self.received.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
impl<P> Connection<P> {
    /// As if it had been idle for so much longer.
    pub(crate) fn age(&mut self, by: std::time::Duration) {
        self.idle_since = self.idle_since.and_then(|since| since.checked_sub(by));
    }

    /// Whether it holds a buffer to read into.
    pub(crate) fn holds_buffer(&self) -> bool {
        self.received.capacity() > 0
    }
}
