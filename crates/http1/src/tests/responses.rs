//! Responses, against a plain account of what was written.

use std::cell::Cell;

use http::{StatusCode, Version};

use super::*;

/// A kind of response that an endpoint sends over and over.
#[derive(Debug, Clone)]
struct Shape {
    minor: u8,
    reason: &'static str,
    names: Vec<&'static str>,
    connection: Option<&'static str>,
    framing: Framed,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Framed {
    Length(&'static str),
    Chunked,
    /// By the end of the connection, so that it is the last one.
    Close,
}

/// What differs from one response of a kind to the next.
#[derive(Debug, Clone)]
struct Filling {
    shape: prop::sample::Index,
    status: u16,
    to_head: bool,
    values: Vec<(&'static str, String, &'static str)>,
    chunks: Vec<Vec<u8>>,
    trailers: Vec<(&'static str, &'static str)>,
}

/// What is to be read.
#[derive(Debug, PartialEq)]
struct Expected {
    status: StatusCode,
    version: Version,
    headers: HeaderMap,
    length: Option<u64>,
    chunked: bool,
    persistent: bool,
    body_length: BodyLength,
    body: Vec<u8>,
    trailers: Option<HeaderMap>,
}

fn shape() -> impl Strategy<Value = Shape> {
    let names = prop::collection::vec(
        prop::sample::select(vec![
            "x-a",
            "X-B",
            "date",
            "Content-Type",
            "vary",
            "set-cookie",
            "x_under",
            "te",
            "host",
            "upgrade",
            "x!#$.~",
        ]),
        0..7,
    );
    let connection = prop::sample::select(vec![
        None,
        None,
        None,
        Some("keep-alive"),
        Some("Close"),
        Some("keep-alive, x"),
        Some("x ,close"),
        Some("x"),
    ]);
    let framing = prop::sample::select(vec![
        Framed::Length("content-length"),
        Framed::Length("Content-Length"),
        Framed::Chunked,
        Framed::Chunked,
        Framed::Close,
    ]);
    let reason = prop::sample::select(vec![" OK", " ", "", " a reason\tof\u{e9}"]);
    (prop::sample::select(vec![0_u8, 1, 1, 1, 1, 9]), reason, names, connection, framing).prop_map(
        |(minor, reason, names, connection, framing)| {
            // HTTP/1.0 knows no chunks.
            let framing = if minor == 0 && framing == Framed::Chunked { Framed::Close } else { framing };
            Shape { minor, reason, names, connection, framing }
        },
    )
}

fn filling() -> impl Strategy<Value = Filling> {
    let value = (
        prop::sample::select(vec![" ", "", "\t ", "  "]),
        "([!-~]([ -~\t]{0,8}[!-~])?)?",
        prop::sample::select(vec!["", " ", "\t"]),
    );
    let chunk = prop_oneof![
        prop::collection::vec(any::<u8>(), 1..20),
        prop::collection::vec(any::<u8>(), 1..20),
        prop::collection::vec(any::<u8>(), 500..600),
        prop::sample::select(vec![b"1\r\nx\r\n".to_vec(), b"0\r\n\r\n".to_vec(), b"\r\n".to_vec()]),
    ];
    let trailer = prop::sample::select(vec![
        ("x-sum", "1"),
        ("X-Sum", "two "),
        ("content-length", "5"),
        ("te", "x"),
        ("host", "a"),
    ]);
    (
        any::<prop::sample::Index>(),
        prop::sample::select(vec![200_u16, 200, 200, 404, 204, 304, 100, 103, 500, 599]),
        prop::bool::weighted(0.1),
        prop::collection::vec(value, 7),
        prop::collection::vec(chunk, 0..8),
        prop::collection::vec(trailer, 0..3),
    )
        .prop_map(|(shape, status, to_head, values, chunks, trailers)| Filling {
            shape,
            status,
            to_head,
            values,
            chunks,
            trailers,
        })
}

/// Writes a response as plainly as can be, and says what it is to be read as.
fn write(shape: &Shape, filling: &Filling) -> (Vec<u8>, Expected) {
    let status = StatusCode::from_u16(filling.status).expect("a status");
    let data = filling.chunks.concat();
    let has_body = !(filling.to_head || status.is_informational() || matches!(filling.status, 204 | 304));
    let mut head = format!("HTTP/1.{} {}{}\r\n", shape.minor, filling.status, shape.reason);
    let mut fields = Vec::new();
    for (place, (name, (before, value, after))) in shape.names.iter().zip(&filling.values).enumerate() {
        head += &format!("{name}:{before}{value}{after}\r\n");
        fields.push((*name, value.as_str()));
        if place == 2
            && let Some(options) = shape.connection
        {
            head += &format!("Connection: {options}\r\n");
            fields.push(("connection", options));
        }
    }
    let connection = shape.connection.filter(|_| shape.names.len() > 2).unwrap_or_default();
    let options: Vec<_> = connection.split(',').map(|option| option.trim().to_ascii_lowercase()).collect();
    let has = |option: &str| options.iter().any(|given| given == option);
    if options.len() == 1 && (has("keep-alive") || has("close")) {
        fields.retain(|(name, _)| *name != "connection");
    }
    let length = data.len().to_string();
    match shape.framing {
        Framed::Length(name) => {
            head += &format!("{name}: {length}\r\n");
            fields.push((name, &length));
        }
        Framed::Chunked => head += "transfer-encoding: Chunked\r\n",
        Framed::Close => {}
    }
    head += "\r\n";
    let mut bytes: Vec<u8> = head.into_bytes();
    let body_length = match shape.framing {
        _ if !has_body => BodyLength::None,
        Framed::Length(_) if data.is_empty() => BodyLength::None,
        Framed::Length(_) => BodyLength::Known(data.len() as u64),
        Framed::Chunked => BodyLength::Chunked,
        Framed::Close => BodyLength::UntilClose,
    };
    let mut trailers = None;
    if has_body && shape.framing == Framed::Chunked {
        for chunk in &filling.chunks {
            bytes.extend([format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat());
        }
        bytes.extend(b"0\r\n");
        for (name, value) in &filling.trailers {
            bytes.extend(format!("{name}: {value}\r\n").into_bytes());
        }
        bytes.extend(b"\r\n");
        let forwarded = filling.trailers.iter().filter(|(name, _)| !matches!(*name, "content-length" | "host"));
        trailers = Some(header_map(forwarded.map(|(name, value)| (*name, value.trim()))))
            .filter(|map| !map.is_empty());
    } else if has_body {
        bytes.extend(&data);
    }
    let expected = Expected {
        status,
        version: if shape.minor == 0 { Version::HTTP_10 } else { Version::HTTP_11 },
        headers: header_map(fields),
        length: matches!(shape.framing, Framed::Length(_)).then_some(data.len() as u64),
        chunked: shape.framing == Framed::Chunked,
        persistent: if shape.minor == 0 { has("keep-alive") && !has("close") } else { !has("close") },
        body_length,
        body: if has_body { data } else { Vec::new() },
        trailers,
    };
    (bytes, expected)
}

/// Reads a body, of which these pieces come, and holds what the reader says of it to what it has given.
fn read_body(
    length: BodyLength,
    received: &mut BytesMut,
    rules: &Rules,
    mut more: impl FnMut(&mut BytesMut) -> bool,
) -> Result<(Vec<u8>, Option<HeaderMap>), Violation> {
    let mut body = BodyReader::new(length);
    let (mut data, mut trailers) = (Vec::new(), None);
    loop {
        let left = match length {
            BodyLength::None => Some(0),
            BodyLength::Known(length) => Some(length - data.len() as u64),
            _ if body.is_ended() => Some(0),
            BodyLength::Chunked | BodyLength::UntilClose => None,
        };
        assert_eq!(body.left(), left);
        if body.is_ended() {
            assert!(!body.has_more_data() && body.close());
            assert_eq!(body.next(received, rules), Ok(Piece::End));
            return Ok((data, trailers));
        }
        match body.next(received, rules)? {
            Piece::Data(piece) => {
                assert!(!piece.is_empty());
                data.extend_from_slice(&piece);
            }
            Piece::Trailers(map) => trailers = Some(map),
            Piece::End => assert!(body.is_ended()),
            Piece::More(wanted) => {
                match length {
                    BodyLength::Known(_) => assert_eq!(Some(wanted), left),
                    BodyLength::UntilClose => assert_eq!(wanted, u64::MAX),
                    _ => assert!(wanted <= 600),
                }
                if !more(received) {
                    assert!(body.has_more_data());
                    assert_eq!(
                        body.close(),
                        length == BodyLength::UntilClose,
                        "{length:?} ends with its connection"
                    );
                }
            }
        }
    }
}

/// Reads the responses in bytes that come in these pieces, and says of how many the head was read the long way.
fn read_responses(pieces: Vec<&[u8]>, to_head: &[bool], remember: bool) -> (Vec<Expected>, usize) {
    let mut reader = ResponseReader::new(Rules::for_responses()).remember_heads(remember);
    let (mut received, mut pieces) = (BytesMut::new(), pieces.into_iter());
    let mut more = |received: &mut BytesMut| match pieces.next() {
        Some(piece) => {
            received.extend_from_slice(piece);
            true
        }
        None => false,
    };
    let long = Cell::new(0);
    let mut read = Vec::new();
    for to_head in to_head {
        let head = loop {
            let headers = || {
                long.set(long.get() + 1);
                HeaderMap::new()
            };
            match reader.read(&mut received, headers).expect("sound") {
                Some(head) => break head,
                None => assert!(more(&mut received), "another head was to come"),
            }
        };
        let rules = *reader.rules();
        let (body, trailers) = read_body(head.body(*to_head), &mut received, &rules, &mut more).expect("sound");
        read.push(Expected {
            body_length: head.body(*to_head),
            status: head.status,
            version: head.version,
            headers: head.headers,
            length: head.length,
            chunked: head.chunked,
            persistent: head.persistent,
            body,
            trailers,
        });
    }
    assert!(received.is_empty() && !more(&mut received), "all of it is read");
    (read, long.get())
}

proptest! {
    #[test]
    fn responses_are_read_as_they_were_written(
        shapes in prop::collection::vec(shape(), 1..4),
        fillings in prop::collection::vec(filling(), 1..12),
        cuts in prop::collection::vec(prop_oneof![1..9_usize, 1..900_usize], 1..30),
    ) {
        let (mut stream, mut expected, mut to_head) = (Vec::new(), Vec::new(), Vec::new());
        for filling in &fillings {
            let (bytes, read) = write(filling.shape.get(&shapes), filling);
            let is_last = read.body_length == BodyLength::UntilClose;
            stream.extend(bytes);
            expected.push(read);
            to_head.push(filling.to_head);
            if is_last {
                break;
            }
        }
        let (fresh, long) = read_responses(vec![&stream], &to_head, false);
        prop_assert_eq!(&fresh, &expected);
        prop_assert_eq!(long, expected.len());
        prop_assert_eq!(&read_responses(vec![&stream], &to_head, true).0, &expected);
        prop_assert_eq!(&read_responses(pieces(&stream, &cuts), &to_head, true).0, &expected);
        prop_assert_eq!(&read_responses(pieces(&stream, &cuts), &to_head, false).0, &expected);
        prop_assert_eq!(&read_responses(stream.chunks(1).collect(), &to_head, true).0, &expected);
    }
}
