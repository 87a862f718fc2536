//! What one request asks, and how it is answered.

use fastrand::Rng;

use crate::{
    content::{Content, mix},
    pieces::{Chunks, Pieces},
    visit::{EXCHANGES, Protocol, Visit},
};

/// One request and its response. All of it follows from the run's seed and its number, which the request bears: the
/// origin needs to be told no more.
#[derive(Debug, Clone)]
pub(crate) struct Exchange {
    pub(crate) number: u64,
    pub(crate) route: Route,
    pub(crate) method: &'static str,
    pub(crate) upload: Option<Upload>,
    pub(crate) answer: Answer,
    pub(crate) seed: u64,
}

/// Routes, each to origins of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    Http1,
    Http2,
    /// HTTP/2, where the origin ends connections after some requests, and says so (GOAWAY).
    Leaving,
    /// The same origin as `Http1`, within a rate.
    Limited,
    /// The origin refuses some requests at first, and the gateway sends them again.
    Retrying,
    /// The origin closes connections after responses without saying so.
    Closing,
    /// The origin breaks its responses.
    Failing,
}

/// The body of a request.
#[derive(Debug, Clone)]
pub(crate) struct Upload {
    pub(crate) content: Content,
    /// With a length when there are none.
    pub(crate) chunks: Option<Chunks>,
    /// With chunks only.
    pub(crate) trailers: bool,
    pub(crate) expects_continue: bool,
    pub(crate) pieces: Pieces,
}

/// A response.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content: Content,
    pub(crate) framing: Framing,
    pub(crate) trailers: bool,
    /// Statuses of interim responses before it.
    pub(crate) interim: Vec<u16>,
    pub(crate) pieces: Pieces,
    pub(crate) when: When,
    pub(crate) ending: Ending,
    /// What goes wrong the first time, or each time on the route `Failing`.
    pub(crate) failure: Option<Failure>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    Length,
    Chunked(Chunks),
    UntilClose,
    /// HTTP/1.0, with a length or without.
    Old {
        length: bool,
    },
}

/// When the origin answers an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// When all of it has come.
    AfterAll,
    /// When so many bytes have come; it reads on all the same.
    After(usize),
}

/// What becomes of an origin's HTTP/1 connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Kept,
    Announced,
    /// The origin closes without saying so, after some milliseconds.
    Silent(u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// 503 in the place of the response.
    Unavailable,
    /// The connection ends before the response.
    NoResponse,
    /// The response ends so many bytes before its end.
    CutShort { missing: usize, resets: bool },
}

/// Body sizes around which buffers are cut, on either side of the gateway.
const EDGES: [usize; 7] = [4 << 10, 8 << 10, 16 << 10, 32 << 10, 64 << 10, 128 << 10, 1 << 10];

pub(crate) fn size(rng: &mut Rng) -> usize {
    match rng.u32(..100) {
        0..6 => 0,
        6..30 => rng.usize(1..300),
        30..60 => {
            // The smaller ones more often: they are as good and cost less.
            let edge = EDGES[rng.usize(..EDGES.len()).min(rng.usize(..EDGES.len()))];
            edge + rng.usize(..16) - 8
        }
        60..90 => rng.usize(1..20_000),
        90..98 => rng.usize(1..80_000),
        _ => rng.usize(1..400_000),
    }
}

impl Exchange {
    /// The exchange of this number in the run of this seed.
    pub(crate) fn of(seed: u64, number: u64) -> Self {
        let visit = Visit::of(seed, number / EXCHANGES);
        let own = mix(seed ^ mix(number).rotate_left(17));
        let mut rng = Rng::with_seed(own);
        let route = match rng.u32(..100) {
            0..45 => Route::Http1,
            45..65 => Route::Http2,
            65..75 => Route::Leaving,
            75..80 => Route::Limited,
            80..88 => Route::Retrying,
            88..96 => Route::Closing,
            _ => Route::Failing,
        };
        let method = if rng.bool() {
            ["GET", "GET", "GET", "HEAD", "DELETE", "OPTIONS"][rng.usize(..6)]
        } else {
            ["POST", "POST", "PUT", "PATCH"][rng.usize(..4)]
        };
        let upload = matches!(method, "POST" | "PUT" | "PATCH").then(|| Upload::random(&mut rng, &visit));
        let answer = Answer::random(&mut rng, route, method, upload.as_ref());
        Self { number, route, method, upload, answer, seed: own }
    }

    pub(crate) fn path(&self) -> String {
        format!("/{}/{}", self.route.name(), self.number)
    }

    /// The number in a path that [`path`](Self::path) has made.
    pub(crate) fn number_in(path: &str) -> Option<u64> {
        path.rsplit_once('/')?.1.parse().ok()
    }

    /// Whether it may be sent twice (RFC 9110, section 9.2.2) and can be.
    pub(crate) fn may_be_repeated(&self) -> bool {
        self.upload.is_none()
    }

    /// Whether the response has no body whatever its head says (RFC 9112, section 6.3).
    pub(crate) fn is_bodiless(&self) -> bool {
        self.method == "HEAD" || matches!(self.answer.status, 204 | 304)
    }

    /// The value of the trailer that the response ends with.
    pub(crate) fn trailer(&self) -> Option<String> {
        let told = self.answer.trailers && !self.is_bodiless();
        told.then(|| format!("trailer-{:x}", self.seed))
    }

    /// The value of the trailer that the request ends with.
    pub(crate) fn upload_trailer(&self) -> Option<String> {
        let told = self.upload.as_ref().is_some_and(|upload| upload.trailers);
        told.then(|| format!("upload-{:x}", self.seed))
    }

    /// Random numbers of its own, for what happens while it is under way.
    pub(crate) fn rng(&self, purpose: u64) -> Rng {
        Rng::with_seed(mix(self.seed ^ purpose))
    }
}

impl Route {
    pub(crate) fn is_http2(self) -> bool {
        matches!(self, Self::Http2 | Self::Leaving)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Http1 => "http1",
            Self::Http2 => "http2",
            Self::Leaving => "leaving",
            Self::Limited => "limited",
            Self::Retrying => "retrying",
            Self::Closing => "closing",
            Self::Failing => "failing",
        }
    }
}

impl Upload {
    fn random(rng: &mut Rng, visit: &Visit) -> Self {
        let content = Content { seed: rng.u64(..), length: size(rng) };
        let chunked = visit.protocol != Protocol::Http10 && rng.bool();
        let http11 = visit.protocol == Protocol::Http11;
        Self {
            content,
            chunks: chunked.then(|| Chunks::random(rng, content.length)),
            trailers: chunked && rng.u32(..4) == 0,
            expects_continue: http11 && content.length > 0 && rng.u32(..10) == 0,
            pieces: Pieces::random(rng),
        }
    }
}

impl Answer {
    fn random(rng: &mut Rng, route: Route, method: &str, upload: Option<&Upload>) -> Self {
        let content = Content { seed: rng.u64(..), length: size(rng) };
        let status = match rng.u32(..40) {
            0 => 204,
            1 if method == "GET" || method == "HEAD" => 304,
            2 => 404,
            3 => 500,
            4 => 201,
            _ => 200,
        };
        let framing = match rng.u32(..100) {
            0..40 => Framing::Length,
            40..86 => Framing::Chunked(Chunks::random(rng, content.length)),
            86..92 => Framing::UntilClose,
            _ => Framing::Old { length: rng.bool() },
        };
        let failure = match route {
            Route::Retrying if upload.is_none() && rng.u32(..10) == 0 => {
                Some(if rng.bool() { Failure::Unavailable } else { Failure::NoResponse })
            }
            Route::Failing => Some(Failure::random(rng)),
            _ => None,
        };
        let framing = match (framing, failure) {
            // Where a response's end is the connection's, nothing tells that it was cut short.
            (Framing::UntilClose | Framing::Old { .. }, Some(_)) => Framing::Length,
            (framing, _) => framing,
        };
        let ending = match route {
            Route::Closing if rng.u32(..3) > 0 => Ending::Silent(rng.u64(..4)),
            route if route.is_http2() => Ending::Kept,
            _ if rng.u32(..12) == 0 => Ending::Announced,
            _ => Ending::Kept,
        };
        let interim = match rng.u32(..12) {
            0 => vec![103],
            1 => vec![103, 103],
            2 => vec![100],
            _ => vec![],
        };
        let when = match upload {
            Some(upload) if rng.u32(..8) == 0 && route != Route::Failing => {
                When::After(rng.usize(..=upload.content.length))
            }
            _ => When::AfterAll,
        };
        let trailers = rng.u32(..4) == 0 && (route.is_http2() || matches!(framing, Framing::Chunked(_)));
        Self { status, content, framing, trailers, interim, pieces: Pieces::random(rng), when, ending, failure }
    }
}

impl Failure {
    fn random(rng: &mut Rng) -> Self {
        match rng.u32(..4) {
            0 => Self::NoResponse,
            _ => Self::CutShort { missing: rng.usize(1..30_000), resets: rng.bool() },
        }
    }
}
