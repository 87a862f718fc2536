use proptest::prelude::*;

use super::*;

const RULES: Rules =
    Rules { max_head: 64 * 1024, max_target: 8 * 1024, max_fields: 100, allow_underscore: false };

/// Follows `bytes` given in these pieces, and keeps back what is not passed, as the socket does. Gives what passed,
/// and the violation that ended it.
fn follow<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<u8>, Option<Violation>, Followed) {
    let mut followed = Followed { follower: Follower::new(RULES), heads: 0 };
    let (mut passed, mut held) = (Vec::new(), Vec::new());
    for piece in pieces {
        held.extend_from_slice(piece);
        let (done, heads, violation) = followed.follower.follow(&held);
        passed.extend(held.drain(..done));
        followed.heads += heads;
        if violation.is_some() {
            return (passed, violation, followed);
        }
    }
    (passed, None, followed)
}

struct Followed {
    follower: Follower,
    heads: u64,
}

/// Any valid message.
pub(crate) fn message() -> impl Strategy<Value = Vec<u8>> {
    let name = "x-[a-zA-Z0-9-]{1,12}";
    let value = "[ -~\t]{0,24}";
    let fields = prop::collection::vec((name, value), 0..6);
    let chunks = prop::collection::vec(
        (prop::collection::vec(any::<u8>(), 1..40), "(;[a-z]{1,5}(=[a-z]{0,5})?)?"),
        0..5,
    );
    let body = prop_oneof![
        Just(None),
        prop::collection::vec(any::<u8>(), 0..80).prop_map(|body| Some((body, None))),
        (chunks, prop::collection::vec(("x-[a-z]{1,8}", "[a-z ]{0,9}"), 0..3))
            .prop_map(|(chunks, trailers)| Some((Vec::new(), Some((chunks, trailers))))),
    ];
    let method = prop_oneof![Just("GET"), Just("POST"), Just("PURGE"), Just("m-search")];
    (method, "/[a-z0-9/%?=&.{}\\[\\]|~-]{0,30}", fields, body, any::<bool>()).prop_map(
        |(method, target, fields, body, blank)| {
            let mut bytes = Vec::new();
            if blank {
                bytes.extend(b"\r\n");
            }
            bytes.extend(format!("{method} {target} HTTP/1.1\r\nhost: a.example\r\n").into_bytes());
            for (name, value) in fields {
                bytes.extend(format!("{name}:{value}\r\n").into_bytes());
            }
            match body {
                None => bytes.extend(b"\r\n"),
                Some((body, None)) => {
                    bytes.extend(format!("content-length: {}\r\n\r\n", body.len()).into_bytes());
                    bytes.extend(body);
                }
                Some((_, Some((chunks, trailers)))) => {
                    bytes.extend(b"transfer-encoding: chunked\r\n\r\n");
                    for (chunk, extension) in chunks {
                        bytes.extend(format!("{:x}{extension}\r\n", chunk.len()).into_bytes());
                        bytes.extend(chunk);
                        bytes.extend(b"\r\n");
                    }
                    bytes.extend(b"0\r\n");
                    for (name, value) in trailers {
                        bytes.extend(format!("{name}: {value}\r\n").into_bytes());
                    }
                    bytes.extend(b"\r\n");
                }
            }
            bytes
        },
    )
}

proptest! {
    #[test]
    fn valid_messages_pass_byte_for_byte_however_they_are_split(
        messages in prop::collection::vec(message(), 1..5),
        cuts in prop::collection::vec(1..60_usize, 1..30),
    ) {
        let stream = messages.concat();
        let mut pieces = Vec::new();
        let (mut rest, mut cuts) = (&stream[..], cuts.iter().cycle());
        while !rest.is_empty() {
            let (piece, later) = rest.split_at((*cuts.next().expect("endless")).min(rest.len()));
            pieces.push(piece);
            rest = later;
        }
        let (passed, violation, followed) = follow(pieces);
        prop_assert_eq!(violation, None);
        prop_assert_eq!(passed, stream);
        prop_assert_eq!(followed.heads, messages.len() as u64);
        prop_assert!(!followed.follower.in_body());
    }

    #[test]
    fn a_split_never_changes_the_verdict(
        messages in prop::collection::vec(message(), 1..4),
        at in any::<prop::sample::Index>(),
        byte in prop_oneof![Just(b'\n'), Just(b'\r'), Just(0), Just(b' '), Just(b':'), Just(b';'), any::<u8>()],
        insert in any::<bool>(),
    ) {
        let mut stream = messages.concat();
        let at = at.index(stream.len());
        if insert { stream.insert(at, byte) } else { stream[at] = byte }
        let (whole, at_once, _) = follow([&stream[..]]);
        let (bytewise, later, _) = follow(stream.chunks(1));
        prop_assert_eq!(at_once, later);
        if at_once.is_none() {
            prop_assert_eq!(whole, bytewise);
        } else {
            // How much of a broken body has passed may differ, but never what.
            prop_assert!(stream.starts_with(&whole) && stream.starts_with(&bytewise));
        }
    }

    #[test]
    fn nothing_makes_it_panic(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..50), 0..20)) {
        follow(pieces.iter().map(|piece| &piece[..]));
    }

    /// What passes here is made a request of without a further look.
    #[test]
    fn a_head_that_passes_can_be_made_a_request_of(
        mut head in message().prop_filter("no body", |bytes| bytes.ends_with(b"\r\n\r\n")),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let at = at.index(head.len());
        head[at] = byte;
        let mut follower = Follower::new(RULES);
        if let Ok(Step::Head(found)) = follower.step(&head) {
            prop_assert!(http::Method::from_bytes(&head[found.method]).is_ok());
            prop_assert!(http::Uri::try_from(&head[found.target]).is_ok());
            for field in follower.fields() {
                prop_assert!(http::HeaderName::from_bytes(&head[field.name.clone()]).is_ok());
                prop_assert!(http::HeaderValue::from_bytes(&head[field.value.clone()]).is_ok());
            }
        }
    }
}

#[test]
fn a_head_is_scanned_once_however_slowly_it_comes() {
    // Quadratic work on a head of this size would take minutes.
    let head = [b"GET / HTTP/1.1\r\nhost: a\r\nx: ".as_slice(), &vec![b'a'; 60_000], b"\r\n\r\n"].concat();
    let mut scan = head::HeadScan::default();
    let mut fields = Vec::new();
    let done = (1..=head.len()).find_map(|end| scan.advance(&head[..end], &RULES, &mut fields).expect("valid"));
    assert_eq!(done.expect("whole").length, head.len());
}

#[test]
fn an_upgrade_is_asked_for_by_a_websocket_handshake_alone() {
    let ask = |fields: &str| {
        let head = format!("GET / HTTP/1.1\r\nhost: a\r\n{fields}\r\n");
        match Follower::new(RULES).step(head.as_bytes()) {
            Ok(Step::Head(head)) => head.upgrade,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(ask("connection: keep-alive, Upgrade\r\nupgrade: WebSocket\r\n"), Some(Upgrade::WebSocket));
    for ignored in [
        "upgrade: websocket\r\n",
        "connection: upgrade\r\nupgrade: h2c\r\nhttp2-settings: AA\r\n",
        "connection: upgrade\r\nupgrade: websocket, h2c\r\n",
        "connection: upgrade\r\nupgrade: websocket\r\nupgrade: websocket\r\n",
        "connection: upgrade\r\nupgrade: TLS/1.0\r\n",
    ] {
        assert_eq!(ask(ignored), Some(Upgrade::Ignored), "{ignored}");
    }
    assert_eq!(ask("connection: upgrade\r\n"), None);
}

#[test]
fn a_connection_persists_as_its_version_and_its_options_say() {
    let persists = |version: &str, fields: &str| {
        let head = format!("GET / HTTP/{version}\r\nhost: a\r\n{fields}\r\n");
        match Follower::new(RULES).step(head.as_bytes()) {
            Ok(Step::Head(head)) => head.persistent,
            other => panic!("{other:?}"),
        }
    };
    assert!(persists("1.1", ""));
    assert!(persists("1.1", "connection: keep-alive, x\r\n"));
    assert!(!persists("1.1", "connection: x, Close\r\n"));
    assert!(!persists("1.0", ""));
    assert!(persists("1.0", "connection: Keep-Alive\r\n"));
    assert!(!persists("1.0", "connection: keep-alive\r\nconnection: close\r\n"));
}
