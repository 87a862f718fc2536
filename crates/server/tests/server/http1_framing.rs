//! Each rule of a head, over a real socket: the bytes, the status, and that the service hears nothing of it.

use gatewright_server::Names;

use crate::support::{limits, raw, start};

const GET: &str = "GET / HTTP/1.1\r\nhost: a\r\n";
const POST: &str = "POST / HTTP/1.1\r\nhost: a\r\n";

fn get(fields: &str) -> Vec<u8> {
    format!("{GET}{fields}\r\n").into_bytes()
}

fn post(rest: &str) -> Vec<u8> {
    format!("{POST}{rest}").into_bytes()
}

/// What must be refused, by status. Every one closes the connection.
fn refused() -> Vec<(u16, &'static str, Vec<u8>)> {
    let text = |text: &str| text.as_bytes().to_vec();
    let many = "x: 1\r\n".repeat(101);
    let hundred = "x: 1\r\n".repeat(100);
    let large = format!("x: {}\r\n", "a".repeat(64 * 1024));
    let long_target = format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "a".repeat(8 * 1024));
    vec![
        // Two lengths, or a coding that somebody may read in another way (CL.TE, TE.CL, TE.TE).
        (400, "length with coding", post("content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n")),
        (400, "coding with length", post("transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n")),
        (
            400,
            "zero length with coding",
            post("content-length: 0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
        ),
        (400, "two codings", post("transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n")),
        (
            400,
            "a coding and identity",
            post("transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n"),
        ),
        (400, "xchunked", post("transfer-encoding: xchunked\r\n\r\n0\r\n\r\n")),
        (400, "identity", post("transfer-encoding: identity\r\n\r\n")),
        (400, "gzip, chunked", post("transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n")),
        (400, "chunked, identity", post("transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n")),
        (400, "chunked, chunked", post("transfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n")),
        (400, "chunked with a parameter", post("transfer-encoding: chunked;a=b\r\n\r\n0\r\n\r\n")),
        (400, "quoted chunked", post("transfer-encoding: \"chunked\"\r\n\r\n0\r\n\r\n")),
        (400, "leading comma", post("transfer-encoding: ,chunked\r\n\r\n0\r\n\r\n")),
        (400, "empty coding", post("transfer-encoding:\r\n\r\n")),
        (400, "vertical tab before chunked", post("transfer-encoding: \x0bchunked\r\n\r\n0\r\n\r\n")),
        (400, "form feed after chunked", post("transfer-encoding: chunked\x0c\r\n\r\n0\r\n\r\n")),
        (400, "NUL in chunked", post("transfer-encoding: chun\0ked\r\n\r\n0\r\n\r\n")),
        (400, "backspace after chunked", post("transfer-encoding: chunked\x08\r\n\r\n0\r\n\r\n")),
        (
            400,
            "high byte before chunked",
            [&post("transfer-encoding: ")[..], b"\xffchunked\r\n\r\n0\r\n\r\n"].concat(),
        ),
        (400, "no-break space", post("transfer-encoding:\u{a0}chunked\r\n\r\n0\r\n\r\n")),
        (400, "space before the colon", post("transfer-encoding : chunked\r\n\r\n0\r\n\r\n")),
        (400, "tab before the colon", post("transfer-encoding\t: chunked\r\n\r\n0\r\n\r\n")),
        (400, "folded coding", post("transfer-encoding:\r\n chunked\r\n\r\n0\r\n\r\n")),
        (400, "field hidden in a fold", post("x: y\r\n transfer-encoding: chunked\r\n\r\n0\r\n\r\n")),
        (400, "bare LF before a coding", post("x: y\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n")),
        (400, "bare CR before a coding", post("x: y\rtransfer-encoding: chunked\r\n\r\n0\r\n\r\n")),
        (400, "bare CR after the name", post("transfer-encoding\r: chunked\r\n\r\n0\r\n\r\n")),
        (400, "CR CR LF", post("x: y\r\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n")),
        (
            400,
            "coding in HTTP/1.0",
            text("POST / HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
        ),
        (400, "plus before the length", post("content-length: +5\r\n\r\nhello")),
        (400, "minus before the length", post("content-length: -5\r\n\r\nhello")),
        (400, "empty length", post("content-length:\r\n\r\n")),
        (400, "blank length", post("content-length: \t \r\n\r\n")),
        (400, "list of lengths", post("content-length: 5, 5\r\n\r\nhello")),
        (400, "list with an empty element", post("content-length: 5,\r\n\r\nhello")),
        (400, "differing lengths", post("content-length: 5\r\ncontent-length: 6\r\n\r\nhello")),
        (400, "the same length twice", post("content-length: 5\r\ncontent-length: 5\r\n\r\nhello")),
        (400, "hexadecimal length", post("content-length: 0x5\r\n\r\nhello")),
        (400, "octal length", post("content-length: 010\r\n\r\nhello")),
        (400, "length with a fraction", post("content-length: 5.0\r\n\r\nhello")),
        (400, "length with an exponent", post("content-length: 1e1\r\n\r\nhello")),
        (400, "length with a separator", post("content-length: 1_0\r\n\r\nhello")),
        (400, "length with a space", post("content-length: 1 0\r\n\r\nhello")),
        (400, "length beyond 64 bits", post("content-length: 18446744073709551621\r\n\r\nhello")),
        (400, "length beyond a signed 64-bit number", post("content-length: 9223372036854775808\r\n\r\nhello")),
        (400, "length in other digits", post("content-length: \u{665}\r\n\r\nhello")),
        (400, "space before the colon of a length", post("content-length : 5\r\n\r\nhello")),
        // Lines and characters.
        (400, "bare LF after the request line", text("GET / HTTP/1.1\nhost: a\r\n\r\n")),
        (400, "bare LF at the end", text("GET / HTTP/1.1\r\nhost: a\n\n")),
        (400, "bare LF for the empty line", text("GET / HTTP/1.1\r\nhost: a\r\n\n")),
        (400, "bare CR in a value", get("x: a\rb\r\n")),
        (400, "bare CR in the request line", text("GET /\rx HTTP/1.1\r\nhost: a\r\n\r\n")),
        (400, "folded field", get("x: a\r\n b\r\n")),
        (400, "folded first field", text("GET / HTTP/1.1\r\n host: a\r\n\r\n")),
        (400, "fold by a tab", get("x: a\r\n\tb\r\n")),
        (400, "NUL in a value", get("x: a\0b\r\n")),
        (400, "NUL in a name", get("x\0: a\r\n")),
        (400, "control character in a value", get("x: \x01\r\n")),
        (400, "DEL in a value", get("x: \x7f\r\n")),
        (400, "empty name", get(": a\r\n")),
        (400, "no colon", get("x\r\n")),
        (400, "space in a name", get("x y: a\r\n")),
        (400, "space before the colon of any field", get("x : a\r\n")),
        (400, "slash in a name", get("x/y: a\r\n")),
        (400, "name beyond ASCII", get("x\u{e9}: a\r\n")),
        // The request line.
        (400, "two blank lines before it", text("\r\n\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n")),
        (400, "LF before it", text("\nGET / HTTP/1.1\r\nhost: a\r\n\r\n")),
        (400, "space before it", text(" GET / HTTP/1.1\r\nhost: a\r\n\r\n")),
        (400, "two spaces", text("GET  / HTTP/1.1\r\nhost: a\r\n\r\n")),
        (400, "space after the version", text("GET / HTTP/1.1 \r\nhost: a\r\n\r\n")),
        (400, "space in the target", text("GET /a b HTTP/1.1\r\nhost: a\r\n\r\n")),
        (400, "tab for a space", text("GET\t/ HTTP/1.1\r\nhost: a\r\n\r\n")),
        (400, "HTTP/0.9", text("GET /\r\n\r\n")),
        (400, "no target", text("GET HTTP/1.1\r\nhost: a\r\n\r\n")),
        (400, "lower-case version", text("GET / http/1.1\r\nhost: a\r\n\r\n")),
        (400, "version with more digits", text("GET / HTTP/1.10\r\nhost: a\r\n\r\n")),
        (400, "two targets' worth of version", text("GET / HTTP/1.1 HTTP/1.1\r\nhost: a\r\n\r\n")),
        (505, "HTTP/2.0", text("GET / HTTP/2.0\r\nhost: a\r\n\r\n")),
        (505, "HTTP/0.9 named", text("GET / HTTP/0.9\r\nhost: a\r\n\r\n")),
        (400, "method that is no token", text("GE(T / HTTP/1.1\r\nhost: a\r\n\r\n")),
        (400, "method without end", text(&format!("{} / HTTP/1.1\r\nhost: a\r\n\r\n", "A".repeat(1000)))),
        (400, "method of 20,000 bytes", text(&format!("{} / HTTP/1.1\r\nhost: a\r\n\r\n", "A".repeat(20_000)))),
        (400, "TLS spoken to a cleartext port", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec()),
        (400, "fragment", text("GET /a#b HTTP/1.1\r\nhost: a\r\n\r\n")),
        (400, "NUL in the target", text("GET /a\0 HTTP/1.1\r\nhost: a\r\n\r\n")),
        (400, "target beyond ASCII", text("GET /\u{e9} HTTP/1.1\r\nhost: a\r\n\r\n")),
        (400, "angle bracket in the target", text("GET /<x> HTTP/1.1\r\nhost: a\r\n\r\n")),
        (400, "relative target", text("GET a HTTP/1.1\r\nhost: a\r\n\r\n")),
        (400, "asterisk but for OPTIONS", text("GET * HTTP/1.1\r\nhost: a\r\n\r\n")),
        (400, "authority-form", text("GET a:80 HTTP/1.1\r\nhost: a\r\n\r\n")),
        (400, "another scheme", text("GET ftp://a/ HTTP/1.1\r\nhost: a\r\n\r\n")),
        (400, "user information", text("GET http://u:p@a/ HTTP/1.1\r\nhost: a\r\n\r\n")),
        (405, "CONNECT", text("CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\n\r\n")),
        // Host.
        (400, "no host", text("GET / HTTP/1.1\r\n\r\n")),
        (400, "no host in HTTP/1.0, but one in the target", text("GET http://a/ HTTP/1.0\r\n\r\n")),
        (400, "empty host in HTTP/1.0", text("GET / HTTP/1.0\r\nhost:\r\n\r\n")),
        (400, "two hosts", get("host: b\r\n")),
        (400, "the same host twice", get("host: a\r\n")),
        (400, "empty host", text("GET / HTTP/1.1\r\nhost:\r\n\r\n")),
        (400, "user information in host", text("GET / HTTP/1.1\r\nhost: u@a\r\n\r\n")),
        (400, "path in host", text("GET / HTTP/1.1\r\nhost: a/b\r\n\r\n")),
        (400, "list of hosts", text("GET / HTTP/1.1\r\nhost: a, b\r\n\r\n")),
        (400, "space in host", text("GET / HTTP/1.1\r\nhost: a b\r\n\r\n")),
        (400, "port that is no number", text("GET / HTTP/1.1\r\nhost: a:x\r\n\r\n")),
        (400, "percent in host", text("GET / HTTP/1.1\r\nhost: a%2eb\r\n\r\n")),
        (400, "host with a space before its colon", text("GET / HTTP/1.1\r\nhost : a\r\n\r\n")),
        (400, "host differs from the target", text("GET http://b/ HTTP/1.1\r\nhost: a\r\n\r\n")),
        (400, "port differs from the target", text("GET http://a:81/ HTTP/1.1\r\nhost: a\r\n\r\n")),
        // Expectations.
        (417, "another expectation", post("expect: 200-ok\r\ncontent-length: 1\r\n\r\nx")),
        (417, "two expectations", post("expect: 100-continue, x\r\ncontent-length: 1\r\n\r\nx")),
        (417, "a second expectation", post("expect: 100-continue\r\nexpect: x\r\ncontent-length: 1\r\n\r\nx")),
        // Sizes.
        (431, "101 header lines", text(&format!("GET / HTTP/1.1\r\n{hundred}host: a\r\n\r\n"))),
        (431, "header lines without end", text(&format!("GET / HTTP/1.1\r\n{many}"))),
        (431, "large head", get(&large)),
        (431, "large head without end", text(&format!("{GET}x: {}", "a".repeat(70_000)))),
        (414, "long target", text(&long_target)),
        (414, "long target without end", text(&format!("GET /{}", "a".repeat(9000)))),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn each_malformed_head_is_refused_and_closed_and_never_reaches_the_service() {
    let server = start(limits());
    for (status, name, bytes) in refused() {
        let outcome = raw(server.address, &bytes).await;
        assert_eq!(outcome.statuses(), [status], "{name}");
        assert!(outcome.closed, "{name}: stays open");
        let answer = &outcome.answers[0];
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{name}");
        assert_eq!(answer.header("connection"), Some("close"), "{name}");
        assert!(answer.header("date").is_some(), "{name}");
        let id = answer.header("x-request-id").expect("an id");
        assert!(String::from_utf8_lossy(&answer.body).contains(id), "{name}");
        assert!(String::from_utf8_lossy(&answer.body).contains(&format!("\"status\":{status}")), "{name}");
    }
    assert_eq!(server.calls(), 0);
    assert_eq!(server.reasons().len(), refused().len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_head_is_refused_all_the_same_when_each_byte_comes_alone() {
    let server = start(limits());
    for (status, name, bytes) in refused().into_iter().filter(|(_, _, bytes)| bytes.len() < 200) {
        let mut stream = server.connect().await;
        stream.set_nodelay(true).expect("a socket");
        for byte in bytes.chunks(1) {
            if tokio::io::AsyncWriteExt::write_all(&mut stream, byte).await.is_err() {
                break;
            }
            tokio::task::yield_now().await;
        }
        let outcome = crate::support::finish(&mut stream, std::time::Duration::from_millis(400)).await;
        assert_eq!(outcome.statuses(), [status], "{name}");
        assert!(outcome.closed, "{name}: stays open");
    }
    assert_eq!(server.calls(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_before_the_malformed_one_gets_its_response_first() {
    let server = start(limits());
    for (status, name, bytes) in refused() {
        for path in ["/", "/slow"] {
            if path == "/slow" && !name.contains("bare") {
                continue;
            }
            let first = format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n");
            let patience = std::time::Duration::from_secs(1);
            let outcome =
                crate::support::raw_with(server.address, &[first.as_bytes(), &bytes].concat(), patience).await;
            assert_eq!(outcome.statuses(), [200, status], "{name} after {path}");
            assert!(outcome.closed, "{name}: stays open");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn well_formed_heads_pass() {
    let server = start(limits());
    let ninety_nine = "x: 1\r\n".repeat(99);
    let large = format!("x: {}\r\n", "a".repeat(60 * 1024));
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("plain", get("")),
        ("blank line before it", [b"\r\n".as_slice(), &get("")].concat()),
        ("empty value", get("x:\r\n")),
        ("no space after the colon", get("x:y\r\n")),
        ("tab around a value", get("x:\ty\t\r\n")),
        ("value beyond ASCII", get("x: \u{e9}\r\n")),
        ("upper case", b"GET / HTTP/1.1\r\nHOST: A\r\n\r\n".to_vec()),
        ("host with a port", b"GET / HTTP/1.1\r\nhost: a:8080\r\n\r\n".to_vec()),
        ("host with an empty port", b"GET / HTTP/1.1\r\nhost: a:\r\n\r\n".to_vec()),
        ("absolute-form with an empty port", b"GET http://a:/x HTTP/1.1\r\nhost: a\r\n\r\n".to_vec()),
        ("HTTP/1.2", b"GET / HTTP/1.2\r\nhost: a\r\n\r\n".to_vec()),
        ("host of IPv6", b"GET / HTTP/1.1\r\nhost: [::1]:80\r\n\r\n".to_vec()),
        ("absolute-form", b"GET http://a/x HTTP/1.1\r\nhost: a\r\n\r\n".to_vec()),
        ("absolute-form with the default port", b"GET http://A:80/x HTTP/1.1\r\nhost: a\r\n\r\n".to_vec()),
        ("asterisk-form", b"OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n".to_vec()),
        ("another method", b"PURGE / HTTP/1.1\r\nhost: a\r\n\r\n".to_vec()),
        ("100 header lines", get(&ninety_nine)),
        ("head of 60 KiB", get(&large)),
        ("target of 8 KiB", format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "a".repeat(8191)).into_bytes()),
        ("length", post("content-length: 5\r\n\r\nhello")),
        ("zero length", post("content-length: 0\r\n\r\n")),
        ("chunks", post("transfer-encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")),
        // Offers of an upgrade that nobody takes (RFC 9110, section 7.8).
        (
            "upgrade to h2c",
            get("connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AA\r\n"),
        ),
        ("upgrade to h2c with a body", post("upgrade: h2c\r\ncontent-length: 1\r\n\r\nx")),
        // Apache HttpClient since 5.4.
        (
            "upgrade to TLS with a body",
            post("connection: Upgrade\r\nupgrade: TLS/1.2\r\ncontent-length: 1\r\n\r\nx"),
        ),
        (
            "upgrade to TLS without a body",
            post("connection: Upgrade\r\nupgrade: TLS/1.2\r\ncontent-length: 0\r\n\r\n"),
        ),
        (
            "upgrade to TLS with chunks",
            post(
                "connection: Upgrade\r\nupgrade: TLS/1.2\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
            ),
        ),
        (
            "upgrade to several protocols",
            post("upgrade: TLS/1.2, HTTP/2.0, websocket\r\ncontent-length: 0\r\n\r\n"),
        ),
        ("upgrade twice", get("connection: upgrade\r\nupgrade: websocket\r\nupgrade: x\r\n")),
        ("WebSocket by POST", post("connection: upgrade\r\nupgrade: websocket\r\n\r\n")),
        (
            "WebSocket with a body",
            post("connection: upgrade\r\nupgrade: websocket\r\ncontent-length: 1\r\n\r\nx"),
        ),
        (
            "WebSocket with chunks",
            post("connection: upgrade\r\nupgrade: websocket\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
        ),
    ];
    let count = cases.len();
    for (name, bytes) in cases {
        let outcome = raw(server.address, &bytes).await;
        assert_eq!(outcome.statuses(), [200], "{name}");
        assert!(!outcome.closed, "{name}: closed");
        let headers = outcome.answers[0].header("x-headers").expect("echoed");
        assert!(!headers.contains("upgrade") && !headers.contains("http2-settings"), "{name}: {headers}");
    }
    assert_eq!(server.calls(), count);
}

#[tokio::test(flavor = "multi_thread")]
async fn http_1_0_closes_unless_it_asks_to_stay() {
    let server = start(limits());
    let outcome = raw(server.address, b"GET / HTTP/1.0\r\nhost: a\r\n\r\n").await;
    assert_eq!((outcome.statuses(), outcome.closed), (vec![200], true));
    let outcome = raw(server.address, b"GET / HTTP/1.0\r\nhost: a\r\nconnection: keep-alive\r\n\r\n").await;
    assert_eq!((outcome.statuses(), outcome.closed), (vec![200], false));
}

/// Load balancers probe so, and HTTP/1.0 asks for no host.
#[tokio::test(flavor = "multi_thread")]
async fn http_1_0_needs_no_host() {
    let server = start(limits());
    for head in ["GET / HTTP/1.0\r\n\r\n", "HEAD / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n"] {
        let outcome = raw(server.address, head.as_bytes()).await;
        assert_eq!(outcome.statuses(), [200], "{head}");
        let headers = outcome.answers[0].header("x-headers").expect("echoed");
        assert!(!headers.contains("host"), "{headers}");
    }
}

/// nginx drops such fields, whatever they are.
#[tokio::test(flavor = "multi_thread")]
async fn fields_with_unusual_names_are_dropped_and_counted_or_refused_by_name_or_pass() {
    let unusual = ["x_user", "X-A.B", "x!", "x$y", "content_type"];
    let framing = ["content_length", "Transfer_Encoding", "transfer.encoding", "HOST_", "expect!"];
    let field = |name: &str| get(&format!("{name}: 1\r\nx-other: 2\r\n"));

    let server = start(limits());
    for name in unusual.iter().chain(&framing) {
        let outcome = raw(server.address, &field(name)).await;
        assert_eq!(outcome.statuses(), [200], "{name}");
        let headers = outcome.answers[0].header("x-headers").expect("echoed");
        assert!(headers.contains("x-other") && !headers.contains(&name.to_lowercase()), "{name}: {headers}");
    }
    assert_eq!(server.handle.dropped_fields(), 10);
    // A field that is dropped counts as one all the same.
    assert_eq!(raw(server.address, &get(&"x_y: 1\r\n".repeat(100))).await.statuses(), [431]);

    let server = start(limits().header_names(Names::Refuse));
    for name in unusual.iter().chain(&framing) {
        let outcome = raw(server.address, &field(name)).await;
        assert_eq!(outcome.statuses(), [400], "{name}");
        let body = String::from_utf8_lossy(&outcome.answers[0].body).into_owned();
        assert!(body.contains("header_names") && body.contains(name), "{body}");
    }
    assert_eq!((server.calls(), server.handle.dropped_fields()), (0, 0));

    let server = start(limits().header_names(Names::Pass));
    for name in unusual {
        let outcome = raw(server.address, &field(name)).await;
        assert_eq!(outcome.statuses(), [200], "{name}");
        let headers = outcome.answers[0].header("x-headers").expect("echoed");
        assert!(headers.contains(&name.to_lowercase()), "{name}: {headers}");
    }
    for name in ["content_length", "Transfer_Encoding", "transfer.encoding"] {
        let outcome = raw(server.address, &field(name)).await;
        assert_eq!(outcome.statuses(), [400], "{name}");
        assert!(String::from_utf8_lossy(&outcome.answers[0].body).contains(name), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_of_size_can_be_set() {
    let server = start(limits().max_head(1024).max_target(100).max_headers(3));
    for (status, bytes) in [
        (200, get("x: 1\r\ny: 1\r\n")),
        (431, get("x: 1\r\ny: 1\r\nz: 1\r\n")),
        (431, get(&format!("x: {}\r\n", "a".repeat(1024)))),
        (414, format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "a".repeat(100)).into_bytes()),
    ] {
        assert_eq!(raw(server.address, &bytes).await.statuses(), [status]);
    }
    let server = start(limits().max_headers(300).max_head(256 * 1024));
    assert_eq!(raw(server.address, &get(&"x: 1\r\n".repeat(250))).await.statuses(), [200]);
    assert_eq!(raw(server.address, &get(&format!("x: {}\r\n", "a".repeat(200_000)))).await.statuses(), [200]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_reported_with_its_request_line_escaped() {
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let sink = seen.clone();
    let server = crate::support::start_with(crate::support::echo(), |builder| {
        builder.listener(crate::support::plain().name("front")).on_refused(move |refused| {
            let method = refused.method().map(|method| method.to_string());
            let target = refused.target().map(|target| target.to_string());
            let listener = refused.listener().to_string();
            sink.lock().expect("not poisoned").push((listener, refused.reason(), method, target));
        })
    });
    raw(server.address, b"GET /\"x\\y HTTP/1.1\r\nhost: a\r\nx\0: y\r\n\r\n").await;
    let seen = seen.lock().expect("not poisoned");
    let expected =
        ("front".to_owned(), "control_character", Some("GET".to_owned()), Some(r#"/\"x\\y"#.to_owned()));
    assert_eq!(*seen, [expected]);
}
