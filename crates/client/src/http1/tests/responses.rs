//! What endpoints answer, sound and not.

use gatewright_core::ErrorKind;
use proptest::prelude::*;

use super::*;

/// Sound responses, their bodies, and whether their connections can be used again.
pub(super) const SOUND: &[(&str, &str, bool)] = &[
    ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello", true),
    ("HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\ncontent-length:5 \r\n\r\nhello", "hello", true),
    ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", "", true),
    ("HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nok", "ok", true),
    ("HTTP/1.1 200 \r\ncontent-length: 2\r\n\r\nok", "ok", true),
    ("HTTP/1.1 299 Some\twords \u{e4}\r\ncontent-length: 2\r\n\r\nok", "ok", true),
    ("HTTP/1.1 200 OK\r\nempty:\r\nspaced: \t a  b \t\r\ncontent-length: 2\r\n\r\nok", "ok", true),
    ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: Foo, Close\r\n\r\nok", "ok", false),
    (
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\nconnection: keep-alive\r\n\r\nok",
        "ok",
        false,
    ),
    ("HTTP/1.1 200 OK\r\n\r\nto the end", "to the end", false),
    ("HTTP/1.1 200 OK\r\n\r\n", "", false),
    ("HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok", "ok", false),
    ("HTTP/1.0 200 OK\r\ncontent-length: 2\r\nConnection: Keep-Alive\r\n\r\nok", "ok", true),
    ("HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n\r\nto the end", "to the end", false),
    ("HTTP/1.1 204 No Content\r\n\r\n", "", true),
    ("HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n", "", true),
    ("HTTP/1.1 304 Not Modified\r\ntransfer-encoding: chunked\r\n\r\n", "", true),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "hello", true),
    ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", "", true),
    (
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2;x=y\r\nhe\r\n003\r\nllo\r\n0\r\na: b\r\n\r\n",
        "hello",
        true,
    ),
    ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\na: b\r\nc: d\r\n\r\n", "", true),
    (
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102\r\na: b\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
        "ok",
        true,
    ),
    ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok and more", "ok", false),
    ("HTTP/1.1 204 No Content\r\ncontent-length: 2\r\n\r\nok", "", false),
    ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nHTTP/1.1", "ok", false),
];

#[tokio::test]
async fn sound_responses_are_read_and_their_connections_kept() {
    for (text, body, reusable) in SOUND {
        let seen = answered(get(), [text.as_bytes()]).await.expect(text);
        assert_eq!((&seen.body[..], seen.reusable), (body.as_bytes(), *reusable), "{text}");
    }
}

#[tokio::test]
async fn fields_and_trailers_are_given_as_they_came() {
    let text =
        b"HTTP/1.1 200 OK\r\nX-One: a\r\nSet-Cookie: b\r\nset-cookie:\tc \r\nx-bytes: \xff\r\nx-none:\r\n\
        Transfer-Encoding: chunked\r\n\r\n0\r\nX-Sum: 1\r\nX-Sum: 2\r\n\r\n";
    let seen = answered(get(), [&text[..]]).await.expect("is sound");
    assert_eq!(seen.headers["x-one"], "a");
    assert_eq!(seen.headers.get_all("set-cookie").iter().collect::<Vec<_>>(), ["b", "c"]);
    assert_eq!(seen.headers["x-bytes"].as_bytes(), b"\xff");
    assert_eq!(seen.headers["x-none"], "");
    let trailers = seen.trailers.expect("there are trailers");
    assert_eq!(trailers.get_all("x-sum").iter().collect::<Vec<_>>(), ["1", "2"]);
}

#[tokio::test]
async fn a_response_to_head_has_no_body() {
    for head in ["content-length: 5\r\n", "transfer-encoding: chunked\r\n", ""] {
        let text = format!("HTTP/1.1 200 OK\r\n{head}\r\n");
        let mut request = get();
        *request.method_mut() = http::Method::HEAD;
        let seen = answered(request, [text.as_bytes()]).await.expect("is sound");
        assert!(seen.body.is_empty() && seen.reusable, "{text}");
    }
}

/// Refused as no HTTP, as soon as all of this has come.
const MALFORMED: &[&str] = &[
    "JUNK",
    "\r\nHTTP/1.1 200 OK\r\n\r\n",
    "HTTP/2.0 200 OK\r\n\r\n",
    "HTTP/1.10 200 OK\r\n\r\n",
    "http/1.1 200 OK\r\n\r\n",
    "HTTP/1.1\r\n\r\n",
    "HTTP/1.1 \r\n\r\n",
    "HTTP/1.1 20\r\n\r\n",
    "HTTP/1.1  200\r\n\r\n",
    "HTTP/1.1 099 OK\r\n\r\n",
    "HTTP/1.1 2000 OK\r\n\r\n",
    "HTTP/1.1 2x0 OK\r\n\r\n",
    "HTTP/1.1 200\tOK\r\n\r\n",
    "HTTP/1.1 200 O\rK\r\n\r\n",
    "HTTP/1.1 200 O\0K\r\n\r\n",
    "HTTP/1.1 200 OK\n",
    "HTTP/1.1 200 OK\r\na: b\n",
    "HTTP/1.1 200 OK\r\n\n",
    "HTTP/1.1 200 OK\r\na: b\rc: d\r\n\r\n",
    "HTTP/1.1 200 OK\r\na: b\0c\r\n\r\n",
    "HTTP/1.1 200 OK\r\na: b\x7fc\r\n\r\n",
    "HTTP/1.1 200 OK\r\na: b\r\n c\r\n\r\n",
    "HTTP/1.1 200 OK\r\na: b\r\n c: d\r\n\r\n",
    "HTTP/1.1 200 OK\r\n a: b\r\n\r\n",
    "HTTP/1.1 200 OK\r\na : b\r\n\r\n",
    "HTTP/1.1 200 OK\r\na\t: b\r\n\r\n",
    "HTTP/1.1 200 OK\r\n: b\r\n\r\n",
    "HTTP/1.1 200 OK\r\na\r\n\r\n",
    "HTTP/1.1 200 OK\r\na\u{e4}: b\r\n\r\n",
    "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\ncontent-length: 5, 6\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\ncontent-length: +5\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\ncontent-length: 5,\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\ncontent-length:\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\ncontent-length: 0x5\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551616\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked, chunked\r\n\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: identity\r\n\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: \x0bchunked\r\n\r\n",
    "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "HTTP/1.0 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n",
    // Junk that comes with the head.
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
];

#[tokio::test]
async fn malformed_responses_are_refused_before_anything_of_them_is_given() {
    for text in MALFORMED {
        let (connection, mut far) = connection();
        let mut exchange = pin!(Exchange::<Body, ()>::new(connection, get(), None));
        assert!(once(exchange.as_mut()).await.is_pending());
        far.write_all(text.as_bytes()).await.expect("is open");
        let Poll::Ready(Err(error)) = once(exchange.as_mut()).await else { panic!("{text:?} is not refused") };
        let (error, request) = error.into_parts();
        assert_eq!(error.kind(), ErrorKind::Protocol, "{text:?}");
        assert!(request.is_none() && !error.is_unsent());
    }
}

#[tokio::test]
async fn heads_are_bounded_in_size_and_in_fields() {
    let sized = |length: usize| {
        let frame = "HTTP/1.1 204 No Content\r\na: \r\n\r\n";
        format!("HTTP/1.1 204 No Content\r\na: {}\r\n\r\n", "x".repeat(length - frame.len()))
    };
    assert!(answered(get(), [sized(64 << 10).as_bytes()]).await.expect("fits").reusable);
    let counted = |fields: usize| format!("HTTP/1.1 204 No Content\r\n{}\r\n", "a: b\r\n".repeat(fields));
    assert_eq!(answered(get(), [counted(256).as_bytes()]).await.expect("fits").headers.len(), 256);
    let interim = "HTTP/1.1 102 Processing\r\n\r\n".repeat(33);
    for too_much in [sized((64 << 10) + 1), counted(257), interim, format!("HTTP/1.1 {}", "9".repeat(64 << 10))]
    {
        let error = answered(get(), [too_much.as_bytes()]).await.expect_err("is refused");
        assert_eq!(error.kind(), ErrorKind::Protocol);
    }
}

#[tokio::test]
async fn a_response_that_is_cut_short_is_an_error() {
    for (text, _, _) in SOUND.iter().filter(|(_, _, reusable)| *reusable) {
        for end in 0..text.len() {
            let error = answered(get(), [&text.as_bytes()[..end]]).await.expect_err(text);
            assert_eq!(error.kind(), ErrorKind::Closed, "{text} up to {end}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000 * ProptestConfig::default().cases / 256, ..ProptestConfig::default() })]

    #[test]
    fn a_response_is_the_same_however_it_is_split(
        which in 0..SOUND.len(),
        mut cuts in prop::collection::vec(0..200_usize, 0..12),
    ) {
        let (text, _, _) = SOUND[which];
        cuts.retain(|cut| *cut <= text.len());
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|cut| &text.as_bytes()[cut[0]..cut[1]]);
        block_on(async {
            let whole = answered(get(), [text.as_bytes()]).await.expect(text);
            let mut split = answered(get(), pieces).await.expect(text);
            // Whether bytes that follow are seen in time is a matter of luck.
            split.reusable &= whole.reusable;
            assert_eq!(split, whole);
        });
    }

    #[test]
    fn whatever_comes_is_a_response_or_an_error(
        which in 0..SOUND.len() + MALFORMED.len(),
        changes in prop::collection::vec((0..200_usize, 0..4_u8, any::<u8>()), 0..6),
        split in 0..200_usize,
    ) {
        let text = SOUND.get(which).map_or_else(|| MALFORMED[which - SOUND.len()], |sound| sound.0);
        let bytes = changed(text, changes);
        let split = split.min(bytes.len());
        block_on(async {
            if let Err(error) = answered(get(), [&bytes[..split], &bytes[split..]]).await {
                assert!(matches!(error.kind(), ErrorKind::Protocol | ErrorKind::Closed), "{error:?}");
            }
        });
    }

    #[test]
    fn what_came_before_on_the_connection_changes_nothing(
        before in (0..SOUND.len()).prop_filter("the connection ends", |which| SOUND[*which].2),
        which in prop::option::of(0..SOUND.len() + MALFORMED.len()),
        changes in prop::collection::vec((0..200_usize, 0..4_u8, any::<u8>()), 0..3),
        split in 0..400_usize,
    ) {
        let (before, _, _) = SOUND[before];
        let text = match which {
            // The same again, but for the changes.
            None => before,
            Some(which) => SOUND.get(which).map_or_else(|| MALFORMED[which - SOUND.len()], |sound| sound.0),
        };
        let bytes = changed(text, changes);
        let split = split.min(bytes.len());
        let pieces = [&bytes[..split], &bytes[split..]];
        block_on(async {
            let fresh = answered(get(), pieces).await;
            let again = answered_on(used(before).await, get(), pieces).await;
            match (fresh, again) {
                (Ok(fresh), Ok(again)) => assert_eq!(again, fresh),
                (Err(fresh), Err(again)) => assert_eq!(again.kind(), fresh.kind()),
                (fresh, again) => panic!("{fresh:?}, but {again:?}"),
            }
        });
    }
}

fn changed(text: &str, changes: Vec<(usize, u8, u8)>) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for (at, kind, byte) in changes {
        let at = at % (bytes.len() + 1);
        match kind {
            0 => bytes.insert(at, byte),
            1 => bytes.insert(at, b"\r\n :;0"[usize::from(byte) % 6]),
            2 if at < bytes.len() => bytes[at] = byte,
            _ => bytes.truncate(at.max(bytes.len() / 2)),
        }
    }
    bytes
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("builds").block_on(future)
}
