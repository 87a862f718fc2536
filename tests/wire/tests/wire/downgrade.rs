//! HTTP/2 in, HTTP/1.1 out: nothing that only HTTP/2 can say becomes syntax (RFC 9113, sections 8.1 to 8.3, 10.3).

use harness::{Gateway, Origin, Outcome, RawH2Client, Tally, flag, kind};

type Field = (&'static [u8], &'static [u8]);

const GET: [Field; 4] =
    [(b":method", b"GET"), (b":scheme", b"http"), (b":authority", b"one.test"), (b":path", b"/x")];
const POST: [Field; 4] =
    [(b":method", b"POST"), (b":scheme", b"http"), (b":authority", b"one.test"), (b":path", b"/x")];

fn with(base: &[Field], more: &[Field]) -> Vec<Field> {
    [base, more].concat()
}

/// The base with one pseudo-header's value replaced.
fn replacing(name: &'static [u8], value: &'static [u8]) -> Vec<Field> {
    GET.iter().map(|field| if field.0 == name { (name, value) } else { *field }).collect()
}

fn without(name: &[u8]) -> Vec<Field> {
    GET.iter().filter(|field| field.0 != name).copied().collect()
}

#[tokio::test]
async fn what_would_be_syntax_in_http1_is_reset_or_refused() {
    let origin = Origin::ok().await;
    let gateway = Gateway::to(origin.address());
    let mut cases: Vec<(&str, Vec<Field>)> = vec![
        ("CRLF in a value", with(&GET, &[(b"a", b"b\r\nx-smuggled: 1")])),
        ("LF in a value", with(&GET, &[(b"a", b"b\nx-smuggled: 1")])),
        ("CR in a value", with(&GET, &[(b"a", b"b\rx-smuggled: 1")])),
        ("NUL in a value", with(&GET, &[(b"a", b"b\0c")])),
        ("CRLF in a name", with(&GET, &[(b"a: b\r\nx-smuggled", b"1")])),
        ("a colon in a name", with(&GET, &[(b"x-smuggled: 1", b"1")])),
        ("a space in a name", with(&GET, &[(b"x smuggled", b"1")])),
        ("a NUL in a name", with(&GET, &[(b"x\0", b"1")])),
        ("an empty name", with(&GET, &[(b"", b"1")])),
        ("an upper-case name", with(&GET, &[(b"X-Smuggled", b"1")])),
        ("connection", with(&GET, &[(b"connection", b"close")])),
        ("connection nominating", with(&GET, &[(b"connection", b"x-forwarded-for")])),
        ("keep-alive", with(&GET, &[(b"keep-alive", b"1")])),
        ("proxy-connection", with(&GET, &[(b"proxy-connection", b"close")])),
        ("transfer-encoding", with(&POST, &[(b"transfer-encoding", b"chunked")])),
        ("upgrade", with(&GET, &[(b"upgrade", b"websocket")])),
        ("te of another value", with(&GET, &[(b"te", b"gzip")])),
        ("te with more than trailers", with(&GET, &[(b"te", b"trailers, gzip")])),
        ("a path without a slash", replacing(b":path", b"x")),
        ("an empty path", replacing(b":path", b"")),
        ("a path with CRLF", replacing(b":path", b"/ HTTP/1.1\r\nHost: evil\r\n\r\n")),
        ("a path with a space", replacing(b":path", b"/x HTTP/1.1")),
        ("a path with NUL", replacing(b":path", b"/\0")),
        ("a path that is a URL", replacing(b":path", b"http://two.test/")),
        ("a method with a space", replacing(b":method", b"GET /smuggled HTTP/1.1")),
        ("a method with CRLF", replacing(b":method", b"GET\r\n")),
        ("an empty method", replacing(b":method", b"")),
        ("an authority with CRLF", replacing(b":authority", b"one.test\r\nx-smuggled: 1")),
        ("an authority with a user", replacing(b":authority", b"user@one.test")),
        ("an authority with a path", replacing(b":authority", b"one.test/x")),
        ("an authority with a space", replacing(b":authority", b"one.test two.test")),
        ("an authority of a bad port", replacing(b":authority", b"one.test:x")),
        ("an empty authority", replacing(b":authority", b"")),
        ("a scheme with CRLF", replacing(b":scheme", b"http\r\nx: y")),
        ("no method", without(b":method")),
        ("no scheme", without(b":scheme")),
        ("no path", without(b":path")),
        ("no authority and no host", without(b":authority")),
        ("two methods", with(&[(b":method", b"POST")], &GET)),
        ("two paths", with(&[(b":path", b"/y")], &GET)),
        ("two authorities", with(&[(b":authority", b"two.test")], &GET)),
        ("an unknown pseudo-header", with(&[(b":smuggled", b"1")], &GET)),
        ("a response's pseudo-header", with(&[(b":status", b"200")], &GET)),
        (
            "a pseudo-header after the fields",
            with(&with(&without(b":path"), &[(b"a", b"b")]), &[(b":path", b"/x")]),
        ),
        ("host that differs", with(&GET, &[(b"host", b"two.test")])),
        ("host of another port", with(&GET, &[(b"host", b"one.test:81")])),
        ("host twice", with(&GET, &[(b"host", b"one.test"), (b"host", b"one.test")])),
        ("host twice without authority", with(&without(b":authority"), &[(b"host", b"a"), (b"host", b"b")])),
        ("content-length without a body", with(&POST, &[(b"content-length", b"5")])),
        ("content-length twice", with(&POST, &[(b"content-length", b"0"), (b"content-length", b"5")])),
        ("content-length twice, equal", with(&POST, &[(b"content-length", b"0"), (b"content-length", b"0")])),
        ("content-length of a sign", with(&POST, &[(b"content-length", b"+0")])),
        ("content-length of a list", with(&POST, &[(b"content-length", b"0, 0")])),
        ("content-length of words", with(&POST, &[(b"content-length", b"zero")])),
        ("an unknown expectation's 417", with(&POST, &[(b"expect", b"x")])),
        ("extended CONNECT", with(&[(b":protocol", b"websocket")], &replacing(b":method", b"CONNECT"))),
    ];
    let mut tally = Tally::new();
    for (case, fields) in cases.drain(..) {
        let mut client = RawH2Client::connect(gateway.address()).await;
        client.headers(1, &fields, true).await.unwrap();
        let outcome = client.outcome(1).await;
        let refused = match outcome {
            Outcome::Reset(_) | Outcome::Status(400) => true,
            Outcome::Status(417) => case.ends_with("417"),
            // h2 takes a name or value that it cannot hold for an error of the connection, which is stricter yet.
            Outcome::GoAway(code) => matches!(code, 1 | 9),
            _ => false,
        };
        tally.check(case, refused, outcome);
        tally.check(format!("{case}, at the origin"), origin.take_requests().is_empty(), "it arrived");
    }
    tally.finish(110);
}

#[tokio::test]
async fn connect_is_405_over_http2_too() {
    let origin = Origin::ok().await;
    let gateway = Gateway::to(origin.address());
    let mut client = RawH2Client::connect(gateway.address()).await;
    client.headers(1, &[(b":method", b"CONNECT"), (b":authority", b"one.test:443")], false).await.unwrap();
    assert_eq!(client.outcome(1).await, Outcome::Status(405));
    assert_eq!(origin.accepted(), 0);
}

#[tokio::test]
async fn a_content_length_that_the_body_breaks_never_completes_upstream() {
    let origin = Origin::ok().await;
    let gateway = Gateway::to(origin.address());
    for (length, data) in [(&b"5"[..], "0123456789"), (b"10", "01234"), (b"0", "0")] {
        origin.take_requests();
        let mut client = RawH2Client::connect(gateway.address()).await;
        client.headers(1, &with(&POST, &[(b"content-length", length)]), false).await.unwrap();
        client.send(kind::DATA, flag::END_STREAM, 1, data.as_bytes()).await.unwrap();
        let outcome = client.outcome(1).await;
        assert!(matches!(outcome, Outcome::Reset(_) | Outcome::Status(400)), "{length:?}, {data}: {outcome:?}");
        assert!(
            origin.take_requests().iter().all(|request| !request.complete),
            "{length:?}, {data}: it arrived"
        );
    }
}

#[tokio::test]
async fn trailers_that_http1_could_not_hold_are_not_forwarded() {
    let origin = Origin::ok().await;
    let gateway = Gateway::to(origin.address());
    for trailers in [&[(&b":path"[..], &b"/y"[..])][..], &[(b"a", b"b\r\nc: d")], &[(b"connection", b"close")]]
    {
        origin.take_requests();
        let mut client = RawH2Client::connect(gateway.address()).await;
        client.headers(1, &POST, false).await.unwrap();
        client.send(kind::DATA, flag::NONE, 1, b"abc").await.unwrap();
        client.headers(1, trailers, true).await.unwrap();
        let outcome = client.outcome(1).await;
        let seen = origin.take_requests();
        let refused = matches!(outcome, Outcome::Reset(_) | Outcome::Status(400) | Outcome::GoAway(1));
        let incomplete = seen.iter().all(|request| !request.complete);
        // h2 drops pseudo-headers of trailers without a word, which leaves nothing to forward.
        let dropped = seen.iter().all(|request| request.trailers.is_empty());
        assert!(refused && incomplete || dropped, "{trailers:?}: {outcome:?}, {seen:?}");
    }
}

#[tokio::test]
async fn a_plain_request_arrives_with_cookies_joined_and_host_of_the_authority() {
    let origin = Origin::ok().await;
    let gateway = Gateway::to(origin.address());
    let mut client = RawH2Client::connect(gateway.address()).await;
    let fields = with(&GET, &[(b"cookie", b"a=1"), (b"cookie", b"b=2"), (b"x", b"y"), (b"cookie", b"c=3")]);
    client.headers(1, &fields, true).await.unwrap();
    assert_eq!(client.outcome(1).await, Outcome::Status(200));
    let seen = origin.only_request();
    assert_eq!(seen.head.line, "GET /x HTTP/1.1");
    assert_eq!(seen.head.fields.all("cookie"), ["a=1; b=2; c=3"]);
    assert_eq!(seen.head.fields.all("host"), ["one.test"]);
    assert_eq!(seen.header("x"), Some("y"));
}

#[tokio::test]
async fn host_alone_and_te_trailers_are_fine() {
    let origin = Origin::ok().await;
    let gateway = Gateway::to(origin.address());
    for fields in [
        with(&without(b":authority"), &[(b"host", b"one.test")]),
        with(&GET, &[(b"host", b"one.test")]),
        with(&GET, &[(b"te", b"trailers")]),
    ] {
        let mut client = RawH2Client::connect(gateway.address()).await;
        client.headers(1, &fields, true).await.unwrap();
        assert_eq!(client.outcome(1).await, Outcome::Status(200), "{fields:?}");
        let [seen] = origin.take_requests().try_into().unwrap();
        assert_eq!(seen.head.fields.all("host"), ["one.test"]);
    }
}
