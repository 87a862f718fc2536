//! What one client does on one connection.

use fastrand::Rng;

use crate::content::mix;

/// So many numbers of exchanges belong to a visit at most.
pub(crate) const EXCHANGES: u64 = 64;

/// One client connection, from its open to its end.
#[derive(Debug, Clone)]
pub(crate) struct Visit {
    pub(crate) number: u64,
    pub(crate) protocol: Protocol,
    pub(crate) tls: bool,
    /// Whether it asks for the connection to be kept, where it has to ask.
    pub(crate) asks_to_keep: bool,
    /// How many requests it sends.
    pub(crate) requests: u64,
    /// How many requests may be under way at once.
    pub(crate) depth: usize,
    /// The most that one read takes, and whether the client pauses before some reads.
    pub(crate) read_size: usize,
    pub(crate) reads_slowly: bool,
    /// The client's receive buffer in the kernel, or its window of an HTTP/2 stream, where it is a small one.
    pub(crate) window: Option<u32>,
    /// Whether it says that it takes trailers.
    pub(crate) takes_trailers: bool,
    pub(crate) abort: Option<Abort>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http10,
    Http11,
    Http2,
}

/// Where a client leaves, in the last of its exchanges.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Abort {
    pub(crate) point: Point,
    /// With a reset in place of an orderly end.
    pub(crate) resets: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Point {
    /// With some of the request written.
    InRequest,
    /// With all of the request written.
    BeforeResponse,
    /// With so many bytes of the body read, if it has as many.
    InResponse(usize),
}

impl Visit {
    /// The visit of this number in the run of this seed.
    pub(crate) fn of(seed: u64, number: u64) -> Self {
        let mut rng = Rng::with_seed(mix(seed ^ mix(number)));
        let protocol = match rng.u32(..100) {
            0..7 => Protocol::Http10,
            7..65 => Protocol::Http11,
            _ => Protocol::Http2,
        };
        let read_size = match rng.u32(..10) {
            0 => rng.usize(1..64),
            1..4 => rng.usize(64..5000),
            _ => 64 << 10,
        };
        let point = match rng.u32(..3) {
            0 => Point::InRequest,
            1 => Point::BeforeResponse,
            _ => Point::InResponse(rng.usize(..20_000)),
        };
        let window = match protocol {
            Protocol::Http2 => rng.u32(100..70_000),
            Protocol::Http10 | Protocol::Http11 => 4096,
        };
        let asks_to_keep = protocol == Protocol::Http10 && rng.bool();
        Self {
            number,
            protocol,
            tls: rng.u32(..4) == 0,
            asks_to_keep,
            requests: match protocol {
                Protocol::Http10 if asks_to_keep => rng.u64(1..=8),
                Protocol::Http10 => 1,
                Protocol::Http11 | Protocol::Http2 => rng.u64(1..=40),
            },
            depth: if protocol == Protocol::Http10 { 1 } else { rng.usize(1..=8) },
            read_size,
            reads_slowly: rng.u32(..6) == 0,
            window: (rng.u32(..4) == 0).then_some(window),
            takes_trailers: rng.bool(),
            abort: (rng.u32(..8) == 0).then(|| Abort { point, resets: rng.bool() }),
        }
    }

    /// The numbers of its exchanges.
    pub(crate) fn exchanges(&self) -> std::ops::Range<u64> {
        let first = self.number * EXCHANGES;
        first..first + self.requests
    }

    /// Where the client leaves, when this is the exchange in which it does.
    pub(crate) fn abort_in(&self, exchange: u64) -> Option<Abort> {
        self.abort.filter(|_| exchange + 1 == self.exchanges().end)
    }
}
