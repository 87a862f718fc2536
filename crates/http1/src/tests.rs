//! Messages come out the same however their bytes come in.

use bytes::BytesMut;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use proptest::prelude::*;

use super::*;

mod bodies;
mod pieces;
mod refusals;
mod requests;
mod response_memory;
mod response_refusals;
mod responses;

/// One message as it was read.
#[derive(Debug, PartialEq)]
struct Read {
    head: RequestHead,
    request: (http::Method, http::Uri, http::Version, HeaderMap),
    body: Vec<u8>,
    trailers: Option<HeaderMap>,
    whole: bool,
}

/// Reads the messages in bytes that come in these pieces, and says why it stopped.
fn read_all<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, remember: bool) -> (Vec<Read>, Option<Violation>) {
    let mut reader = RequestReader::new(Rules::default()).remember_heads(remember);
    let (mut received, mut messages, mut body) = (BytesMut::new(), Vec::<Read>::new(), None::<BodyReader>);
    for piece in pieces {
        received.extend_from_slice(piece);
        loop {
            if let Some(reading) = &mut body {
                let last = messages.last_mut().expect("a body follows a head");
                match reading.next(&mut received, reader.rules()) {
                    Err(violation) => return (messages, Some(violation)),
                    Ok(Piece::More(_)) => break,
                    Ok(Piece::Data(data)) => {
                        assert!(!data.is_empty());
                        last.body.extend_from_slice(&data);
                    }
                    Ok(Piece::Trailers(trailers)) => last.trailers = Some(trailers),
                    Ok(Piece::End) => assert!(reading.is_ended()),
                }
                if !reading.is_ended() {
                    continue;
                }
                last.whole = true;
                body = None;
            }
            let (head, request) = match reader.read::<()>(&mut received) {
                Ok(Some(found)) => found,
                Ok(None) => break,
                Err(refusal) => return (messages, Some(refusal.violation())),
            };
            body = Some(BodyReader::new(head.body));
            let (parts, ()) = request.into_parts();
            let request = (parts.method, parts.uri, parts.version, parts.headers);
            messages.push(Read { head, request, body: Vec::new(), trailers: None, whole: false });
        }
    }
    (messages, None)
}

fn read(head: &str) -> RequestHead {
    let mut reader = RequestReader::new(Rules::default());
    let read: Option<(_, Request<()>)> = reader.read(&mut BytesMut::from(head)).expect("sound");
    read.expect("whole").0
}

/// Cuts bytes at these distances, over and over.
fn pieces<'a>(bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let (mut pieces, mut rest) = (Vec::new(), bytes);
    let mut cuts = cuts.iter().cycle();
    while !rest.is_empty() {
        let (piece, later) = rest.split_at((*cuts.next().expect("endless")).min(rest.len()));
        pieces.push(piece);
        rest = later;
    }
    pieces
}

/// Any valid message.
pub(crate) fn message() -> impl Strategy<Value = Vec<u8>> {
    let name = "x-[a-zA-Z0-9-]{1,12}";
    let value = "[ -~\t]{0,24}";
    let fields = prop::collection::vec((name, value), 0..6);
    let chunks = prop::collection::vec(
        (prop::collection::vec(any::<u8>(), 1..40), "(;[a-z]{1,5}(=[a-z]{1,5})?)?"),
        0..5,
    );
    let body = prop_oneof![
        Just(None),
        prop::collection::vec(any::<u8>(), 0..80).prop_map(|body| Some((body, None))),
        (chunks, prop::collection::vec(("x-[a-z]{1,8}", "[a-z ]{0,9}"), 0..3))
            .prop_map(|(chunks, trailers)| Some((Vec::new(), Some((chunks, trailers))))),
    ];
    let method = prop_oneof![Just("GET"), Just("POST"), Just("PURGE"), Just("m-search")];
    (method, "/[a-z0-9/%?=&.{}\\[\\]|~-]{0,30}", fields, body, any::<bool>()).prop_map(
        |(method, target, fields, body, blank)| {
            let mut bytes = Vec::new();
            if blank {
                bytes.extend(b"\r\n");
            }
            bytes.extend(format!("{method} {target} HTTP/1.1\r\nhost: a.example\r\n").into_bytes());
            for (name, value) in fields {
                bytes.extend(format!("{name}:{value}\r\n").into_bytes());
            }
            match body {
                None => bytes.extend(b"\r\n"),
                Some((body, None)) => {
                    bytes.extend(format!("content-length: {}\r\n\r\n", body.len()).into_bytes());
                    bytes.extend(body);
                }
                Some((_, Some((chunks, trailers)))) => {
                    bytes.extend(b"transfer-encoding: chunked\r\n\r\n");
                    for (chunk, extension) in chunks {
                        bytes.extend(format!("{:x}{extension}\r\n", chunk.len()).into_bytes());
                        bytes.extend(chunk);
                        bytes.extend(b"\r\n");
                    }
                    bytes.extend(b"0\r\n");
                    for (name, value) in trailers {
                        bytes.extend(format!("{name}: {value}\r\n").into_bytes());
                    }
                    bytes.extend(b"\r\n");
                }
            }
            bytes
        },
    )
}

fn header_map<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in fields {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
        map.append(name, HeaderValue::from_str(value).expect("a value"));
    }
    map
}

proptest! {
    #[test]
    fn valid_messages_are_the_same_however_they_are_split(
        messages in prop::collection::vec(message(), 1..5),
        cuts in prop::collection::vec(1..60_usize, 1..30),
        remember in any::<bool>(),
    ) {
        let stream = messages.concat();
        let (at_once, violation) = read_all([&stream[..]], false);
        prop_assert_eq!(violation, None);
        prop_assert_eq!(at_once.len(), messages.len());
        prop_assert!(at_once.iter().all(|message| message.whole));
        let (in_pieces, violation) = read_all(pieces(&stream, &cuts), remember);
        prop_assert_eq!(violation, None);
        prop_assert_eq!(in_pieces, at_once);
    }

    #[test]
    fn neither_a_split_nor_the_memory_of_heads_changes_the_verdict(
        messages in prop::collection::vec(message(), 1..4),
        again in any::<bool>(),
        at in any::<prop::sample::Index>(),
        byte in prop_oneof![Just(b'\n'), Just(b'\r'), Just(0), Just(b' '), Just(b':'), Just(b';'), any::<u8>()],
        insert in any::<bool>(),
    ) {
        let messages = if again { vec![messages[0].clone(); 4] } else { messages };
        let mut stream = messages.concat();
        let at = at.index(stream.len());
        if insert { stream.insert(at, byte) } else { stream[at] = byte }
        let (whole, at_once) = read_all([&stream[..]], false);
        for (read, verdict) in [
            read_all(stream.chunks(1), false),
            read_all([&stream[..]], true),
            read_all(stream.chunks(1), true),
        ] {
            prop_assert_eq!(verdict, at_once);
            prop_assert_eq!(read.len(), whole.len());
            for (read, whole) in read.iter().zip(&whole) {
                prop_assert_eq!((&read.head, &read.request, read.whole), (&whole.head, &whole.request, whole.whole));
                if whole.whole || at_once.is_none() {
                    prop_assert_eq!((&read.body, &read.trailers), (&whole.body, &whole.trailers));
                } else {
                    // How much of a broken body has come out may differ, but never its bytes.
                    prop_assert!(read.body.starts_with(&whole.body) || whole.body.starts_with(&read.body));
                }
            }
        }
    }

    #[test]
    fn nothing_makes_it_panic(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..50), 0..20)) {
        read_all(pieces.iter().map(|piece| &piece[..]), true);
    }
}

#[test]
fn a_head_is_scanned_once_however_slowly_it_comes() {
    // Quadratic work on a head of this size would take minutes.
    let head = [b"GET / HTTP/1.1\r\nhost: a\r\nx: ".as_slice(), &vec![b'a'; 60_000], b"\r\n\r\n"].concat();
    let (read, violation) = read_all(head.chunks(1), true);
    assert_eq!((read.len(), violation), (1, None));
}

#[test]
fn framing_fields_in_trailers_are_refused_from_clients_and_dropped_from_endpoints() {
    let section = b"0\r\ncontent-length: 5\r\nhost: a\r\nx-sum: 1\r\n\r\n";
    let next =
        |rules: &Rules| BodyReader::new(BodyLength::Chunked).next(&mut BytesMut::from(&section[..]), rules);
    assert_eq!(next(&Rules::default()), Err(Violation::TRAILER));
    let Ok(Piece::Trailers(trailers)) = next(&Rules::for_responses()) else { panic!("there are trailers") };
    assert_eq!((trailers.len(), &trailers["x-sum"]), (1, &http::HeaderValue::from_static("1")));
}

#[test]
fn chunks_of_one_byte_come_out_together() {
    let stream = [&b"1\r\nx\r\n".repeat(1000)[..], b"0\r\n\r\nGET"].concat();
    let mut received = BytesMut::from(&stream[..]);
    let mut body = BodyReader::new(BodyLength::Chunked);
    assert_eq!(body.next(&mut received, &Rules::default()), Ok(Piece::Data(vec![b'x'; 1000].into())));
    assert!(body.is_ended(), "the end came with the data");
    assert_eq!(received, "GET");
}

#[test]
fn an_upgrade_is_asked_for_by_a_websocket_handshake_alone() {
    let ask = |fields: &str| {
        let head = format!("GET / HTTP/1.1\r\nhost: a\r\n{fields}\r\n");
        read(&head).upgrade
    };
    assert_eq!(ask("connection: keep-alive, Upgrade\r\nupgrade: WebSocket\r\n"), Some(Upgrade::WebSocket));
    for ignored in [
        "upgrade: websocket\r\n",
        "connection: upgrade\r\nupgrade: h2c\r\nhttp2-settings: AA\r\n",
        "connection: upgrade\r\nupgrade: websocket, h2c\r\n",
        "connection: upgrade\r\nupgrade: websocket\r\nupgrade: websocket\r\n",
        "connection: upgrade\r\nupgrade: TLS/1.0\r\n",
    ] {
        assert_eq!(ask(ignored), Some(Upgrade::Ignored), "{ignored}");
    }
    assert_eq!(ask("connection: upgrade\r\n"), None);
}

#[test]
fn a_connection_persists_as_its_version_and_its_options_say() {
    let persists = |version: &str, fields: &str| {
        let head = format!("GET / HTTP/{version}\r\nhost: a\r\n{fields}\r\n");
        read(&head).persistent
    };
    assert!(persists("1.1", ""));
    assert!(persists("1.1", "connection: keep-alive, x\r\n"));
    assert!(!persists("1.1", "connection: x, Close\r\n"));
    assert!(!persists("1.0", ""));
    assert!(persists("1.0", "connection: Keep-Alive\r\n"));
    assert!(!persists("1.0", "connection: keep-alive\r\nconnection: close\r\n"));
}
