//! What happens on a connection to an endpoint: what it is asked, what it answers, how the socket behaves.

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use gatewright_core::Error;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::{Frame, SizeHint};
use proptest::{prelude::*, sample::Index};

use super::socket::Move;

#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) exchanges: Vec<Planned>,
    pub(super) reads: Vec<Move>,
    pub(super) writes: Vec<Move>,
    pub(super) remembers_heads: bool,
    /// The caller gives up after so many polls.
    pub(super) dropped_after: Option<u16>,
    /// What happens first wherever several things can happen. The choices repeat.
    pub(super) choices: Vec<u8>,
}

#[derive(Debug, Clone)]
pub(super) struct Planned {
    pub(super) request: Asked,
    pub(super) response: Answer,
    /// Whether the endpoint begins to answer as soon as a byte of the request has come.
    pub(super) is_early: bool,
    /// Whether the connection gives memory back before it is used again.
    pub(super) is_trimmed: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) method: &'static str,
    pub(super) fields: Fields,
    pub(super) closes: bool,
    pub(super) body: Vec<Step>,
    pub(super) has_exact_hint: bool,
    pub(super) ends_early: bool,
    pub(super) trailers: Option<Fields>,
}

pub(super) type Fields = Vec<(String, String)>;

#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    Data(usize),
    Wait(u8),
    Fail,
}

#[derive(Debug, Clone)]
pub(super) struct Answer {
    /// Sizes of the fields of the 103 responses before it; `None` for a 100.
    pub(super) interims: Vec<Option<usize>>,
    pub(super) status: u16,
    pub(super) minor_version: u8,
    pub(super) fields: Fields,
    pub(super) connection: Option<&'static str>,
    pub(super) body: Body,
    pub(super) junk: &'static str,
    /// The endpoint closes after this place in its response.
    pub(super) cut: Option<Index>,
    /// Where the endpoint waits until nothing moves any more.
    pub(super) pauses: Vec<Index>,
}

#[derive(Debug, Clone)]
pub(super) enum Body {
    Length(usize),
    Chunked { chunks: Vec<usize>, extension: &'static str, trailers: Fields },
    UntilClose(usize),
}

/// Bytes that tell where they stand, and of what they are part.
pub(super) fn pattern(seed: usize, length: usize) -> Vec<u8> {
    (0..length).map(|at| (at.wrapping_mul(0x9e37_79b1) >> 11) as u8 ^ (seed as u8).wrapping_mul(37)).collect()
}

impl Asked {
    pub(super) fn total(&self) -> usize {
        self.body.iter().map(|step| if let Step::Data(size) = step { *size } else { 0 }).sum()
    }

    pub(super) fn data(&self, number: usize) -> Vec<u8> {
        pattern(number * 2, self.total())
    }

    /// Whether its body is known to be empty from the start.
    pub(super) fn is_empty(&self) -> bool {
        self.ends_early && self.body.is_empty() && self.trailers.is_none()
            || self.has_exact_hint && self.total() == 0
    }

    pub(super) fn fails(&self) -> bool {
        self.body.iter().any(|step| matches!(step, Step::Fail))
    }

    pub(super) fn build(&self, number: usize) -> http::Request<Sent> {
        let mut request =
            http::Request::builder().method(self.method).uri(format!("/{number}?q")).header("host", "origin");
        for (name, value) in &self.fields {
            request = request.header(name, value);
        }
        if self.closes {
            request = request.header("connection", "close");
        }
        let body = Sent {
            steps: self.body.iter().copied().collect(),
            data: self.data(number).into(),
            trailers: self.trailers.as_ref().map(header_map),
            has_exact_hint: self.has_exact_hint,
            ends_early: self.ends_early,
        };
        request.body(body).expect("a request")
    }
}

pub(super) fn header_map(fields: &Fields) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in fields {
        map.append(HeaderName::try_from(name).expect("a name"), HeaderValue::try_from(value).expect("a value"));
    }
    map
}

/// The body of a request.
#[derive(Debug)]
pub(super) struct Sent {
    steps: VecDeque<Step>,
    data: Bytes,
    trailers: Option<HeaderMap>,
    has_exact_hint: bool,
    ends_early: bool,
}

impl http_body::Body for Sent {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        while let Some(step) = self.steps.front_mut() {
            match step {
                Step::Data(size) => {
                    let size = *size;
                    self.steps.pop_front();
                    return Poll::Ready(Some(Ok(Frame::data(self.data.split_to(size)))));
                }
                Step::Wait(0) => drop(self.steps.pop_front()),
                Step::Wait(times) => {
                    *times -= 1;
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Step::Fail => return Poll::Ready(Some(Err(Error::from_body("the body fails")))),
            }
        }
        Poll::Ready(self.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.ends_early && self.steps.is_empty() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        if self.has_exact_hint { SizeHint::with_exact(self.data.len() as u64) } else { SizeHint::new() }
    }
}

impl Answer {
    pub(super) fn data(&self, number: usize) -> Vec<u8> {
        let length = match &self.body {
            Body::Length(length) | Body::UntilClose(length) => *length,
            Body::Chunked { chunks, .. } => chunks.iter().sum(),
        };
        pattern(number * 2 + 1, length)
    }

    /// Whether a response of this status to this method has a body.
    pub(super) fn has_body(&self, method: &str) -> bool {
        method != "HEAD" && !matches!(self.status, 204 | 304)
    }

    /// The response as bytes, junk included, and how long its heads are.
    pub(super) fn encode(&self, method: &str, number: usize) -> (Vec<u8>, usize) {
        let mut head = String::new();
        for interim in &self.interims {
            head += &match interim {
                Some(size) => format!("HTTP/1.1 103 Early Hints\r\nlink: {}\r\n\r\n", "l".repeat(*size)),
                None => "HTTP/1.1 100 Continue\r\n\r\n".to_owned(),
            };
        }
        head += &format!("HTTP/1.{} {} Reason\r\n", self.minor_version, self.status);
        let mut add = |name: &str, value: &str| head += &format!("{name}: {value}\r\n");
        add("X-Exchange", &number.to_string());
        self.fields.iter().for_each(|(name, value)| add(name, value));
        if let Some(connection) = self.connection {
            add("Connection", connection);
        }
        let data = self.data(number);
        let mut body = Vec::new();
        match &self.body {
            Body::Length(length) => {
                if self.status != 204 {
                    add("Content-Length", &length.to_string());
                }
                body.extend_from_slice(&data);
            }
            Body::UntilClose(_) => body.extend_from_slice(&data),
            Body::Chunked { chunks, extension, trailers } => {
                if self.status != 204 {
                    add("Transfer-Encoding", "chunked");
                }
                let mut rest = &data[..];
                for size in chunks {
                    let (chunk, after) = rest.split_at(*size);
                    body.extend(format!("{size:x}{extension}\r\n").into_bytes());
                    body.extend_from_slice(chunk);
                    body.extend_from_slice(b"\r\n");
                    rest = after;
                }
                body.extend(format!("0{extension}\r\n").into_bytes());
                trailers
                    .iter()
                    .for_each(|(name, value)| body.extend(format!("{name}: {value}\r\n").into_bytes()));
                body.extend_from_slice(b"\r\n");
            }
        }
        let mut bytes = (head + "\r\n").into_bytes();
        let head = bytes.len();
        if self.has_body(method) {
            bytes.extend(body);
        }
        if !matches!(self.body, Body::UntilClose(_)) || !self.has_body(method) {
            bytes.extend_from_slice(self.junk.as_bytes());
        }
        (bytes, head)
    }
}

fn size() -> impl Strategy<Value = usize> {
    prop_oneof![
        4 => 0..3_usize,
        4 => 1..300_usize,
        4 => prop::sample::select(vec![1024_usize, 4096, 8192]).prop_flat_map(|size| size - 1..=size + 1),
        2 => prop::sample::select(vec![16_384_usize, 32_768, 65_536]).prop_flat_map(|size| size - 1..=size + 1),
        1 => 4097..150_000_usize,
    ]
}

fn fields() -> impl Strategy<Value = Fields> {
    prop::collection::vec(("x-[a-z]{1,6}", "[!-~]([ -~]{0,20}[!-~])?"), 0..4)
}

fn head_fields() -> impl Strategy<Value = Fields> {
    (fields(), prop::option::weighted(0.1, 1000..20_000_usize)).prop_map(|(mut fields, large)| {
        fields.extend(large.map(|size| ("x-large".to_owned(), "v".repeat(size))));
        fields
    })
}

fn asked() -> impl Strategy<Value = Asked> {
    let step = prop_oneof![4 => size().prop_map(Step::Data), 2 => (0..3_u8).prop_map(Step::Wait)];
    let body = (
        prop_oneof![1 => Just(vec![]), 2 => prop::collection::vec(step, 0..6)],
        prop::option::weighted(0.06, any::<Index>()),
    )
        .prop_map(|(mut steps, fails)| {
            if let Some(at) = fails {
                steps.insert(at.index(steps.len() + 1), Step::Fail);
            }
            steps
        });
    let method = prop::sample::select(vec!["GET", "GET", "POST", "PUT", "HEAD", "PURGE"]);
    let flags = (prop::bool::weighted(0.08), any::<bool>(), any::<bool>());
    (method, head_fields(), flags, body, prop::option::weighted(0.3, fields())).prop_map(
        |(method, fields, (closes, has_exact_hint, ends_early), body, trailers)| {
            let trailers = trailers.filter(|_| !has_exact_hint);
            Asked { method, fields, closes, body, has_exact_hint, ends_early, trailers }
        },
    )
}

fn answer() -> impl Strategy<Value = Answer> {
    let chunked = (prop::collection::vec(size().prop_map(|size| size.max(1)), 0..5), fields());
    let body = prop_oneof![
        4 => size().prop_map(Body::Length),
        4 => (chunked, prop::sample::select(vec!["", ";a", " ;a=b;c=\"d\"", " "]))
            .prop_map(|((chunks, trailers), extension)| Body::Chunked { chunks, extension, trailers }),
        1 => size().prop_map(Body::UntilClose),
    ];
    let head = (
        prop::collection::vec(prop::option::of(0..4000_usize), 0..3),
        prop::sample::select(vec![200_u16, 200, 200, 404, 204, 304, 503]),
        prop_oneof![8 => Just(1_u8), 1 => Just(0), 1 => Just(3)],
        head_fields(),
        prop_oneof![8 => Just(None), 3 => Just(Some("keep-alive")), 1 => Just(Some("close")), 1 => Just(Some("x, Close"))],
    );
    let junk = prop_oneof![12 => Just(""), 1 => Just("\r\n"), 1 => Just("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")];
    let cut = prop::option::weighted(0.08, any::<Index>());
    (head, body, junk, cut, prop::collection::vec(any::<Index>(), 0..4)).prop_map(
        |((interims, status, minor_version, fields, connection), mut body, junk, cut, pauses)| {
            if minor_version == 0
                && let Body::Chunked { chunks, .. } = &body
            {
                body = Body::Length(chunks.iter().sum());
            }
            Answer { interims, status, minor_version, fields, connection, body, junk, cut, pauses }
        },
    )
}

/// Makes a response that has the lines of another one, with other values.
fn alike(response: Answer, to: &Answer) -> Answer {
    let fields = to.fields.iter().map(|(name, value)| (name.clone(), value.chars().rev().collect()));
    let body = match (&to.body, response.body) {
        (Body::Length(_), Body::Length(length)) => Body::Length(length),
        (Body::Length(length), _) => Body::Length(length / 2),
        (to, _) => to.clone(),
    };
    let connection = to.connection.map(|_| response.connection.unwrap_or("keep-alive"));
    Answer {
        fields: fields.collect(),
        body,
        connection,
        status: to.status,
        minor_version: to.minor_version,
        ..response
    }
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let size = prop_oneof![3 => Just(usize::MAX), 2 => 1..50_usize, 3 => 1000..20_000_usize, 1 => size()];
    let step = (prop::bool::weighted(0.4), size).prop_map(|(blocks, size)| Move { blocks, size });
    prop_oneof![1 => Just(vec![Move::WHOLE]), 4 => prop::collection::vec(step, 1..8)]
}

pub(super) fn case() -> impl Strategy<Value = Case> {
    let planned = (asked(), answer(), prop::bool::weighted(0.3), prop::bool::weighted(0.2)).prop_map(
        |(request, response, is_early, is_trimmed)| Planned { request, response, is_early, is_trimmed },
    );
    let exchanges =
        (prop::collection::vec(planned, 1..6), any::<bool>()).prop_map(|(mut exchanges, are_alike)| {
            if are_alike && let Some((first, others)) = exchanges.split_first_mut() {
                others
                    .iter_mut()
                    .for_each(|other| other.response = alike(other.response.clone(), &first.response));
            }
            exchanges
        });
    let choices = prop::collection::vec(any::<u8>(), 1..10);
    let dropped_after = prop::option::weighted(0.1, 0..40_u16);
    (exchanges, moves(), moves(), any::<bool>(), dropped_after, choices).prop_map(
        |(exchanges, reads, writes, remembers_heads, dropped_after, choices)| Case {
            exchanges,
            reads,
            writes,
            remembers_heads,
            dropped_after,
            choices,
        },
    )
}
