//! The codec of HTTP/1 responses: a stream reads the same however it arrives, and whether or not heads are remembered.

#![no_main]

use bytes::BytesMut;
use gatewright_http1::{BodyReader, Piece, ResponseReader, Rules};
use http::{HeaderMap, StatusCode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &[u8])| {
    let (piece, stream) = input;
    let (at_once, refused) = read(stream, stream.len(), false);
    at_once.iter().for_each(check);
    for (piece, remember) in [(stream.len(), true), (usize::from(piece % 64) + 1, true), (1, false)] {
        let (other, why) = read(stream, piece, remember);
        assert_eq!(why, refused);
        // Of a body, the bytes before the bad one may have been handed on already.
        if !refused {
            assert_eq!(other, at_once);
        } else {
            assert!(other.iter().zip(&at_once).rev().skip(1).all(|(one, other)| one == other));
        }
    }
});

/// A response that was read whole, or up to where the stream ends.
#[derive(Debug, PartialEq)]
struct Response {
    status: StatusCode,
    headers: HeaderMap,
    length: Option<u64>,
    body: Vec<u8>,
    trailers: Option<HeaderMap>,
}

/// Reads the responses to a row of GET requests that come `piece` bytes at a time, and says whether one was refused.
fn read(stream: &[u8], piece: usize, remember: bool) -> (Vec<Response>, bool) {
    let mut reader = ResponseReader::new(Rules::for_responses()).remember_heads(remember);
    let (mut received, mut body) = (BytesMut::new(), None::<BodyReader>);
    let mut responses: Vec<Response> = Vec::new();
    for piece in stream.chunks(piece.max(1)) {
        received.extend_from_slice(piece);
        loop {
            if let (Some(reading), Some(last)) = (&mut body, responses.last_mut()) {
                match reading.next(&mut received, reader.rules()) {
                    Err(_) => return (responses, true),
                    Ok(Piece::More(_)) => break,
                    Ok(Piece::Data(data)) => last.body.extend_from_slice(&data),
                    Ok(Piece::Trailers(trailers)) => last.trailers = Some(trailers),
                    Ok(Piece::End) => {}
                }
                if reading.is_ended() {
                    body = None;
                }
                continue;
            }
            match reader.read(&mut received, HeaderMap::new) {
                Err(_) => return (responses, true),
                Ok(None) => break,
                Ok(Some(head)) => {
                    body = Some(BodyReader::new(head.body(false)));
                    let (status, headers, length) = (head.status, head.headers, head.length);
                    responses.push(Response { status, headers, length, body: Vec::new(), trailers: None });
                }
            }
        }
    }
    (responses, false)
}

fn check(response: &Response) {
    for value in
        response.headers.values().chain(response.trailers.iter().flat_map(|trailers| trailers.values()))
    {
        assert!(value.as_bytes().iter().all(|byte| *byte == b'\t' || (*byte >= 0x20 && *byte != 0x7f)));
    }
    assert!(!response.headers.contains_key("transfer-encoding"));
    if let Some(length) = response.length {
        assert!(response.body.len() as u64 <= length, "more than it declares");
        assert_eq!(response.trailers, None);
    }
}
