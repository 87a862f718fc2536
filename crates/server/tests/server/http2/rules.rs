//! What a request's head is held to.

use std::time::{Duration, Instant};

use gatewright_server::Names;
use http::{HeaderMap, Method};
use tokio::io::AsyncWriteExt;

use super::*;
use crate::support::{limits, start};

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_served_side_by_side() {
    let server = start(limits());
    let client = client(&server).await;
    let start = Instant::now();
    let requests = (0..20).map(|_| {
        let client = client.clone();
        tokio::spawn(async move { send(&client, get("http://a/slow").body(()).expect("valid")).await })
    });
    for response in requests.collect::<Vec<_>>() {
        assert_eq!(response.await.expect("runs").expect("answers").status(), 200);
    }
    assert!(start.elapsed() < Duration::from_millis(1500));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_head_that_h2_lets_through_is_held_to_the_rules() {
    let server = start(limits());
    let client = client(&server).await;
    let long = format!("http://a/{}", "a".repeat(8 * 1024));
    let mut many = HeaderMap::new();
    for index in 0..101 {
        many.append("x", index.into());
    }
    let mut many_fields = get("http://a/");
    many_fields.headers_mut().expect("valid").extend(many);
    let cases: Vec<(u16, &str, http::request::Builder)> = vec![
        (200, "plain", get("http://a/")),
        (200, "host beside the authority", get("http://a/").header("host", "A")),
        (200, "host with the default port", get("http://a/").header("host", "a:80")),
        (200, "te: trailers", get("http://a/").header("te", "trailers")),
        (200, "expectation", get("http://a/").header("expect", "100-continue")),
        (400, "host differs", get("http://a/").header("host", "b")),
        (400, "host with another port", get("http://a/").header("host", "a:81")),
        (400, "two hosts", get("http://a/").header("host", "a").header("host", "a")),
        (400, "malformed host", get("http://a/").header("host", "a/b")),
        (400, "user information", get("http://u@a/")),
        (200, "underscore", get("http://a/").header("x_user", "1")),
        (200, "dot in a name", get("http://a/").header("x.user", "1")),
        (400, "two lengths", get("http://a/").header("content-length", "0").header("content-length", "0")),
        (400, "another scheme", get("ftp://a/")),
        (400, "angle bracket", get("http://a/%3C").uri("http://a/\u{e9}")),
        (405, "CONNECT", get("http://a/").method(Method::CONNECT).uri("a:443")),
        (417, "another expectation", get("http://a/").header("expect", "x")),
        (414, "long target", get(&long)),
        (431, "many fields", many_fields),
    ];
    for (status, name, request) in cases {
        let Ok(request) = request.body(()) else { continue };
        let response = send(&client, request).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(response.status().as_u16(), status, "{name}");
    }
    assert_eq!(server.calls(), 7);
    assert_eq!(server.handle.dropped_fields(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_with_unusual_names_are_refused_by_name_or_pass() {
    for (names, status) in [(Names::Refuse, 400), (Names::Pass, 200)] {
        let server = start(limits().header_names(names));
        let client = client(&server).await;
        for name in ["x_user", "x.user", "x!"] {
            let request = get("http://a/").header(name, "1").body(()).expect("valid");
            let response = send(&client, request).await.expect("answered");
            assert_eq!(response.status(), status, "{name}");
            if names == Names::Refuse {
                assert!(String::from_utf8_lossy(response.body()).contains(name), "{:?}", response.body());
            } else {
                assert!(response.headers()["x-headers"].to_str().expect("text").contains(name), "{name}");
            }
        }
        let request = get("http://a/").header("content_length", "1").body(()).expect("valid");
        assert_eq!(send(&client, request).await.expect("answered").status(), 400);
    }
}

/// The same cookies in one field pass over HTTP/1, so they pass in crumbs (RFC 9113, section 8.2.3).
#[tokio::test(flavor = "multi_thread")]
async fn cookies_in_crumbs_count_as_the_one_field_that_they_are() {
    let server = start(limits());
    let client = client(&server).await;
    let with_crumbs = |count: usize, size: usize, others: usize| {
        let mut headers = HeaderMap::new();
        for _ in 0..count {
            headers.append("cookie", format!("c={}", "v".repeat(size - 2)).parse().expect("a value"));
        }
        for index in 0..others {
            headers.append("x", index.into());
        }
        let mut request = get("http://a/").body(()).expect("valid");
        *request.headers_mut() = headers;
        request
    };
    for (count, size, others, status) in [
        (99, 8, 0, 200),
        (99, 8, 40, 200),
        (1, 60_000, 0, 200),
        (400, 100, 99, 200),
        (5_000, 8, 0, 200),
        (99, 8, 100, 431),
        (1, 66_000, 0, 431),
        (700, 100, 0, 431),
        (7_000, 8, 0, 431),
    ] {
        let response = send(&client, with_crumbs(count, size, others)).await.expect("answered");
        assert_eq!(response.status(), status, "{count} cookies of {size} bytes beside {others} fields");
    }
    assert_eq!(server.calls(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_beyond_64_kib_is_refused() {
    let server = start(limits());
    let client = client(&server).await;
    for (bytes, accepted) in [(60 * 1024, true), (66 * 1024, false)] {
        let request = get("http://a/").header("x", "a".repeat(bytes)).body(()).expect("valid");
        match send(&client, request).await {
            Ok(response) => assert_eq!(response.status(), if accepted { 200 } else { 431 }),
            Err(error) => assert!(!accepted, "{error}"),
        }
    }
    assert_eq!(server.calls(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_that_h1_would_read_in_another_way_are_reset() {
    let server = start(limits());
    for (name, fields) in [
        ("connection", [("connection", "close")]),
        ("transfer-encoding", [("transfer-encoding", "chunked")]),
        ("upgrade", [("upgrade", "websocket")]),
        ("keep-alive", [("keep-alive", "1")]),
        ("proxy-connection", [("proxy-connection", "close")]),
        ("te", [("te", "gzip")]),
        ("upper case", [("X-Upper", "1")]),
        ("line break in a value", [("x", "a\r\nhost: b")]),
        ("line break in a name", [("x\r\nhost", "b")]),
        ("NUL in a value", [("x", "a\0b")]),
        ("space in a name", [("x y", "b")]),
        ("colon in a name", [("x:", "b")]),
        ("pseudo-header field after a field", [(":path", "/b")]),
        ("unknown pseudo-header field", [(":x", "b")]),
        ("empty name", [("", "b")]),
    ] {
        let mut stream = raw(&server).await;
        stream.write_all(&frame(1, 5, 1, &head(&fields))).await.expect("sends");
        let (frames, closed) = frames(&mut stream, Duration::from_millis(300)).await;
        let reset = frames.iter().any(|(kind, stream, _)| (*kind, *stream) == (3, 1));
        assert!(reset || closed && goaway_code(&frames).is_some(), "{name}: {frames:?}");
    }
    for (name, pseudo) in [
        ("no path", vec![(":method", "GET"), (":scheme", "http"), (":authority", "a")]),
        ("empty path", vec![(":method", "GET"), (":scheme", "http"), (":path", ""), (":authority", "a")]),
        (
            "path with a space",
            vec![(":method", "GET"), (":scheme", "http"), (":path", "/ HTTP/1.1"), (":authority", "a")],
        ),
        (
            "path with a line break",
            vec![(":method", "GET"), (":scheme", "http"), (":path", "/\r\n"), (":authority", "a")],
        ),
        (
            "method with a space",
            vec![(":method", "GET / X"), (":scheme", "http"), (":path", "/"), (":authority", "a")],
        ),
        (
            "authority with a line break",
            vec![(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a\r\nx: y")],
        ),
        (
            "authority with a path",
            vec![(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a/b")],
        ),
        (
            "two paths",
            vec![(":method", "GET"), (":scheme", "http"), (":path", "/"), (":path", "/b"), (":authority", "a")],
        ),
        (
            "length that does not match",
            vec![
                (":method", "GET"),
                (":scheme", "http"),
                (":path", "/"),
                (":authority", "a"),
                ("content-length", "5"),
            ],
        ),
        (
            "length that is no number",
            vec![
                (":method", "GET"),
                (":scheme", "http"),
                (":path", "/"),
                (":authority", "a"),
                ("content-length", "+0"),
            ],
        ),
    ] {
        let block: Vec<u8> = pseudo.iter().flat_map(|(name, value)| literal(name, value)).collect();
        let mut stream = raw(&server).await;
        stream.write_all(&frame(1, 5, 1, &block)).await.expect("sends");
        let (frames, closed) = frames(&mut stream, Duration::from_millis(300)).await;
        let reset = frames.iter().any(|(kind, stream, _)| (*kind, *stream) == (3, 1));
        let refused = frames.iter().any(|(kind, _, block)| *kind == 1 && block.first() == Some(&0x8c));
        assert!(reset || refused || closed && goaway_code(&frames).is_some(), "{name}: {frames:?}");
    }
    assert_eq!(server.calls(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_any_host_is_refused() {
    let server = start(limits());
    let block: Vec<u8> = [(":method", "GET"), (":scheme", "http"), (":path", "/")]
        .iter()
        .flat_map(|(name, value)| literal(name, value))
        .collect();
    let mut stream = raw(&server).await;
    stream.write_all(&frame(1, 5, 1, &block)).await.expect("sends");
    let (frames, _) = frames(&mut stream, Duration::from_millis(300)).await;
    // 0x8c is `:status: 400` of the static table.
    assert!(frames.iter().any(|(kind, _, block)| *kind == 1 && block.first() == Some(&0x8c)), "{frames:?}");
    assert_eq!(server.calls(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_with_white_space_at_an_end_is_malformed_in_heads_and_trailers() {
    let server = start(limits());
    for value in [" a", "a ", "\ta", "a\t", " ", " a\t"] {
        for name in ["x", "cookie", "authorization", "content-type"] {
            let mut stream = raw(&server).await;
            stream.write_all(&frame(1, 5, 1, &head(&[(name, value)]))).await.expect("sends");
            assert!(is_refused(&mut stream).await, "{name}: {value:?}");
            let mut stream = raw(&server).await;
            let with_trailers =
                [frame(1, 4, 1, &head(&[])), frame(0, 0, 1, b"body"), frame(1, 5, 1, &literal(name, value))];
            stream.write_all(&with_trailers.concat()).await.expect("sends");
            assert!(is_refused(&mut stream).await, "trailer {name}: {value:?}");
        }
    }
    // White space within a value, and no value at all, are fine.
    for value in ["a b\tc", ""] {
        let mut stream = raw(&server).await;
        let bytes = [frame(1, 4, 1, &head(&[("x", value)])), frame(1, 5, 1, &literal("x", value))];
        stream.write_all(&bytes.concat()).await.expect("sends");
        assert!(!is_refused(&mut stream).await, "{value:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn trailers_are_held_to_the_rules_of_a_head() {
    let server = start(limits());
    let many: Vec<u8> = (0..101).flat_map(|_| literal("x", "1")).collect();
    for (name, block) in [
        ("host", literal("host", "a")),
        ("content-length", literal("content-length", "4")),
        ("expect", literal("expect", "100-continue")),
        ("connection", literal("connection", "close")),
        ("transfer-encoding", literal("transfer-encoding", "chunked")),
        ("many", many),
    ] {
        let mut stream = raw(&server).await;
        let bytes = [frame(1, 4, 1, &head(&[])), frame(0, 0, 1, b"body"), frame(1, 5, 1, &block)];
        stream.write_all(&bytes.concat()).await.expect("sends");
        assert!(is_refused(&mut stream).await, "{name}");
    }
}

/// Whether stream 1 is answered with 400, or reset, or the connection ends.
async fn is_refused(stream: &mut tokio::net::TcpStream) -> bool {
    let mut bytes = Vec::new();
    loop {
        let mut rest = &bytes[..];
        while let [l0, l1, l2, kind, _, _, _, _, id, ..] = rest {
            let length = usize::from(*l0) << 16 | usize::from(*l1) << 8 | usize::from(*l2);
            let Some(payload) = rest.get(9..9 + length) else { break };
            match (*kind, *id) {
                // 0x8c is `:status: 400` of the static table, 0x20 to 0x3f a change of its size before it.
                (1, 1) => return payload.iter().find(|byte| *byte & 0xe0 != 0x20) == Some(&0x8c),
                (3, 1) | (7, _) => return true,
                _ => {}
            }
            rest = &rest[9 + length..];
        }
        let read = timeout(LONG, stream.read_buf(&mut bytes)).await.expect("an answer").expect("reads");
        if read == 0 {
            return true;
        }
    }
}
