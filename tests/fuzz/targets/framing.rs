//! The framing of HTTP/1: what is let through reads the same to another parser, to the byte, and however it arrives.

#![no_main]

use gatewright::server::fuzzing::Framing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &[u8])| {
    let (piece, stream) = input;
    let mut at_once = Framing::default();
    let (passed, refused) = at_once.follow(stream);
    assert!(passed <= stream.len());
    let (passed_in_pieces, refused_in_pieces, heads) = in_pieces(stream, usize::from(piece % 32) + 1);
    // A line that is both too long and malformed is refused for whichever shows first.
    assert_eq!(refused_in_pieces.is_some(), refused.is_some(), "how it arrives makes no difference");
    assert_eq!(heads, at_once.heads(), "how it arrives makes no difference");
    // Of a body, what came before the bad byte may have passed already; its request is never completed.
    assert!(passed_in_pieces == passed || (refused.is_some() && passed_in_pieces > passed));
    assert_eq!(count_messages(&stream[..passed_in_pieces]), heads, "another parser sees other messages");
    assert_eq!(count_messages(&stream[..passed]), at_once.heads(), "another parser sees other messages");
});

/// The same stream, a few bytes at a time.
fn in_pieces(stream: &[u8], piece: usize) -> (usize, Option<&'static str>, u64) {
    let mut framing = Framing::default();
    let (mut passed, mut given) = (0, 0);
    let mut refused = None;
    while given < stream.len() && refused.is_none() {
        given = (given + piece).min(stream.len());
        let (more, refusal) = framing.follow(&stream[passed..given]);
        passed += more;
        refused = refusal;
    }
    (passed, refused, framing.heads())
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
        let length = match request.parse(rest) {
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
