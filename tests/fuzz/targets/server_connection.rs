//! Whole connections of the server, short way and long, with hyper's server beside them. Where both accept, they see the
//! same requests and send the same responses. Where one of them refuses, [`OURS`] or [`HYPERS`] says why.

#![no_main]

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use connections::{
    responses,
    service::{Answer, Requests, Seen},
    socket::{pair, play, segments},
};
use gatewright::{
    core::Body,
    server::fuzzing::{Connected, connection},
};
use http::{Request, Response, Version, header};
use libfuzzer_sys::fuzz_target;
use tower_service::Service;

fuzz_target!(|input: (u8, &[u8])| {
    let (size, stream) = input;
    let ours = serve(stream, usize::from(size), true);
    let long_way = serve(stream, usize::from(size), false);
    assert_eq!(ours.how, long_way.how, "the memory of the last head changes something");
    assert_eq!(ours.requests.len(), long_way.requests.len());
    for (short, long) in ours.requests.iter().zip(&long_way.requests) {
        compare(short, long);
        assert_eq!(short.body, long.body, "the memory of the last head changes something");
    }
    let at_once = serve(stream, 0, true);
    assert_eq!(ours.how.refused.is_some(), at_once.how.refused.is_some(), "{:?} {:?}", ours.how, at_once.how);
    assert_eq!(ours.requests.len(), at_once.requests.len(), "how it arrives makes a difference");
    let theirs = serve_by_hyper(stream, usize::from(size));
    judge(stream, &ours, &theirs);
});

/// What became of a connection.
struct Served {
    requests: Vec<Seen>,
    sent: Vec<u8>,
    how: Connected,
}

#[derive(Clone)]
struct Recording(Requests);

impl Service<Request<Body>> for Recording {
    type Response = Response<Answer>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Answer>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.0.clone().answer(request))
    }
}

fn serve(stream: &[u8], size: usize, remembers: bool) -> Served {
    let (socket, peer) = pair(segments(stream, size));
    let requests = Requests::default();
    let how = play(connection(socket, Recording(requests.clone()), remembers), &peer);
    Served { requests: requests.take(), sent: peer.received(), how }
}

/// The same by hyper.
struct ServedByHyper {
    requests: Vec<Seen>,
    sent: Vec<u8>,
    error: Option<String>,
}

fn serve_by_hyper(stream: &[u8], size: usize) -> ServedByHyper {
    let (socket, peer) = pair(segments(stream, size));
    let requests = Requests::default();
    let noted = requests.clone();
    let service = hyper::service::service_fn(move |request| noted.clone().answer(request));
    let result = play(hyper::server::conn::http1::Builder::new().serve_connection(socket, service), &peer);
    let error = result.err().map(|error| match std::error::Error::source(&error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    });
    ServedByHyper { requests: requests.take(), sent: peer.received(), error }
}

/// Where we refuse and hyper does not: the word for the rule, the rule, and what there must be of it in hyper's request
/// or in the stream.
type OursRow = (&'static str, &'static str, fn(&Seen, &[u8]) -> bool);

const OURS: &[OursRow] = &[
    ("bare_lf", "RFC 9112, 2.2: a line may end in LF alone; here it may not", |theirs, stream| {
        // The CR before it may be the last byte of a body.
        has_bare_lf(stream) || contains(stream, &[b"\n", theirs.method.as_str().as_bytes()].concat())
    }),
    ("bare_cr", "RFC 9112, 2.2: a bare CR is invalid", |_, stream| has_bare_cr(stream)),
    ("control_character", "RFC 9110, 5.5: control characters are dangerous", |_, stream| {
        stream.iter().any(|byte| byte.is_ascii_control() && !matches!(byte, b'\r' | b'\n'))
    }),
    ("bad_request_line", "RFC 9112, 2.2: one blank line before a request at most", |theirs, stream| {
        let after = |lines: &[u8]| [lines, theirs.method.as_str().as_bytes(), b" "].concat();
        [&b"\r\n\r\n"[..], b"\n\r\n", b"\r\n\n", b"\n\n"].iter().any(|lines| contains(stream, &after(lines)))
    }),
    ("bad_method", "no method is so long", |theirs, _| theirs.method.as_str().len() > 64),
    ("bad_target", "RFC 9112, 3.2: the form or a character of the target", |theirs, _| {
        !is_plain_target(theirs)
    }),
    ("fragment_in_target", "RFC 9112, 3.2: a target has no fragment; the http crate cuts it", |_, stream| {
        stream.contains(&b'#')
    }),
    ("connect", "a gateway is no tunnel", |theirs, _| theirs.method == "CONNECT"),
    ("bad_field_name", "a name is a token, and not too long", |theirs, _| has_odd_name(theirs)),
    ("field_name_alias", "it reads like a field that frames the message", |theirs, _| has_odd_name(theirs)),
    ("host_missing", "RFC 9112, 3.2: a host is needed", |theirs, _| !theirs.headers.contains_key("host")),
    ("host_duplicate", "RFC 9112, 3.2: one host only", |theirs, _| count(theirs, "host") > 1),
    ("host_malformed", "RFC 9112, 3.2: a host that is none", |theirs, _| !has_plain_host(theirs)),
    ("host_mismatch", "the target's authority is another one than the host", |theirs, _| {
        let host = theirs.headers.get("host").map(|host| host.as_bytes().to_ascii_lowercase());
        theirs.uri.authority().map(|authority| authority.as_str().to_ascii_lowercase().into_bytes()) != host
    }),
    ("bad_content_length", "no zero before the number, 63 bits", |theirs, stream| {
        let length = theirs.headers.get("content-length").map_or(&b""[..], |length| length.as_bytes());
        length.starts_with(b"0") && length != b"0"
            || length.len() > 18
            || occurs(stream, b"transfer-encoding") > 0
    }),
    ("content_length_duplicate", "RFC 9112, 6.3: not even with the same value", |_, stream| {
        occurs(stream, b"content-length") > 1
    }),
    ("content_length_with_transfer_encoding", "RFC 9112, 6.1: an attack", |theirs, stream| {
        count(theirs, "transfer-encoding") > 0 && occurs(stream, b"content-length") > 0
    }),
    ("bad_transfer_encoding", "exactly chunked, since nothing else is decoded", |theirs, _| {
        let mut codings = theirs.headers.get_all("transfer-encoding").iter();
        codings.any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"chunked"))
    }),
    ("transfer_encoding_duplicate", "one coding only", |theirs, _| count(theirs, "transfer-encoding") > 1),
    ("expectation", "RFC 9110, 10.1.1: only 100-continue may be expected", |theirs, _| {
        let mut expectations = theirs.headers.get_all("expect").iter();
        expectations.any(|expectation| !expectation.as_bytes().eq_ignore_ascii_case(b"100-continue"))
    }),
    ("target_too_long", "8 KiB", |_, stream| stream.len() > 8 << 10),
    ("head_too_large", "64 KiB", |_, stream| stream.len() > 64 << 10),
    ("bad_chunk_size", "no white space around the size, 63 bits", |theirs, _| is_chunked(theirs)),
    ("chunk_line_too_long", "16 digits, 1 KiB", |theirs, _| is_chunked(theirs)),
    ("bad_chunk_extension", "RFC 9112, 7.1.1: an extension that is none", |theirs, stream| {
        is_chunked(theirs) && stream.contains(&b';')
    }),
    ("chunk_extensions_too_long", "16 KiB", |theirs, stream| is_chunked(theirs) && stream.len() > 16 << 10),
    ("bad_trailer", "RFC 9110, 6.5.1: a field that may not come after the body", |theirs, _| {
        theirs.trailers.as_ref().is_some_and(|trailers| !trailers.is_empty())
    }),
];

/// Where hyper refuses and we do not: what hyper says, the rule, and what there must be of it in our request.
type HypersRow = (&'static str, &'static str, fn(&Seen, &[u8]) -> bool);

const HYPERS: &[HypersRow] = &[
    ("invalid HTTP version parsed", "RFC 9110, 2.5: a later minor version is processed as 1.1", |_, stream| {
        (b'2'..=b'9').any(|minor| contains(stream, &[b"HTTP/1.", &[minor][..]].concat()))
    }),
    ("chunk trailers bytes over limit", "the last byte of 16 KiB", |_, stream| stream.len() > 16 << 10),
    ("chunk extensions over limit", "the last byte of 16 KiB", |_, stream| stream.len() > 16 << 10),
];

/// Compares what both saw and sent, up to the first thing that one of them refuses.
fn judge(stream: &[u8], ours: &Served, theirs: &ServedByHyper) {
    let mut number = 0;
    let agreed = loop {
        match (ours.requests.get(number), theirs.requests.get(number)) {
            (Some(our), Some(their)) => {
                compare(our, their);
                match (our.is_whole, their.is_whole) {
                    (true, true) => {
                        assert_eq!(our.body, their.body, "another body of request {number}");
                        assert_eq!(our.trailers, their.trailers, "other trailers of request {number}");
                    }
                    (true, false) => break explain_theirs(stream, our, theirs, number),
                    (false, true) => break explain_ours(stream, ours, their, number),
                    (false, false) => break number,
                }
            }
            (None, Some(their)) => break explain_ours(stream, ours, their, number),
            (Some(our), None) => break explain_theirs(stream, our, theirs, number),
            (None, None) => break number,
        }
        number += 1;
    };
    let our_responses = read(&ours.sent, &ours.requests, agreed);
    let their_responses = read(&theirs.sent, &theirs.requests, agreed);
    assert_eq!(our_responses.len(), agreed, "a response is missing");
    for (number, (our, their)) in our_responses.iter().zip(&their_responses).enumerate() {
        // Whether another one follows is found above.
        let (our, their) = (responses::Response { closes: their.closes, ..our.clone() }, their);
        assert_eq!(&our, their, "another response to request {number}");
    }
    assert_eq!(their_responses.len(), agreed, "one of hyper's is missing");
}

fn read(sent: &[u8], requests: &[Seen], agreed: usize) -> Vec<responses::Response> {
    let is_head = |number: usize| requests.get(number).is_some_and(|seen| seen.method == "HEAD");
    let mut responses = responses::read(sent, is_head);
    responses.truncate(agreed);
    responses
}

fn explain_ours(stream: &[u8], ours: &Served, their: &Seen, number: usize) -> usize {
    let Some(refused) = ours.how.refused else {
        if closes_by_what_hyper_cannot_read(&ours.requests, number) {
            return number;
        }
        panic!("hyper saw request {number}, we did not: {:?}\n{their:?}", ours.how)
    };
    let explained = OURS.iter().any(|(reason, _, holds)| *reason == refused && holds(their, stream));
    assert!(explained, "{refused} at request {number} is not explained by {their:?}");
    number
}

fn explain_theirs(stream: &[u8], our: &Seen, theirs: &ServedByHyper, number: usize) -> usize {
    let error = theirs.error.as_deref().unwrap_or_default();
    let explained = HYPERS.iter().any(|(says, _, holds)| error.contains(says) && holds(our, stream));
    assert!(explained, "hyper refused request {number}: {error:?}, we did not: {our:?}");
    number
}

/// hyper reads no `Connection` that holds other bytes than ASCII.
fn closes_by_what_hyper_cannot_read(requests: &[Seen], number: usize) -> bool {
    let last = number.checked_sub(1).and_then(|last| requests.get(last));
    last.is_some_and(|seen| seen.headers.get_all("connection").iter().any(|value| value.to_str().is_err()))
}

/// Compares heads. Fields of an upgrade that is not taken are removed here.
fn compare(our: &Seen, their: &Seen) {
    assert_eq!((&our.method, &our.uri, our.version), (&their.method, &their.uri, their.version));
    let fields = |seen: &Seen| {
        let fields =
            seen.headers.iter().filter(|(name, _)| !matches!(name.as_str(), "upgrade" | "http2-settings"));
        let mut fields: Vec<_> = fields.map(|(name, value)| (name.to_string(), value.clone())).collect();
        // The order of fields of one name stays.
        fields.sort_by(|(left, _), (right, _)| left.cmp(right));
        fields
    };
    assert_eq!(fields(our), fields(their), "other fields of {} {}", our.method, our.uri);
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

fn occurs(stream: &[u8], name: &[u8]) -> usize {
    stream.windows(name.len()).filter(|window| window.eq_ignore_ascii_case(name)).count()
}

fn count(seen: &Seen, name: &str) -> usize {
    seen.headers.get_all(name).iter().count()
}

fn is_chunked(seen: &Seen) -> bool {
    seen.version == Version::HTTP_11 && seen.headers.contains_key(header::TRANSFER_ENCODING)
}

fn has_odd_name(seen: &Seen) -> bool {
    let trailers = seen.trailers.iter().flat_map(|trailers| trailers.keys());
    seen.headers
        .keys()
        .chain(trailers)
        .any(|name| !name.as_str().bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'))
}

/// Whether a target is a path, or the whole of an http or https URI, in characters that are allowed.
fn is_plain_target(seen: &Seen) -> bool {
    let text = seen.uri.to_string();
    let is_allowed = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'<' | b'>' | b'`');
    let plain_authority = match (seen.uri.scheme_str(), seen.uri.authority()) {
        (None, None) => text.starts_with('/') || text == "*" && seen.method == "OPTIONS",
        (Some("http" | "https"), Some(authority)) => is_plain_authority(authority.as_str().as_bytes()),
        _ => false,
    };
    text.bytes().all(is_allowed) && plain_authority
}

fn has_plain_host(seen: &Seen) -> bool {
    let host = seen.headers.get("host").map_or(&b""[..], |host| host.as_bytes());
    is_plain_authority(host)
}

/// A name in labels, or an address in brackets that needs a closer look, with a port or without.
fn is_plain_authority(authority: &[u8]) -> bool {
    if authority.starts_with(b"[") {
        return false;
    }
    let (name, port) = match authority.iter().position(|byte| *byte == b':') {
        Some(at) => (&authority[..at], &authority[at + 1..]),
        None => (authority, &b""[..]),
    };
    let name = name.strip_suffix(b".").unwrap_or(name);
    let is_label = |label: &[u8]| {
        !label.is_empty()
            && label.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let is_port = port.is_empty()
        || std::str::from_utf8(port).is_ok_and(|port| {
            port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok()
        });
    name.len() < 255 && name.split(|byte| *byte == b'.').all(is_label) && is_port
}
