//! What is refused of requests, and by which rule; what is just allowed.

use super::{response_refusals::response_refused, *};

/// The verdict on a request's head, and its method and target where they were told. They are the same however the head
/// comes, and whatever came before it.
fn refused(rules: Rules, head: &[u8]) -> Option<(Violation, Option<(String, String)>)> {
    let read = |mut reader: RequestReader, before: &[u8], piece: usize| {
        let mut received = BytesMut::new();
        for piece in [before, head].concat().chunks(piece) {
            received.extend_from_slice(piece);
            loop {
                match reader.read::<()>(&mut received) {
                    Ok(Some(_)) => {}
                    Ok(None) => break,
                    Err(refusal) => {
                        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                        let line = refusal.request_line().map(|(method, target)| (text(method), text(target)));
                        return Some((refusal.violation(), line));
                    }
                }
            }
        }
        None
    };
    let verdict = read(RequestReader::new(rules).remember_heads(false), b"", usize::MAX);
    for (remember, before, piece) in [
        (false, &b""[..], 1),
        (true, b"GET /a HTTP/1.1\r\nhost: a\r\n\r\n", 1),
        (true, b"GET /a HTTP/1.1\r\nhost: a\r\n\r\n", usize::MAX),
        (true, b"GET / HTTP/1.1\r\nhost: a\r\nx: 1\r\n\r\n", usize::MAX),
        (true, b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n", usize::MAX),
    ] {
        let again = read(RequestReader::new(rules).remember_heads(remember), &before.repeat(3), piece);
        assert_eq!(again, verdict, "{} in pieces of {piece}", head.escape_ascii());
    }
    verdict
}

fn violation_of_request(rules: Rules, head: &[u8]) -> Option<Violation> {
    refused(rules, head).map(|(violation, _)| violation)
}

#[test]
fn each_rule_for_the_head_of_a_request_refuses_what_breaks_it() {
    for (head, expected) in [
        ("\n", Violation::BARE_LF),
        ("GET / HTTP/1.1\n", Violation::BARE_LF),
        ("GET / HTTP/1.1\r\nhost: a\n", Violation::BARE_LF),
        ("GET / HTTP/1.1\rx", Violation::BARE_CR),
        ("GET / HTTP/1.1\r\nhost: a\r\r\n", Violation::BARE_CR),
        ("GET /\0 HTTP/1.1\r\n", Violation::CONTROL),
        ("GET / HTTP/1.1\r\nhost: a\r\nx: \x7f\r\n", Violation::CONTROL),
        ("GET / HTTP/1.1\r\nhost: a\r\nx: \x0b\r\n", Violation::CONTROL),
        ("\r\n\r\n", Violation::REQUEST_LINE),
        ("GET\r\n", Violation::REQUEST_LINE),
        ("GET /\r\n", Violation::REQUEST_LINE),
        ("GET  HTTP/1.1\r\n", Violation::REQUEST_LINE),
        ("GET  / HTTP/1.1\r\n", Violation::REQUEST_LINE),
        ("GET / HTTP/1.1 \r\n", Violation::REQUEST_LINE),
        ("GET / HTTP/11\r\n", Violation::REQUEST_LINE),
        ("GET / HTTP/x.1\r\n", Violation::REQUEST_LINE),
        ("GET / HTTP/1.x\r\n", Violation::REQUEST_LINE),
        ("GET / http/1.1\r\n", Violation::REQUEST_LINE),
        ("GET / HTTP/2.0\r\n", Violation::VERSION),
        ("GET / HTTP/0.9\r\n", Violation::VERSION),
        (" / HTTP/1.1\r\n", Violation::METHOD),
        ("G@T / HTTP/1.1\r\n", Violation::METHOD),
        ("GET\t / HTTP/1.1\r\n", Violation::METHOD),
        ("CONNECT a:443 HTTP/1.1\r\n", Violation::CONNECT),
        ("GET / HTTP/1.1\r\nhost: a\r\n x: 1\r\n", Violation::OBS_FOLD),
        ("GET / HTTP/1.1\r\n\tx: 1\r\n", Violation::OBS_FOLD),
        ("GET / HTTP/1.1\r\nhost\r\n", Violation::FIELD_LINE),
        ("GET / HTTP/1.1\r\nhost : a\r\n", Violation::FIELD_NAME),
        ("GET / HTTP/1.1\r\n: a\r\n", Violation::FIELD_NAME),
        ("GET / HTTP/1.1\r\nx\u{e9}: a\r\n", Violation::FIELD_NAME),
        ("GET / HTTP/1.1\r\nhost: a\r\nhost: a\r\n", Violation::HOST_DUPLICATE),
        ("GET / HTTP/1.1\r\nhost: a\r\ncontent-length: +1\r\n", Violation::LENGTH),
        ("GET / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 1\r\n", Violation::LENGTH_DUPLICATE),
        ("GET / HTTP/1.1\r\ntransfer-encoding: gzip, chunked\r\n", Violation::CODING),
        (
            "GET / HTTP/1.1\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
            Violation::CODING_DUPLICATE,
        ),
    ] {
        assert_eq!(violation_of_request(Rules::default(), head.as_bytes()), Some(expected), "{head:?}");
    }
    // What the whole head shows, which has its line and a host unless it says otherwise.
    for (line, fields, expected) in [
        ("GET / HTTP/1.1", "x: 1\r\n", Some(Violation::HOST_MISSING)),
        ("GET / HTTP/1.0", "x: 1\r\n", None),
        ("GET http://a/ HTTP/1.0", "x: 1\r\n", Some(Violation::HOST_MISSING)),
        ("GET / HTTP/1.0", "host:\r\n", Some(Violation::HOST_MALFORMED)),
        ("GET / HTTP/1.1", "host:\r\n", Some(Violation::HOST_MALFORMED)),
        ("GET / HTTP/1.1", "host: a,b\r\n", Some(Violation::HOST_MALFORMED)),
        ("GET http://a/ HTTP/1.1", "host: b\r\n", Some(Violation::HOST_MISMATCH)),
        ("GET http://a:81/ HTTP/1.1", "host: a\r\n", Some(Violation::HOST_MISMATCH)),
        ("GET https://a/ HTTP/1.1", "host: a:80\r\n", Some(Violation::HOST_MISMATCH)),
        ("GET https://a/ HTTP/1.1", "host: a:443\r\n", None),
        ("GET http://a/ HTTP/1.1", "host: A:80\r\n", None),
        ("GET /a#b HTTP/1.1", "host: a\r\n", Some(Violation::FRAGMENT)),
        ("GET /a<b HTTP/1.1", "host: a\r\n", Some(Violation::TARGET)),
        ("GET * HTTP/1.1", "host: a\r\n", Some(Violation::TARGET)),
        ("OPTIONS * HTTP/1.1", "host: a\r\n", None),
        (
            "GET / HTTP/1.1",
            "host: a\r\ncontent-length: 0\r\ntransfer-encoding: chunked\r\n",
            Some(Violation::LENGTH_WITH_CODING),
        ),
        (
            "GET / HTTP/1.0",
            "host: a\r\ncontent-length: 0\r\ntransfer-encoding: chunked\r\n",
            Some(Violation::LENGTH_WITH_CODING),
        ),
        ("GET / HTTP/1.0", "host: a\r\ntransfer-encoding: chunked\r\n", Some(Violation::CODING_IN_1_0)),
        ("GET / HTTP/1.1", "host: a\r\nexpect: 200-ok\r\n", Some(Violation::EXPECTATION)),
        ("GET / HTTP/1.1", "host: a\r\nexpect: 100-continue\r\nexpect: x\r\n", Some(Violation::EXPECTATION)),
        ("GET / HTTP/1.1", "host: a\r\nexpect: x\r\nexpect: 100-continue\r\n", Some(Violation::EXPECTATION)),
        ("GET / HTTP/1.1", "host: a\r\nexpect: 100-continue\r\n", None),
        (
            "POST / HTTP/1.1",
            "host: a\r\nconnection: upgrade\r\nupgrade: TLS/1.2\r\ncontent-length: 1\r\n",
            None,
        ),
        ("POST / HTTP/1.1", "host: a\r\nupgrade: x\r\n", None),
    ] {
        let head = format!("{line}\r\n{fields}\r\n");
        let told = line.rsplit_once(' ').and_then(|(rest, _)| rest.split_once(' '));
        let told = told.map(|(method, target)| (method.to_owned(), target.to_owned()));
        assert_eq!(
            refused(Rules::default(), head.as_bytes()),
            expected.map(|violation| (violation, told)),
            "{head:?}"
        );
    }
}

#[test]
fn a_refusal_tells_the_method_and_the_target_once_they_have_come() {
    let told = |head: &str| refused(Rules::default(), head.as_bytes()).expect("refused").1;
    let line = Some(("GET".to_owned(), "/a".to_owned()));
    assert_eq!(told("GET /a HTTP/1.1\r\nhost: a\r\nx\r\n"), line);
    assert_eq!(told("\r\nGET /a HTTP/1.1\r\n\n"), line);
    assert_eq!(told("GET /a HTTP/1.1\n"), None);
    assert_eq!(told("GET /a HTTP/1.x\r\n"), None);
    // Also when it is the types of the http crate that refuse: no name is this long to them.
    let long = format!("GET /a HTTP/1.1\r\nhost: a\r\n{}: 1\r\n\r\n", "x".repeat(70_000));
    let rules = Rules { max_head: 100_000, ..Rules::default() };
    assert_eq!(refused(rules, long.as_bytes()), Some((Violation::FIELD_NAME, line)));
}

#[test]
fn the_head_of_a_request_is_held_to_its_bounds() {
    let rules = Rules { max_head: 200, max_target: 50, max_fields: 4, ..Rules::default() };
    let head = |length: usize| {
        let rest = "GET / HTTP/1.1\r\nhost: a\r\nx: \r\n\r\n".len();
        format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "b".repeat(length - rest))
    };
    for (length, expected) in [
        (199, None),
        (200, None),
        (201, Some(Violation::HEAD_TOO_LARGE)),
        (202, Some(Violation::HEAD_TOO_LARGE)),
    ] {
        assert_eq!(violation_of_request(rules, head(length).as_bytes()), expected, "{length}");
        // The end need not have come.
        let endless = head(length + 100);
        assert_eq!(violation_of_request(rules, &endless.as_bytes()[..length]), expected, "{length}");
    }
    for (length, expected) in [(49, None), (50, None), (51, Some(Violation::TARGET_TOO_LONG))] {
        let head = format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "a".repeat(length - 1));
        assert_eq!(violation_of_request(rules, head.as_bytes()), expected, "{length}");
        // A line without a version has no end of the target but its own.
        let line = format!("GET /{}\r\n", "a".repeat(length - 1));
        let expected = expected.or(Some(Violation::REQUEST_LINE));
        assert_eq!(violation_of_request(rules, line.as_bytes()), expected, "{length}");
    }
    for (count, expected) in [(3, None), (4, None), (5, Some(Violation::TOO_MANY_FIELDS))] {
        let fields: String = (1..count).map(|at| format!("x-{at}: 1\r\n")).collect();
        let head = format!("GET / HTTP/1.1\r\nhost: a\r\n{fields}\r\n");
        assert_eq!(violation_of_request(rules, head.as_bytes()), expected, "{count}");
    }
    for (length, expected) in
        [(63, None), (64, None), (65, Some(Violation::METHOD)), (70, Some(Violation::METHOD))]
    {
        let method = "A".repeat(length);
        assert_eq!(
            violation_of_request(rules, format!("{method} / HTTP/1.1\r\nhost: a\r\n\r\n").as_bytes()),
            expected
        );
        // One that is not whole is refused once it is too long.
        assert_eq!(violation_of_request(rules, method.as_bytes()), expected, "{length}");
    }
    // What of a line has come may be as long as the longest method, the longest target and what stands beside them.
    for (length, expected) in [
        (125, None),
        (126, None),
        (127, Some(Violation::TARGET_TOO_LONG)),
        (140, Some(Violation::TARGET_TOO_LONG)),
    ] {
        let line = format!("GET {}", "/".repeat(length - 4));
        assert_eq!(violation_of_request(rules, line.as_bytes()), expected, "{length}");
        assert_eq!(violation_of_request(rules, format!("\r\n{line}").as_bytes()), expected, "{length}");
    }
}

/// HTTP/2 sends scheme and authority apart from the path, and the bound is for the path alone.
#[test]
fn scheme_and_authority_of_a_target_in_absolute_form_do_not_count() {
    let rules = Rules { max_target: 50, ..Rules::default() };
    for before in [
        "http://a",
        "https://a",
        "HTTP://a.example:80",
        "http://[::1]:8080",
        &format!("http://{}", "a".repeat(200)),
    ] {
        let host = before.split_once("//").expect("an authority").1;
        for (path, expected) in [
            (String::new(), None),
            ("?".repeat(50), None),
            ("/".repeat(50), None),
            (format!("/?{}", "http://".repeat(6)), None),
            ("?".repeat(51), Some(Violation::TARGET_TOO_LONG)),
            ("/".repeat(51), Some(Violation::TARGET_TOO_LONG)),
            (format!("/?{}", "http://".repeat(7)), Some(Violation::TARGET_TOO_LONG)),
        ] {
            let head = format!("GET {before}{path} HTTP/1.1\r\nhost: {host}\r\n\r\n");
            assert_eq!(violation_of_request(rules, head.as_bytes()), expected, "{head}");
        }
        // The line need not have ended.
        let line = |length: usize| format!("GET {before}{}", "/".repeat(length));
        assert_eq!(violation_of_request(rules, line(50).as_bytes()), None, "{before}");
        assert_eq!(
            violation_of_request(rules, line(200).as_bytes()),
            Some(Violation::TARGET_TOO_LONG),
            "{before}"
        );
    }
    // An authority reaches no further than one can be valid.
    for (length, expected) in [
        (255, None),
        (256, Some(Violation::TARGET)),
        (311, Some(Violation::TARGET)),
        (312, Some(Violation::TARGET_TOO_LONG)),
    ] {
        let host = "a".repeat(length);
        let head = format!("GET http://{host} HTTP/1.1\r\nhost: {}\r\n\r\n", "a".repeat(length.min(255)));
        assert_eq!(violation_of_request(rules, head.as_bytes()), expected, "{length}");
    }
    let endless = format!("GET http://{}", "a".repeat(1000));
    assert_eq!(violation_of_request(rules, endless.as_bytes()), Some(Violation::TARGET_TOO_LONG));
    // No URI is longer.
    let rules = Rules { max_target: 65_534, max_head: 1 << 20, ..Rules::default() };
    for (length, expected) in [(65_523, None), (65_524, Some(Violation::TARGET_TOO_LONG))] {
        let head = format!("GET http://a.b/{} HTTP/1.1\r\nhost: a.b\r\n\r\n", "p".repeat(length));
        assert_eq!(violation_of_request(rules, head.as_bytes()), expected, "{length}");
    }
}

#[test]
fn the_first_field_that_is_left_out_is_named_once() {
    let mut reader = RequestReader::new(Rules::default());
    for (fields, count, expected) in [
        ("x-a: 1\r\n", 0, None),
        ("x_b: 1\r\nx-c: 2\r\nx.d: 3\r\n", 2, Some(&b"x_b"[..])),
        ("x-a: 1\r\n", 0, None),
        ("x.e: 1\r\n", 1, Some(b"x.e")),
        ("x.e: 1\r\n", 1, Some(b"x.e")),
    ] {
        let mut received = BytesMut::from(&*format!("GET / HTTP/1.1\r\nhost: a\r\n{fields}\r\n"));
        let (head, _) = reader.read::<()>(&mut received).expect("sound").expect("whole");
        assert_eq!((head.dropped_fields, reader.take_dropped_name().as_deref()), (count, expected), "{fields}");
        assert_eq!(reader.take_dropped_name(), None);
    }
}

#[test]
fn a_refusal_names_the_field_or_the_byte_that_broke_the_rule() {
    let detail = |head: &str| {
        let mut reader = RequestReader::new(Rules { names: Names::Refuse, ..Rules::default() });
        let refusal = reader.read::<()>(&mut BytesMut::from(head)).expect_err("refused");
        refusal.detail().into_owned()
    };
    for (head, expected) in [
        ("GET /a\"b HTTP/1.1\r\nhost: a\r\n\r\n", "malformed. It holds '\\\"', which is written as %22 there."),
        ("GET /a`?` HTTP/1.1\r\nhost: a\r\n\r\n", "malformed. It holds '`', which is written as %60 there."),
        (
            "GET /\u{e9} HTTP/1.1\r\nhost: a\r\n\r\n",
            "malformed. It holds '\\xc3', which is written as %C3 there.",
        ),
        ("GET ftp://a/ HTTP/1.1\r\nhost: a\r\n\r\n", "The request target is malformed."),
        ("GET / HTTP/1.1\r\nhost: a\r\nx-a: b\0\r\n\r\n", "control character. The header is \"x-a\"."),
        (
            "GET / HTTP/1.1\r\nx-a: b\rc\r\nhost: a\r\n\r\n",
            "A CR is not followed by LF. The header is \"x-a\".",
        ),
        ("GET / HTTP/1.1\r\nx-a: b\nhost: a\r\n\r\n", "A line ends in LF without CR. The header is \"x-a\"."),
        ("GET / HTTP/1.1\r\nx a: b\r\nhost: a\r\n\r\n", "A header name is malformed. The header is \"x a\"."),
        ("GET / HTTP/1.1\r\nx.a: b\r\nhost: a\r\n\r\n", "(header_names: refuse). The header is \"x.a\"."),
        ("GET / HTTP/1.1\nhost: a\r\n\r\n", "A line ends in LF without CR."),
        // What may be a value is not shown.
        (
            "GET / HTTP/1.1\r\nauthorization: Basic\r\n c2VjcmV0OnM=\r\n\r\n",
            "A header field is folded over lines.",
        ),
        (
            "GET / HTTP/1.1\r\nauthorization: Basic\r\n SECRET\x01: b\r\n\r\n",
            "The head holds a control character.",
        ),
        (
            "GET / HTTP/1.1\r\nauthorization: Basic\r\n SECRET\nfoo: bar\r\n\r\n",
            "A line ends in LF without CR.",
        ),
        ("GET / HTTP/1.1\r\nSECRET1234\nx: y\r\n\r\n", "A line ends in LF without CR."),
        ("GET / HTTP/1.1\r\nauthorization Bearer SECRET\r\n\r\n", "A header name is malformed."),
    ] {
        assert!(detail(head).ends_with(expected), "{head:?}: {}", detail(head));
    }
}

#[test]
fn a_byte_beyond_a_bound_is_told_of_by_the_bound() {
    let rules = Rules { max_head: 60, max_trailers: 60, ..Rules::default() };
    let (request, response) = ("GET / HTTP/1.1\r\nx: ", "HTTP/1.1 200 OK\r\nx: ");
    for (bad, violation_at, violation) in [
        // A CR is wrong once the byte after it has come.
        ("\rx", 59, Violation::BARE_CR),
        ("\n", 60, Violation::BARE_LF),
        ("\0", 60, Violation::CONTROL),
    ] {
        for place in 57..64 {
            let bytes = |start: &str| format!("{start}{}{bad}", "a".repeat(place - start.len()));
            let within = place <= violation_at;
            let expected = |too_large| if within { violation } else { too_large };
            let refused = violation_of_request(rules, bytes(request).as_bytes());
            assert_eq!(refused, Some(expected(Violation::HEAD_TOO_LARGE)), "{bad:?} at {place}");
            let refused = response_refused(rules, bytes(response).as_bytes()).err();
            assert_eq!(refused, Some(expected(Violation::RESPONSE_HEAD_TOO_LARGE)), "{bad:?} at {place}");
            let mut trailers = BytesMut::from(format!("0\r\n{}", bytes("x: ")).as_bytes());
            let refused = BodyReader::new(BodyLength::Chunked).next(&mut trailers, &rules);
            assert_eq!(refused, Err(expected(Violation::TRAILERS_TOO_LARGE)), "{bad:?} at {place}");
        }
    }
    // A request line tells early what it cannot become.
    let rules = Rules { max_head: 150, max_target: 20, ..Rules::default() };
    for (line, bad, expected) in [
        ("A".repeat(64), "\n", Violation::BARE_LF),
        ("A".repeat(65), "\n", Violation::METHOD),
        ("A".repeat(63), "\rx", Violation::BARE_CR),
        ("A".repeat(64), "\rx", Violation::METHOD),
        ("A".repeat(200), "\r\n", Violation::METHOD),
        (format!("GET {}", "/".repeat(92)), "\n", Violation::BARE_LF),
        (format!("GET {}", "/".repeat(93)), "\n", Violation::TARGET_TOO_LONG),
        (format!("GET {}", "/".repeat(91)), "\rx", Violation::BARE_CR),
        (format!("GET {}", "/".repeat(92)), "\rx", Violation::TARGET_TOO_LONG),
        (format!("GET / HTTP/1.1{}", "x".repeat(81)), "\r\n", Violation::REQUEST_LINE),
        (format!("GET / HTTP/1.1{}", "x".repeat(82)), "\r\n", Violation::TARGET_TOO_LONG),
        (format!("{}\t{}", "A".repeat(10), "A".repeat(60)), "\n", Violation::METHOD),
        (format!("GET / HTTP/1.1{}\t", "x".repeat(200)), "\0", Violation::TARGET_TOO_LONG),
    ] {
        assert_eq!(
            violation_of_request(rules, format!("{line}{bad}").as_bytes()),
            Some(expected),
            "{line}{bad:?}"
        );
    }
    let rules = Rules { max_head: 50, ..rules };
    assert_eq!(
        violation_of_request(rules, b"GET /01234567890123456789012345678901234567890123456789\n"),
        Some(Violation::HEAD_TOO_LARGE)
    );
    assert_eq!(violation_of_request(rules, &[b'A'; 70]), Some(Violation::HEAD_TOO_LARGE));
}

#[test]
fn unusual_names_are_left_out_or_refused_or_kept() {
    let alias = Err(Violation::FIELD_NAME_ALIAS);
    for (name, is_usual, passed) in [
        ("x-Y1", true, Ok(true)),
        ("x_y", false, Ok(true)),
        ("_", false, Ok(true)),
        ("x_y-z_", false, Ok(true)),
        ("content_length", false, alias),
        ("Transfer_Encoding", false, alias),
        ("transfer.encoding", false, alias),
        ("host_", false, Ok(true)),
        ("x.y", false, Ok(true)),
        ("x!", false, Ok(true)),
    ] {
        let refused = Err(Violation::FIELD_NAME_REFUSED);
        for (names, kept) in [
            (Names::Drop, Ok(is_usual)),
            (Names::Refuse, if is_usual { Ok(true) } else { refused }),
            (Names::Pass, passed),
        ] {
            let rules = Rules { names, ..Rules::default() };
            assert_eq!(keeps_name(name.as_bytes(), &rules), kept, "{name} {names:?}");
            let head = format!("GET / HTTP/1.1\r\nhost: a\r\n{name}: 1\r\n\r\n");
            let mut reader = RequestReader::new(rules);
            let read = reader.read::<()>(&mut BytesMut::from(head.as_bytes()));
            match (read, kept) {
                (Ok(Some((head, request))), Ok(kept)) => {
                    assert_eq!(head.dropped_fields, u16::from(!kept), "{name} {names:?}");
                    assert_eq!(request.headers().contains_key(name), kept, "{name} {names:?}");
                }
                (Err(refusal), Err(violation)) => {
                    assert_eq!(refusal.violation(), violation, "{name} {names:?}");
                    assert!(refusal.detail().contains(name), "{}", refusal.detail());
                }
                (read, kept) => panic!("{name} {names:?}: {read:?} for {kept:?}"),
            }
        }
    }
}

#[test]
fn fields_that_are_left_out_count_towards_the_bound() {
    let rules = Rules { max_fields: 3, ..Rules::default() };
    let head = |fields: &str| format!("GET / HTTP/1.1\r\nhost: a\r\n{fields}\r\n");
    assert_eq!(violation_of_request(rules, head("x_y: 1\r\nx: 1\r\n").as_bytes()), None);
    for fields in ["x_y: 1\r\nx_y: 1\r\nx_y: 1\r\n", "x_y: 1\r\nx: 1\r\nx_y: 1\r\n"] {
        assert_eq!(
            violation_of_request(rules, head(fields).as_bytes()),
            Some(Violation::TOO_MANY_FIELDS),
            "{fields}"
        );
    }
}

#[test]
fn a_violation_tells_its_status_a_word_and_a_sentence() {
    for (violation, status, reason, detail) in [
        (Violation::BARE_LF, 400, "bare_lf", "A line ends in LF without CR."),
        (Violation::VERSION, 505, "http_version", "The HTTP version is not supported."),
        (Violation::HEAD_TOO_LARGE, 431, "head_too_large", "The headers are too large."),
        (Violation::NOT_HTTP1, 502, "not_http1", "The response is no HTTP/1."),
    ] {
        assert_eq!((violation.status(), violation.reason(), violation.detail()), (status, reason, detail));
        assert_eq!(violation.to_string(), detail);
    }
}
