//! What is refused of responses, and by which rule; what is just allowed.

use http::{StatusCode, Version};

use super::*;

/// The verdict on a response's head, which is the same however it comes.
pub(super) fn response_refused(rules: Rules, head: &[u8]) -> Result<Option<ResponseHead>, Violation> {
    let read = |piece: usize| {
        let (mut reader, mut received) = (ResponseReader::new(rules), BytesMut::new());
        for piece in head.chunks(piece) {
            received.extend_from_slice(piece);
            if let Some(head) = reader.read(&mut received, HeaderMap::new)? {
                return Ok(Some(head));
            }
        }
        Ok(None)
    };
    let (whole, bytes) = (read(usize::MAX), read(1));
    assert_eq!(whole.as_ref().err(), bytes.as_ref().err(), "{}", head.escape_ascii());
    assert_eq!(whole.as_ref().is_ok_and(Option::is_some), bytes.is_ok_and(|head| head.is_some()));
    whole
}

#[test]
fn each_rule_for_the_head_of_a_response_refuses_what_breaks_it() {
    let rules = Rules::for_responses();
    for (head, expected) in [
        ("S", Some(Violation::NOT_HTTP1)),
        ("HTTP/2", Some(Violation::NOT_HTTP1)),
        ("HTTP/2 200 OK\r\n", Some(Violation::NOT_HTTP1)),
        ("HTTP\r\n", Some(Violation::NOT_HTTP1)),
        ("HTTP/1\r\n", Some(Violation::NOT_HTTP1)),
        ("SSH-2.0\n", Some(Violation::NOT_HTTP1)),
        ("\n", Some(Violation::NOT_HTTP1)),
        ("http/1.1 200 OK\r\n", Some(Violation::NOT_HTTP1)),
        ("\0", None),
        ("\0\0\x12\x04\0\0\0\0", None),
        ("\0\0\x12\x04\0\0\0\0\0", Some(Violation::SPEAKS_HTTP2)),
        ("\0\0\0\x04\0\0\0\0\0\0\0\0\x07", Some(Violation::SPEAKS_HTTP2)),
        ("\0\0\x12\x05", Some(Violation::NOT_HTTP1)),
        ("\0\0\x12\x04\0\0\0\0\x01", Some(Violation::NOT_HTTP1)),
        ("\x15", None),
        ("\x15\x03", Some(Violation::SPEAKS_TLS)),
        ("\x15\x03\x03\0\x02\x02\x46", Some(Violation::SPEAKS_TLS)),
        ("\x15\x02", Some(Violation::NOT_HTTP1)),
        ("HTTP", None),
        ("HTTP/1.", None),
        ("HTTP/1.1 200 OK", None),
        ("\r\n", Some(Violation::NOT_HTTP1)),
        ("HTTP/1.\r\n", Some(Violation::STATUS_LINE)),
        ("HTTP/1.x 200 OK\r\n", Some(Violation::STATUS_LINE)),
        ("HTTP/1.1\r\n", Some(Violation::STATUS_LINE)),
        ("HTTP/1.1 \r\n", Some(Violation::STATUS_LINE)),
        ("HTTP/1.1 20\r\n", Some(Violation::STATUS_LINE)),
        ("HTTP/1.1200 OK\r\n", Some(Violation::STATUS_LINE)),
        ("HTTP/1.1  200 OK\r\n", Some(Violation::STATUS_LINE)),
        ("HTTP/1.1 2000 OK\r\n", Some(Violation::STATUS_LINE)),
        ("HTTP/1.1 200OK\r\n", Some(Violation::STATUS_LINE)),
        ("HTTP/1.1 20x OK\r\n", Some(Violation::STATUS_LINE)),
        ("HTTP/1.1 099 OK\r\n", Some(Violation::STATUS_LINE)),
        ("HTTP/1.12 200 OK\r\n", Some(Violation::STATUS_LINE)),
        ("HTTP/1.1 200 OK\r\nx\r\n", Some(Violation::FIELD_LINE)),
        ("HTTP/1.1 200 OK\r\n x: 1\r\n", Some(Violation::OBS_FOLD)),
        ("HTTP/1.1 200 OK\r\nx : 1\r\n", Some(Violation::FIELD_NAME)),
        ("HTTP/1.1 200 OK\r\nx: \0\r\n", Some(Violation::CONTROL)),
        ("HTTP/1.1 200 OK\n", Some(Violation::BARE_LF)),
        ("HTTP/1.1 200 OK\rx", Some(Violation::BARE_CR)),
        ("HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n", Some(Violation::RESPONSE_LENGTH)),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
            Some(Violation::RESPONSE_LENGTHS_DIFFER),
        ),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n", Some(Violation::RESPONSE_CODING)),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked, chunked\r\n\r\n", Some(Violation::RESPONSE_CODING)),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n",
            Some(Violation::RESPONSE_CODING),
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\ntransfer-encoding: chunked\r\n\r\n",
            Some(Violation::RESPONSE_LENGTH_WITH_CODING),
        ),
        ("HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", Some(Violation::RESPONSE_CODING_IN_1_0)),
        ("HTTP/1.0 101 Switching\r\n\r\n", Some(Violation::SWITCHING_IN_1_0)),
    ] {
        let read = response_refused(rules, head.as_bytes());
        assert_eq!(read.as_ref().err(), expected.as_ref(), "{head:?}");
        assert!(expected.is_some() || read.is_ok_and(|head| head.is_none()), "{head:?} is not whole");
    }
}

#[test]
fn a_status_line_gives_its_version_and_its_status() {
    for (line, version, status) in [
        ("HTTP/1.0 200 OK", Version::HTTP_10, 200),
        ("HTTP/1.1 200 OK", Version::HTTP_11, 200),
        ("HTTP/1.9 404 Not Found", Version::HTTP_11, 404),
        ("HTTP/1.1 100 ", Version::HTTP_11, 100),
        ("HTTP/1.1 204", Version::HTTP_11, 204),
        ("HTTP/1.1 999 a\tb \u{e9}~", Version::HTTP_11, 999),
        ("HTTP/1.1 101 Switching", Version::HTTP_11, 101),
    ] {
        let head = response_refused(Rules::for_responses(), format!("{line}\r\n\r\n").as_bytes());
        let head = head.expect("sound").expect("whole");
        assert_eq!((head.version, head.status.as_u16()), (version, status), "{line}");
    }
}

#[test]
fn the_head_of_a_response_is_held_to_its_bounds() {
    let rules = Rules { max_head: 200, max_fields: 4, ..Rules::for_responses() };
    let start = "HTTP/1.1 200 OK\r\n";
    let head = |length: usize| format!("{start}x: {}\r\n\r\n", "b".repeat(length - start.len() - 7));
    let too_large = Some(Violation::RESPONSE_HEAD_TOO_LARGE);
    for (length, expected) in [(199, None), (200, None), (201, too_large), (202, too_large)] {
        assert_eq!(response_refused(rules, head(length).as_bytes()).err(), expected, "{length}");
        assert_eq!(
            response_refused(rules, &head(length + 100).as_bytes()[..length]).err(),
            expected,
            "{length}"
        );
    }
    for (count, expected) in [(0, None), (3, None), (4, None), (5, Some(Violation::RESPONSE_TOO_MANY_FIELDS))] {
        let fields: String = (0..count).map(|at| format!("x-{at}: 1\r\n")).collect();
        assert_eq!(
            response_refused(rules, format!("{start}{fields}\r\n").as_bytes()).err(),
            expected,
            "{count}"
        );
    }
}

#[test]
fn the_body_of_a_response_ends_as_its_status_its_request_and_its_fields_say() {
    let head = |status: u16, length, chunked| ResponseHead {
        status: StatusCode::from_u16(status).expect("a status"),
        version: Version::HTTP_11,
        headers: HeaderMap::<HeaderValue>::new(),
        length,
        chunked,
        persistent: true,
    };
    for (status, has_body) in [
        (200, true),
        (404, true),
        (205, true),
        (100, false),
        (101, false),
        (103, false),
        (204, false),
        (304, false),
    ] {
        for (length, chunked, expected) in [
            (Some(5), false, BodyLength::Known(5)),
            (Some(0), false, BodyLength::None),
            (None, true, BodyLength::Chunked),
            (None, false, BodyLength::UntilClose),
        ] {
            let head = head(status, length, chunked);
            assert_eq!(head.body(false), if has_body { expected } else { BodyLength::None }, "{head:?}");
            assert_eq!(head.body(true), BodyLength::None, "{head:?}");
        }
    }
}
