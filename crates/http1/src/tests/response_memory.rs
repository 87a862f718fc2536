//! The memory of the heads of responses, and what becomes of their fields.

use std::cell::Cell;

use http::Version;

use super::*;

/// A reader, and how many of its heads were read the long way.
struct Counting(ResponseReader, usize);

impl Counting {
    fn read(&mut self, bytes: &str) -> Result<ResponseHead, Violation> {
        let mut received = BytesMut::from(bytes);
        let long = Cell::new(0);
        let head = self.0.read(&mut received, || {
            long.set(1);
            HeaderMap::new()
        })?;
        self.1 += long.get();
        assert!(received.is_empty());
        Ok(head.expect("whole"))
    }
}

fn remembering(rules: Rules) -> Counting {
    Counting(ResponseReader::new(rules), 0)
}

const HEAD: &str = "HTTP/1.1 200 OK\r\ndate: 1\r\ncontent-length: 3\r\nx: 1\r\n\r\n";

#[test]
fn heads_that_resemble_those_before_are_not_read_the_long_way() {
    let mut reader = remembering(Rules::for_responses());
    assert_eq!((reader.read(HEAD).expect("sound").length, reader.1), (Some(3), 1));
    let changed =
        HEAD.replace("200 OK", "404 Not Found").replace("length: 3", "length: 5").replace("x: 1", "x: 22");
    for (bytes, status, length, x) in [(HEAD, 200, 3, "1"), (&changed, 404, 5, "22"), (HEAD, 200, 3, "1")] {
        let head = reader.read(bytes).expect("sound");
        assert_eq!((head.status.as_u16(), head.length), (status, Some(length)));
        assert_eq!(
            (&head.headers["x"], &head.headers["content-length"]),
            (&x.parse().expect("a value"), &length.into())
        );
        assert_eq!((head.headers.len(), head.chunked, head.persistent), (3, false, true));
    }
    assert_eq!(reader.1, 1);

    // They come in no piece but their own: what has begun is read to its end.
    let mut received = BytesMut::from(&HEAD[..10]);
    assert!(reader.0.read(&mut received, HeaderMap::new).expect("sound").is_none());
    received.extend_from_slice(&HEAD.as_bytes()[10..]);
    received.extend_from_slice(HEAD.as_bytes());
    for _ in 0..2 {
        assert_eq!(
            reader.0.read(&mut received, HeaderMap::new).expect("sound").expect("whole").length,
            Some(3)
        );
    }
    assert!(received.is_empty());

    reader.0.release();
    reader.read(HEAD).expect("sound");
    assert_eq!(reader.1, 2, "a released reader has no memory");
    reader.read(HEAD).expect("sound");
    assert_eq!(reader.1, 2);

    let mut forgetful = Counting(ResponseReader::new(Rules::for_responses()).remember_heads(false), 0);
    for count in 1..4 {
        forgetful.read(HEAD).expect("sound");
        assert_eq!(forgetful.1, count);
    }
}

#[test]
fn a_head_that_differs_in_what_it_is_read_by_is_read_the_long_way() {
    for (from, to) in [
        ("HTTP/1.1 200 OK", "HTTP/1.0 200 OK"),
        ("HTTP/1.1 200 OK", "HTTP/1.1 100 Continue"),
        ("HTTP/1.1 200 OK", "HTTP/1.0 100 Continue"),
        ("HTTP/1.1 200 OK", "HTTP/1.1 101 Switching Protocols"),
        ("x: 1", "y: 1"),
        ("x: 1", "x: 1\r\nconnection: close"),
        ("length: 3", "length: 3, 3"),
    ] {
        let (mut reader, head) = (remembering(Rules::for_responses()), HEAD.replace(from, to));
        reader.read(HEAD).expect("sound");
        let read = reader.read(&head).expect("sound");
        assert_eq!(reader.1, if to.ends_with("3, 3") { 1 } else { 2 }, "{head}");
        let fresh = remembering(Rules::for_responses()).read(&head).expect("sound");
        assert_eq!((read.status, read.version, read.length), (fresh.status, fresh.version, fresh.length));
        assert_eq!((read.headers, read.persistent), (fresh.headers, fresh.persistent));
    }
    // A later minor version is the same one.
    let mut reader = remembering(Rules::for_responses());
    reader.read(HEAD).expect("sound");
    assert_eq!(reader.read(&HEAD.replace("1.1 2", "1.2 2")).expect("sound").version, Version::HTTP_11);
    assert_eq!(reader.1, 1);
    for (from, to, violation) in [
        ("HTTP/1.1 200 OK", "HTTP/1.1 99", Violation::STATUS_LINE),
        ("HTTP/1.1 200 OK", "HTTP/1.1 200 \u{7f}", Violation::CONTROL),
        ("HTTP/1.1 200 OK\r", "HTTP/1.1 200 OK", Violation::BARE_LF),
        ("length: 3", "length: x", Violation::RESPONSE_LENGTH),
        ("length: 3", "length: 3, 4", Violation::RESPONSE_LENGTHS_DIFFER),
        ("x: 1", "x: \0", Violation::CONTROL),
    ] {
        let mut reader = remembering(Rules::for_responses());
        reader.read(HEAD).expect("sound");
        assert_eq!(reader.read(&HEAD.replace(from, to)).err(), Some(violation), "{to:?}");
    }
}

#[test]
fn interim_responses_are_not_kept_but_for_the_one_that_switches() {
    for (status, kept) in [
        ("100 Continue", false),
        ("103 Early Hints", false),
        ("101 Switching Protocols", true),
        ("204 None", true),
    ] {
        let (mut reader, head) =
            (remembering(Rules::for_responses()), format!("HTTP/1.1 {status}\r\nx: 1\r\n\r\n"));
        reader.read(&head).expect("sound");
        reader.read(&head).expect("sound");
        assert_eq!(reader.1, if kept { 1 } else { 2 }, "{status}");
    }
}

#[test]
fn fields_that_frame_are_heard_and_not_passed_on() {
    let mut reader = remembering(Rules::for_responses());
    let head = "HTTP/1.1 200 OK\r\nconnection: Close\r\nx: 1\r\ntransfer-encoding: CHUNKED\r\ny: 1\r\n\r\n";
    for value in ["1", "2", "3"] {
        let read = reader.read(&head.replace("y: 1", &format!("y: {value}"))).expect("sound");
        assert_eq!((read.chunked, read.persistent, read.headers.len()), (true, false, 2));
        assert_eq!(
            (&read.headers["x"], &read.headers["y"]),
            (&"1".parse().expect("1"), &value.parse().expect("a value"))
        );
    }
    assert_eq!(reader.1, 1);
    // A `Connection` that says more is passed on, and may not change unseen.
    let head = "HTTP/1.1 200 OK\r\nconnection: x, close\r\ny: 1\r\n\r\n";
    let mut reader = remembering(Rules::for_responses());
    assert!(!reader.read(head).expect("sound").persistent);
    assert!(reader.read(&head.replace("x, close", "x, y")).expect("sound").persistent);
    assert_eq!(reader.1, 2);
}

#[test]
fn the_memory_of_heads_lets_no_head_by_that_is_too_large() {
    let head =
        |value: usize| format!("HTTP/1.1 200 OK\r\nx: {}\r\ny: {}\r\n\r\n", "a".repeat(value), "b".repeat(100));
    let bound = 1000;
    let rest = head(0).len();
    for (length, verdict) in [
        (999, None),
        (1000, None),
        (1001, Some(Violation::RESPONSE_HEAD_TOO_LARGE)),
        (5000, Some(Violation::RESPONSE_HEAD_TOO_LARGE)),
    ] {
        for remember in [false, true] {
            let rules = Rules { max_head: bound, ..Rules::for_responses() };
            let mut reader = Counting(ResponseReader::new(rules).remember_heads(remember), 0);
            reader.read(&head(10)).expect("sound");
            assert_eq!(
                reader.read(&head(length - rest)).err(),
                verdict,
                "{length} bytes, remembering: {remember}"
            );
            // Up to the bound it comes from memory.
            assert_eq!(
                reader.1,
                if remember && verdict.is_none() { 1 } else { 2 - usize::from(verdict.is_some()) }
            );
        }
    }
    // The same at the default bound, which values beyond a sixteen-bit place could pass.
    let mut reader = remembering(Rules::for_responses());
    reader.read(&head(10)).expect("sound");
    assert_eq!(reader.read(&head(65_450)).err(), Some(Violation::RESPONSE_HEAD_TOO_LARGE));
}

#[test]
fn a_map_has_room_for_eight_fields_of_layers() {
    for fields in [0, 1, 4, 10] {
        let head = format!(
            "HTTP/1.1 200 OK\r\n{}\r\n",
            (0..fields).map(|at| format!("x-{at}: 1\r\n")).collect::<String>()
        );
        let headers = remembering(Rules::for_responses()).read(&head).expect("sound").headers;
        let mut expected = HeaderMap::<HeaderValue>::new();
        expected.reserve(fields + 8);
        assert_eq!((headers.len(), headers.capacity()), (fields, expected.capacity()));
    }
}

#[test]
fn the_rules_for_responses_are_more_lenient_than_those_for_requests() {
    let (requests, responses) = (Rules::default(), Rules::for_responses());
    assert_eq!((requests.max_head, requests.max_target, requests.max_fields), (65_536, 8192, 100));
    assert_eq!((requests.max_trailers, requests.max_extensions), (16_384, 16_384));
    assert_eq!((requests.names, requests.lenient), (Names::Drop, false));
    assert_eq!(responses, Rules { max_fields: 256, names: Names::Pass, lenient: true, ..requests });
    let rules = Rules { max_fields: 7, ..responses };
    assert_eq!(*ResponseReader::new(rules).rules(), rules);
    assert_eq!(*ResponseReader::new(rules).remember_heads(false).rules(), rules);
}
