//! What an upstream answers: it reads the same however it arrives, and whether or not its heads resemble each other.

#![no_main]

use gatewright::client::fuzzing::{Response, responses};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &[u8])| {
    let (piece, stream) = input;
    let (long_way, malformed) = responses(stream, stream.len(), false);
    long_way.iter().for_each(check);
    for (piece, templates) in [(stream.len(), true), (usize::from(piece % 64) + 1, true), (1, false)] {
        let (other, why) = responses(stream, piece, templates);
        assert_eq!(why.is_some(), malformed.is_some(), "{why:?} and {malformed:?}");
        // Of a body, what came before the bad byte may have been handed on already.
        if malformed.is_none() {
            assert_eq!(other, long_way);
        } else {
            assert!(other.iter().zip(&long_way).rev().skip(1).all(|(one, other)| one == other));
        }
    }
});

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
