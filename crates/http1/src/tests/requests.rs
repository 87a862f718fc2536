//! Requests, against a plain account of what was written.

use http::{Uri, Version};

use super::*;

/// A kind of request that a client sends over and over.
#[derive(Debug, Clone)]
struct Shape {
    minor: u8,
    host: &'static str,
    names: Vec<&'static str>,
    connection: Option<&'static str>,
    te: Option<&'static str>,
    expect: Option<&'static str>,
    upgrade: Vec<&'static str>,
    framing: Framed,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Framed {
    Not,
    Length,
    Chunked,
}

/// What differs from one request of a kind to the next.
#[derive(Debug, Clone)]
struct Filling {
    shape: prop::sample::Index,
    blank: bool,
    method: &'static str,
    target: String,
    values: Vec<(&'static str, String, &'static str)>,
    chunks: Vec<Vec<u8>>,
    trailers: Vec<(&'static str, &'static str)>,
}

fn shape() -> impl Strategy<Value = Shape> {
    let names = prop::collection::vec(
        prop::sample::select(vec!["x-a", "X-B", "accept", "Cookie", "user-agent", "x-forwarded-for", "date"]),
        0..7,
    );
    let connection = prop::sample::select(vec![
        None,
        None,
        Some("keep-alive"),
        Some("Close"),
        Some("x, Keep-Alive"),
        Some("close ,x"),
        Some("Upgrade, http2-settings"),
        Some("upgrade"),
    ]);
    let te = prop::sample::select(vec![None, None, Some("Trailers"), Some("gzip, trailers"), Some("gzip")]);
    let expect = prop::sample::select(vec![None, None, None, Some("100-Continue")]);
    let upgrade = prop::sample::select(vec![
        vec![],
        vec![],
        vec![],
        vec!["WebSocket"],
        vec!["h2c"],
        vec!["H2C", "websocket"],
        vec!["websocket", "websocket"],
        vec!["x"],
    ]);
    let framing = prop::sample::select(vec![Framed::Not, Framed::Length, Framed::Chunked]);
    let host = prop::sample::select(vec!["a.example", "A.example", "a.example:80", "a.example:"]);
    let minor = prop::sample::select(vec![0_u8, 1, 1, 1, 1, 9]);
    (minor, host, names, connection, te, expect, upgrade, framing).prop_map(
        |(minor, host, names, connection, te, expect, upgrade, framing)| {
            let framing = match framing {
                // An upgrade has no body, but for the one that is ignored, and HTTP/1.0 knows no chunks.
                _ if !upgrade.is_empty() && upgrade != ["h2c"] => Framed::Not,
                Framed::Chunked if minor == 0 => Framed::Length,
                framing => framing,
            };
            Shape { minor, host, names, connection, te, expect, upgrade, framing }
        },
    )
}

fn filling() -> impl Strategy<Value = Filling> {
    let value = (
        prop::sample::select(vec![" ", "", "\t ", "  "]),
        "([!-~]([ -~\t]{0,8}[!-~])?)?",
        prop::sample::select(vec!["", " ", "\t"]),
    );
    let target = prop_oneof![
        8 => "/[a-z0-9/%?=&.{}|~-]{0,20}",
        1 => "(http://|HTTP://)(a\\.example|A\\.EXAMPLE|a\\.example:80|a\\.example:)(/[a-z]{0,5})?(\\?[a-z]{0,5})?",
        1 => Just("*".to_owned()),
    ];
    let chunk = prop_oneof![
        prop::collection::vec(any::<u8>(), 1..20),
        prop::collection::vec(any::<u8>(), 500..600),
        prop::sample::select(vec![b"1\r\nx\r\n".to_vec(), b"0\r\n\r\n".to_vec(), b"\r\n".to_vec()]),
    ];
    let trailer = prop::sample::select(vec![("x-sum", "1"), ("X-Sum", "two "), ("te", "x")]);
    (
        any::<prop::sample::Index>(),
        prop::bool::weighted(0.1),
        prop::sample::select(vec!["GET", "GET", "POST", "PUT", "m-search!"]),
        target,
        prop::collection::vec(value, 7),
        prop::collection::vec(chunk, 0..6),
        prop::collection::vec(trailer, 0..3),
    )
        .prop_map(|(shape, blank, method, target, values, chunks, trailers)| Filling {
            shape,
            blank,
            method: if target == "*" { "OPTIONS" } else { method },
            target,
            values,
            chunks,
            trailers,
        })
}

/// Writes a request as plainly as can be, and says what it is to be read as.
fn write(shape: &Shape, filling: &Filling) -> (Vec<u8>, Read) {
    let method = match &shape.upgrade[..] {
        ["WebSocket"] if filling.method != "OPTIONS" => "GET",
        _ => filling.method,
    };
    let target = if method == "GET" && filling.target == "*" { "/" } else { &filling.target };
    let data = filling.chunks.concat();
    let blank = if filling.blank { "\r\n" } else { "" };
    let mut head = format!("{blank}{method} {target} HTTP/1.{}\r\n", shape.minor);
    let method_at = blank.len()..blank.len() + method.len();
    let target_at = method_at.end + 1..method_at.end + 1 + target.len();
    let length = data.len().to_string();
    let mut fields = vec![("Host", shape.host)];
    head += &format!("Host: {}\r\n", shape.host);
    for (name, (before, value, after)) in shape.names.iter().zip(&filling.values) {
        head += &format!("{name}:{before}{value}{after}\r\n");
        fields.push((name, value));
    }
    let mut add = |name, value| {
        head += &format!("{name}: {value}\r\n");
        fields.push((name, value));
    };
    shape.connection.into_iter().for_each(|value| add("connection", value));
    shape.te.into_iter().for_each(|value| add("TE", value));
    shape.expect.into_iter().for_each(|value| add("Expect", value));
    shape.upgrade.iter().for_each(|value| add("Upgrade", value));
    if shape.upgrade == ["h2c"] {
        add("HTTP2-Settings", "AA");
    }
    match shape.framing {
        Framed::Not => {}
        Framed::Length => add("content-length", &length),
        Framed::Chunked => add("Transfer-Encoding", "Chunked"),
    }
    head += "\r\n";
    let head_length = head.len();
    let mut bytes = head.into_bytes();
    let (mut body, mut trailers) = (Vec::new(), None);
    match shape.framing {
        Framed::Not => {}
        Framed::Length => {
            bytes.extend(&data);
            body = data;
        }
        Framed::Chunked => {
            for chunk in &filling.chunks {
                bytes.extend([format!("{:X}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat());
            }
            bytes.extend(b"0\r\n");
            for (name, value) in &filling.trailers {
                bytes.extend(format!("{name}: {value}\r\n").into_bytes());
            }
            bytes.extend(b"\r\n");
            let map = header_map(filling.trailers.iter().map(|(name, value)| (*name, value.trim())));
            trailers = Some(map).filter(|map| !map.is_empty());
            body = data;
        }
    }
    let body_length = match shape.framing {
        Framed::Chunked => BodyLength::Chunked,
        _ if body.is_empty() => BodyLength::None,
        _ => BodyLength::Known(body.len() as u64),
    };
    let modern = shape.minor > 0;
    let options: Vec<_> = shape
        .connection
        .unwrap_or_default()
        .split(',')
        .map(|option| option.trim().to_ascii_lowercase())
        .collect();
    let has = |option: &str| options.iter().any(|given| given == option);
    let upgrade = match &shape.upgrade[..] {
        [] => None,
        ["WebSocket"] if modern && has("upgrade") => Some(Upgrade::WebSocket),
        _ => Some(Upgrade::Ignored),
    };
    if upgrade == Some(Upgrade::Ignored) {
        fields.retain(|(name, _)| !matches!(*name, "Upgrade" | "HTTP2-Settings"));
    }
    let version = if modern { Version::HTTP_11 } else { Version::HTTP_10 };
    let head = RequestHead {
        length: head_length,
        method: method_at,
        target: target_at,
        version,
        body: body_length,
        upgrade,
        persistent: !has("close") && (modern || has("keep-alive")),
        expects_continue: shape.expect.is_some() && modern && body_length != BodyLength::None,
        takes_trailers: shape.te.is_some_and(|te| te.to_ascii_lowercase().contains("trailers")),
        dropped_fields: 0,
    };
    let uri: Uri = target.parse().expect("a URI");
    let request = (method.parse().expect("a method"), uri, version, header_map(fields));
    (bytes, Read { head, request, body, trailers, whole: true })
}

proptest! {
    #[test]
    fn requests_are_read_as_they_were_written(
        shapes in prop::collection::vec(shape(), 1..3),
        fillings in prop::collection::vec(filling(), 1..12),
        cuts in prop::collection::vec(prop_oneof![1..9_usize, 1..900_usize], 1..30),
    ) {
        let (mut stream, mut expected) = (Vec::new(), Vec::new());
        for filling in &fillings {
            let shape = filling.shape.get(&shapes);
            // A WebSocket is asked for by GET alone.
            if shape.upgrade == ["WebSocket"] && filling.method == "OPTIONS" {
                continue;
            }
            let (bytes, read) = write(shape, filling);
            stream.extend(bytes);
            expected.push(read);
        }
        for (pieces, remember) in [
            (vec![&stream[..]], false),
            (vec![&stream[..]], true),
            (pieces(&stream, &cuts), false),
            (pieces(&stream, &cuts), true),
            (stream.chunks(1).collect(), true),
        ] {
            let (read, violation) = read_all(pieces, remember);
            prop_assert_eq!(violation, None);
            prop_assert_eq!(&read, &expected);
        }
    }
}

const HEAD: &str = "GET /a HTTP/1.1\r\nhost: a\r\nx: 1\r\n\r\n";

/// Reads heads one after the other, and tells of each whether its target stands where that of the one before does: so it
/// does when its head was not read the long way.
fn remembered(reader: &mut RequestReader, heads: &[&str]) -> Vec<bool> {
    // They are kept, so that no memory is used twice.
    let mut requests = Vec::<Request<()>>::new();
    for head in heads {
        let mut received = BytesMut::from(*head);
        let (_, request) = reader.read(&mut received).expect("sound").expect("whole");
        assert!(received.is_empty());
        assert_eq!((request.uri().path(), request.headers().len()), ("/a", 2));
        requests.push(request);
    }
    requests.windows(2).map(|pair| pair[0].uri().path().as_ptr() == pair[1].uri().path().as_ptr()).collect()
}

#[test]
fn heads_that_resemble_the_one_before_are_not_read_the_long_way() {
    let mut reader = RequestReader::new(Rules::default());
    let changed = HEAD.replace("x: 1", "x: 2");
    // The second head is kept, and the third is the first that is compared with it.
    assert_eq!(remembered(&mut reader, &[HEAD, HEAD, HEAD, &changed, HEAD]), [false, false, true, true]);
    reader.release();
    assert_eq!(
        remembered(&mut reader, &[HEAD; 5]),
        [false, false, true, true],
        "a released reader has no memory"
    );
    let mut forgetful = RequestReader::new(Rules::default()).remember_heads(false);
    assert_eq!(remembered(&mut forgetful, &[HEAD; 5]), [false; 4]);
    let mut reader = RequestReader::new(Rules::default()).remember_heads(true);
    assert_eq!(remembered(&mut reader, &[HEAD; 5]), [false, false, true, true]);

    // What has begun is read to its end, and what follows is a head of its own.
    let mut received = BytesMut::from(&HEAD[..10]);
    assert!(reader.read::<()>(&mut received).expect("sound").is_none());
    received.extend_from_slice(&HEAD.as_bytes()[10..]);
    received.extend_from_slice(HEAD.as_bytes());
    for _ in 0..2 {
        assert!(reader.read::<()>(&mut received).expect("sound").is_some());
    }
    assert!(received.is_empty());
}

#[test]
fn the_memory_of_heads_goes_up_to_the_bound_of_a_head() {
    let head = |length: usize| format!("GET /a HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "b".repeat(length - 33));
    assert_eq!(head(100).len(), 100);
    for length in [99, 100] {
        let mut reader = RequestReader::new(Rules { max_head: 100, ..Rules::default() });
        let heads = [&head(50)[..], &head(50), &head(50), &head(length)];
        assert_eq!(remembered(&mut reader, &heads), [false, false, true], "{length}");
    }
    // And the method and the target may change, but not the version.
    let head = |line: &str| format!("{line}\r\nhost: a\r\nx: 1\r\n\r\n");
    let read = |reader: &mut RequestReader, line: &str| {
        let (head, request) =
            reader.read::<()>(&mut BytesMut::from(&head(line)[..])).expect("sound").expect("whole");
        (
            head,
            request.method().to_string(),
            request.uri().to_string(),
            request.version(),
            request.headers().clone(),
        )
    };
    for before in ["GET /a HTTP/1.1", "OPTIONS * HTTP/1.1", "GET http://a/a HTTP/1.1", "GET /a HTTP/1.0"] {
        for line in [
            "POST /bcd?e HTTP/1.1",
            "GET /a HTTP/1.0",
            "OPTIONS * HTTP/1.1",
            "GET http://a:80/ HTTP/1.1",
            "GET / HTTP/1.2",
        ] {
            let mut reader = RequestReader::new(Rules::default());
            for _ in 0..3 {
                read(&mut reader, before);
            }
            let fresh = read(&mut RequestReader::new(Rules::default()).remember_heads(false), line);
            assert_eq!(read(&mut reader, line), fresh, "{line} after {before}");
        }
    }
}

#[test]
fn a_head_has_begun_with_its_first_byte_after_a_blank_line() {
    let mut reader = RequestReader::new(Rules::default());
    let mut received = BytesMut::new();
    assert!(!reader.has_begun(&received));
    for (byte, begun) in [
        ("\r", true),
        ("\n", false),
        ("G", true),
        ("ET / HTTP/1.1\r\n", true),
        ("host: a\r\n", true),
        ("\r", true),
    ] {
        received.extend_from_slice(byte.as_bytes());
        assert!(reader.read::<()>(&mut received).expect("sound").is_none());
        assert_eq!(reader.has_begun(&received), begun, "after {byte:?}");
    }
    received.extend_from_slice(b"\n");
    assert!(reader.read::<()>(&mut received).expect("sound").is_some());
    assert!(!reader.has_begun(&received));
    // A request line alone has begun a head, though nothing stands behind it.
    received.extend_from_slice(b"GET / HTTP/1.1\r\n");
    assert!(reader.read::<()>(&mut received).expect("sound").is_none());
    assert!(reader.has_begun(&received));
}

#[test]
fn a_reader_says_what_its_rules_are_and_a_map_has_room_for_eight_fields_of_layers() {
    let rules = Rules { max_fields: 7, ..Rules::default() };
    let mut reader = RequestReader::new(rules).remember_heads(false);
    assert_eq!(*reader.rules(), rules);
    for fields in [1, 4, 7] {
        let others: String = (1..fields).map(|at| format!("x-{at}: 1\r\n")).collect();
        let mut received = BytesMut::from(&format!("GET / HTTP/1.1\r\nhost: a\r\n{others}\r\n")[..]);
        let (_, request) = reader.read::<()>(&mut received).expect("sound").expect("whole");
        let mut expected = HeaderMap::<HeaderValue>::new();
        expected.reserve(fields + 8);
        assert_eq!((request.headers().len(), request.headers().capacity()), (fields, expected.capacity()));
    }
}
