//! The codec of HTTP/1 requests: what is let through reads the same to another parser, to the byte, and however it arrives.

#![no_main]

use std::borrow::Cow;

use bytes::BytesMut;
use gatewright_http1::{BodyReader, Piece, RequestReader, Rules};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &[u8])| {
    let (piece, stream) = input;
    let at_once = read(stream, stream.len(), false);
    assert!(at_once.taken <= stream.len());
    for (piece, remember) in [(stream.len(), true), (usize::from(piece % 32) + 1, true), (1, false)] {
        let other = read(stream, piece, remember);
        // A line that is both too long and malformed is refused for whichever shows first.
        assert_eq!(other.refused, at_once.refused, "how it arrives makes no difference");
        assert_eq!(other.heads, at_once.heads, "how it arrives makes no difference");
        // Of a body, the bytes before the bad one may have been taken already; its request is never completed.
        assert!(other.taken == at_once.taken || (at_once.refused && other.taken > at_once.taken));
        assert_eq!(count_messages(&stream[..other.taken]), other.heads, "another parser sees other messages");
    }
    assert_eq!(count_messages(&stream[..at_once.taken]), at_once.heads, "another parser sees other messages");
});

/// What the codec made of a stream.
struct Read {
    /// Bytes that belong to a head or a body.
    taken: usize,
    heads: u64,
    refused: bool,
}

/// Reads a stream that comes `piece` bytes at a time.
fn read(stream: &[u8], piece: usize, remember: bool) -> Read {
    let mut reader = RequestReader::new(Rules::default()).remember_heads(remember);
    let (mut received, mut body) = (BytesMut::new(), None::<BodyReader>);
    let mut read = Read { taken: 0, heads: 0, refused: false };
    for piece in stream.chunks(piece.max(1)) {
        received.extend_from_slice(piece);
        loop {
            let before = received.len();
            if let Some(reading) = &mut body {
                let next = reading.next(&mut received, reader.rules());
                read.taken += before - received.len();
                match next {
                    Err(_) => {
                        read.refused = true;
                        return read;
                    }
                    Ok(Piece::More(_)) => break,
                    Ok(_) if reading.is_ended() => body = None,
                    Ok(_) => {}
                }
                continue;
            }
            match reader.read::<()>(&mut received) {
                Ok(None) => break,
                Ok(Some((head, _))) => {
                    read.taken += before - received.len();
                    read.heads += 1;
                    body = Some(BodyReader::new(head.body));
                }
                Err(_) => {
                    read.refused = true;
                    return read;
                }
            }
        }
    }
    read
}

/// Reads what was let through as a server behind the gateway might, and counts the heads.
fn count_messages(mut rest: &[u8]) -> u64 {
    let mut heads = 0;
    loop {
        if let Some(after) = rest.strip_prefix(b"\r\n") {
            rest = after;
        }
        if rest.is_empty() {
            return heads;
        }
        let mut fields = [httparse::EMPTY_HEADER; 128];
        let mut request = httparse::Request::new(&mut fields);
        let text = as_version_1_1(rest);
        let length = match request.parse(&text) {
            Ok(httparse::Status::Complete(length)) => length,
            other => panic!("{other:?} for {}", rest.escape_ascii()),
        };
        let head = &rest[..length];
        for (at, byte) in head.iter().enumerate() {
            assert!(*byte != b'\n' || head[at - 1] == b'\r', "a bare LF passed");
            assert!(*byte != b'\r' || head[at + 1] == b'\n', "a bare CR passed");
            assert!(!matches!(byte, 0 | 0x7f), "a control character passed");
        }
        heads += 1;
        let values = |name: &str| {
            let found = request.headers.iter().filter(|field| field.name.eq_ignore_ascii_case(name));
            found.map(|field| field.value).collect::<Vec<_>>()
        };
        let (lengths, codings, hosts) = (values("content-length"), values("transfer-encoding"), values("host"));
        assert!(lengths.len() + codings.len() <= 1, "two say where the body ends");
        assert!(hosts.len() <= 1 && (request.version == Some(0) || hosts.len() == 1), "a host, and one only");
        rest = &rest[length..];
        if let Some(coding) = codings.first() {
            assert!(coding.eq_ignore_ascii_case(b"chunked"));
            rest = after_chunks(rest);
        } else if let Some(length) = lengths.first() {
            assert!(length.iter().all(u8::is_ascii_digit));
            let length: usize = std::str::from_utf8(length).expect("digits").parse().unwrap_or(usize::MAX);
            rest = &rest[length.min(rest.len())..];
        }
    }
}

/// The same, with a later minor version in the first line written as 1.1, which is all that the other parser knows.
fn as_version_1_1(rest: &[u8]) -> Cow<'_, [u8]> {
    let line = rest.split(|byte| *byte == b'\r').next().unwrap_or_default();
    match line {
        [start @ .., b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'2'..=b'9'] => {
            let mut text = rest.to_vec();
            text[start.len() + "HTTP/1.".len()] = b'1';
            text.into()
        }
        _ => rest.into(),
    }
}

/// What follows a chunked body, or nothing where the stream ends within it.
fn after_chunks(mut rest: &[u8]) -> &[u8] {
    loop {
        let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") else {
            assert!(!rest.contains(&b'\n'), "a chunk's line ends in a bare LF");
            return &[];
        };
        let line = std::str::from_utf8(&rest[..end]).expect("a chunk's line is ASCII");
        let digits = line.split([';', ' ', '\t']).next().unwrap_or_default();
        let size = usize::from_str_radix(digits, 16).expect("a chunk has a size");
        rest = &rest[end + 2..];
        if size == 0 {
            break;
        }
        let Some(after) = rest.get(size..) else { return &[] };
        let Some(next) = after.strip_prefix(b"\r\n") else {
            assert!(after.is_empty() || after == b"\r", "a chunk ends in CRLF");
            return &[];
        };
        rest = next;
    }
    // Trailers pass when they are whole, or not at all.
    while !rest.is_empty() {
        let end = rest.windows(2).position(|pair| pair == b"\r\n").expect("a trailer's line is whole");
        let line = &rest[..end];
        rest = &rest[end + 2..];
        if line.is_empty() {
            break;
        }
    }
    rest
}
