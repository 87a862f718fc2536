//! Whole connections to an endpoint, with the memory of heads and without, and with hyper's client beside them. Where
//! both accept, they get the same responses. Where one of them refuses, [`OURS`] or [`HYPERS`] says why.

#![no_main]

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::Poll,
};

use connections::socket::{answering, play, segments};
use gatewright::{
    client::fuzzing::{Answered, exchanges},
    core::Body,
};
use http::{HeaderMap, Method, Request};
use libfuzzer_sys::fuzz_target;

/// What stands between what an endpoint answers to one request and to the next.
const NEXT: &[u8] = b"\xff\xfe";

fuzz_target!(|input: (u8, u8, &[u8])| {
    let (methods, size, stream) = input;
    let answers: Vec<_> = split(stream).collect();
    let ours = ours(methods, usize::from(size), &answers, true);
    assert_eq!(
        ours,
        self::ours(methods, usize::from(size), &answers, false),
        "the memory of heads changes something"
    );
    for (one, other) in ours.iter().zip(&self::ours(methods, 0, &answers, true)) {
        // Whether junk is seen in time is a matter of how it arrives, and a body that is refused may have been given
        // in part.
        assert_eq!(one.error.is_some(), other.error.is_some(), "{one:?} {other:?}");
        assert!(
            one.error.is_some() || (&one.head, &one.body) == (&other.head, &other.body),
            "{one:?} {other:?}"
        );
        if one.error.is_some() || one.reusable != other.reusable {
            break;
        }
    }
    judge(methods, size > 0, &answers, &ours, &hypers(methods, usize::from(size), &answers));
});

fn split(mut stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut is_over = false;
    std::iter::from_fn(move || {
        if std::mem::replace(&mut is_over, true) {
            return None;
        }
        let Some(at) = stream.windows(NEXT.len()).position(|window| window == NEXT) else {
            return Some(stream);
        };
        let answer = &stream[..at];
        (stream, is_over) = (&stream[at + NEXT.len()..], false);
        Some(answer)
    })
}

fn method(methods: u8, number: usize) -> Method {
    match methods >> (number % 4 * 2) & 0b11 {
        0 | 1 => Method::GET,
        2 => Method::HEAD,
        _ => Method::POST,
    }
}

fn request<B>(methods: u8, number: usize, body: impl Fn(&'static [u8]) -> B) -> Request<B> {
    let method = method(methods, number);
    let data: &[u8] = if method == Method::POST { b"hello" } else { b"" };
    Request::builder().method(method).uri("/").header("host", "a").body(body(data)).expect("a request")
}

fn ours(methods: u8, size: usize, answers: &[&[u8]], remembers: bool) -> Vec<Answered> {
    let (socket, peer) = answering(answers.iter().map(|answer| segments(answer, size)));
    let requests = (0..answers.len()).map(|number| request(methods, number, Body::once)).collect();
    play(exchanges(socket, requests, remembers), &peer)
}

/// One chunk, in place.
struct Once(&'static [u8]);

impl http_body::Body for Once {
    type Data = bytes::Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<bytes::Bytes>, Self::Error>>> {
        let data = std::mem::take(&mut self.0);
        Poll::Ready((!data.is_empty()).then(|| Ok(http_body::Frame::data(bytes::Bytes::from_static(data)))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        http_body::SizeHint::with_exact(self.0.len() as u64)
    }
}

/// The same as [`Answered`], by hyper.
#[derive(Debug)]
struct AnsweredByHyper {
    head: Option<(http::StatusCode, http::Version, HeaderMap)>,
    body: Vec<u8>,
    trailers: Option<HeaderMap>,
    error: Option<String>,
}

fn hypers(methods: u8, size: usize, answers: &[&[u8]]) -> Vec<AnsweredByHyper> {
    let (socket, peer) = answering(answers.iter().map(|answer| segments(answer, size)));
    let count = answers.len();
    let all = async move {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(socket).await.expect("no I/O");
        let mut connection = Some(Box::pin(connection));
        let mut asking = pin!(async move {
            let mut all = Vec::new();
            for number in 0..count {
                if sender.ready().await.is_err() {
                    break;
                }
                let mut answered =
                    AnsweredByHyper { head: None, body: Vec::new(), trailers: None, error: None };
                let result = sender.send_request(request(methods, number, Once)).await;
                let failed = read(result, &mut answered).await;
                answered.error = failed.err().map(|error| match std::error::Error::source(&error) {
                    Some(source) => format!("{error}: {source}"),
                    None => error.to_string(),
                });
                let has_failed = answered.error.is_some();
                all.push(answered);
                if has_failed {
                    break;
                }
            }
            all
        });
        poll_fn(|cx| {
            let asked = asking.as_mut().poll(cx);
            if asked.is_pending()
                && let Some(open) = &mut connection
                && open.as_mut().poll(cx).is_ready()
            {
                // Who waits for it is told when it is dropped.
                connection = None;
            }
            asked
        })
        .await
    };
    play(all, &peer)
}

async fn read(
    result: hyper::Result<http::Response<hyper::body::Incoming>>,
    answered: &mut AnsweredByHyper,
) -> hyper::Result<()> {
    let (head, mut body) = result?.into_parts();
    answered.head = Some((head.status, head.version, head.headers));
    while let Some(frame) = poll_fn(|cx| http_body::Body::poll_frame(Pin::new(&mut body), cx)).await {
        match frame?.into_data() {
            Ok(data) => answered.body.extend_from_slice(&data),
            Err(frame) => answered.trailers = frame.into_trailers().ok(),
        }
    }
    Ok(())
}

/// Where we refuse and hyper does not: the word for the rule, the rule, and what there must be of it in hyper's
/// response or in what the endpoint sent.
type OursRow = (&'static str, &'static str, fn(&AnsweredByHyper, &[u8]) -> bool);

const OURS: &[OursRow] = &[
    ("bare_lf", "RFC 9112, 2.2: a line may end in LF alone; here it may not", |_, stream| has_bare_lf(stream)),
    ("bare_cr", "RFC 9112, 2.2: a bare CR is invalid", |_, stream| has_bare_cr(stream)),
    ("control_character", "RFC 9110, 5.5: control characters are dangerous", |_, stream| {
        stream.iter().any(|byte| byte.is_ascii_control() && !matches!(byte, b'\r' | b'\n'))
    }),
    ("not_http1", "RFC 9112, 2.2: blank lines may come before a request alone", |_, stream| {
        has_blank_lines(stream)
    }),
    ("bad_status_line", "the same, when a whole blank line has come", |_, stream| has_blank_lines(stream)),
    ("bad_content_length", "digits alone, no zero before the number, 63 bits", |theirs, stream| {
        has_interim(stream) || theirs.values("content-length").any(|length| !is_plain_number(length))
    }),
    ("content_length_differs", "one length", |theirs, stream| {
        let is_list = |length: &[u8]| length.contains(&b',');
        let several =
            theirs.values("content-length").count() > 1 || theirs.values("content-length").any(is_list);
        has_interim(stream) || several
    }),
    ("bad_transfer_encoding", "exactly chunked, since nothing else was asked for", |theirs, stream| {
        let is_chunked = |coding: &[u8]| coding.eq_ignore_ascii_case(b"chunked");
        let is_other = theirs.values("transfer-encoding").any(|coding| !is_chunked(coding));
        has_interim(stream) || is_other || theirs.values("transfer-encoding").count() > 1
    }),
    ("content_length_with_transfer_encoding", "RFC 9112, 6.3: an attack", |theirs, stream| {
        has_interim(stream) || theirs.is_coded() && theirs.values("content-length").count() > 0
    }),
    (
        "transfer_encoding_in_http_1_0",
        "RFC 9112, 6.1: HTTP/1.0 knows no Transfer-Encoding",
        |theirs, stream| has_interim(stream) || theirs.is_coded(),
    ),
    ("switching_in_http_1_0", "RFC 9110, 7.8: HTTP/1.0 knows no 101", |_, stream| {
        contains(stream, b"HTTP/1.0 101")
    }),
    ("bad_chunk_size", "63 bits", |theirs, _| theirs.is_coded()),
    ("chunk_line_too_long", "16 digits, 1 KiB", |theirs, _| theirs.is_coded()),
    ("bad_chunk_extension", "text", |theirs, _| theirs.is_coded()),
    ("closed", "32 interim responses at most", |_, stream| has_interim(stream)),
];

/// Where hyper refuses and we do not: what hyper says, the rule, and what there must be of it in what the endpoint sent.
type HypersRow = (&'static str, &'static str, fn(&[u8]) -> bool);

const HYPERS: &[HypersRow] = &[
    ("invalid HTTP version parsed", "RFC 9110, 2.5: a later minor version is processed as 1.1", |stream| {
        (b'2'..=b'9').any(|minor| contains(stream, &[b"HTTP/1.", &[minor][..]].concat()))
    }),
    ("message head is too large", "hyper takes 100 fields, we take 256", |stream| stream.len() > 300),
    ("chunk trailers count overflow", "hyper takes 100 trailers, we take 256", |stream| stream.len() > 300),
    ("chunk trailers bytes over limit", "the last byte of 16 KiB", |stream| stream.len() > 16 << 10),
    ("chunk extensions over limit", "the last byte of 16 KiB", |stream| stream.len() > 16 << 10),
];

impl AnsweredByHyper {
    fn values<'a>(&'a self, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
        let headers = self.head.iter().map(|(_, _, headers)| headers);
        headers.flat_map(move |headers| headers.get_all(name)).map(|value| value.as_bytes())
    }

    fn is_coded(&self) -> bool {
        self.values("transfer-encoding").count() > 0
    }
}

/// Compares what both got, up to the first thing that one of them refuses.
fn judge(methods: u8, in_pieces: bool, answers: &[&[u8]], ours: &[Answered], theirs: &[AnsweredByHyper]) {
    for (number, our) in ours.iter().enumerate() {
        let answer = answers[number];
        let Some(their) = theirs.get(number) else {
            // What follows a response may be seen by one of the two alone when it comes in another piece.
            assert!(
                in_pieces || our.error.is_some(),
                "hyper does not use its connection again for request {number}"
            );
            return;
        };
        let method = method(methods, number);
        match (our.error, &their.error) {
            (None, None) => {}
            (Some(_), Some(_)) => return,
            (Some(reason), None) => {
                let explained = OURS.iter().any(|(of, _, holds)| *of == reason && holds(their, answer));
                assert!(explained, "{reason} in the response to request {number}, {method}: {their:?}");
                return;
            }
            (None, Some(error)) => {
                let explained = HYPERS.iter().any(|(says, _, holds)| error.contains(says) && holds(answer));
                assert!(
                    explained,
                    "hyper refused the response to request {number}, {method}: {error}, {our:?}"
                );
                return;
            }
        }
        let (our_head, their_head) = (our.head.as_ref().expect("a head"), their.head.as_ref().expect("a head"));
        assert_eq!((our_head.0, our_head.1), (their_head.0, their_head.1));
        assert_eq!(fields(&our_head.2), fields(&their_head.2), "other fields");
        assert_eq!(our.body, their.body, "another body");
        assert_eq!(trailers(our.trailers.as_ref()), trailers(their.trailers.as_ref()), "other trailers");
        if !our.reusable {
            return;
        }
    }
}

/// Fields without those that are the connection's.
fn fields(headers: &HeaderMap) -> Vec<(String, http::HeaderValue)> {
    let fields =
        headers.iter().filter(|(name, _)| !matches!(name.as_str(), "transfer-encoding" | "connection"));
    let mut fields: Vec<_> = fields.map(|(name, value)| (name.to_string(), value.clone())).collect();
    // The order of fields of one name stays.
    fields.sort_by(|(left, _), (right, _)| left.cmp(right));
    fields
}

/// Trailers without those that frame or route, which are dropped.
fn trailers(trailers: Option<&HeaderMap>) -> Vec<(String, http::HeaderValue)> {
    let mut fields = trailers.map(fields).unwrap_or_default();
    fields
        .retain(|(name, _)| !matches!(name.as_str(), "content-length" | "host" | "te" | "expect" | "upgrade"));
    fields
}

fn is_plain_number(value: &[u8]) -> bool {
    let is_padded = value.starts_with(b"0") && value.len() > 1;
    !value.is_empty() && value.iter().all(u8::is_ascii_digit) && !is_padded && value.len() <= 18
}

/// Whether there is an interim response, whose lengths hyper does not look at.
fn has_interim(stream: &[u8]) -> bool {
    stream.windows(10).any(|window| window.starts_with(b"HTTP/1.") && window.ends_with(b" 1"))
}

/// Whether a blank line stands before a head, an interim one perhaps.
fn has_blank_lines(stream: &[u8]) -> bool {
    let starts = stream.starts_with(b"\r") || stream.starts_with(b"\n");
    starts
        || [&b"\n\r\n\r\n"[..], b"\n\r\n\n", b"\n\n\r\n", b"\n\n\n"].iter().any(|lines| contains(stream, lines))
}

fn has_bare_lf(stream: &[u8]) -> bool {
    stream.iter().enumerate().any(|(at, byte)| *byte == b'\n' && (at == 0 || stream[at - 1] != b'\r'))
}

fn has_bare_cr(stream: &[u8]) -> bool {
    stream.iter().enumerate().any(|(at, byte)| *byte == b'\r' && stream.get(at + 1) != Some(&b'\n'))
}

fn contains(stream: &[u8], part: &[u8]) -> bool {
    stream.windows(part.len()).any(|window| window == part)
}
