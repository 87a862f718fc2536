//! HTTP/2 floods: the connection ends, memory stays, other clients notice nothing (RFC 9113, section 10.5).

use std::time::Duration;

use harness::{Frame, Gateway, Origin, RawClient, RawH2Client, Reply, Tally, flag, kind};

const MOST: u64 = 32 << 20;

struct Flood {
    name: &'static str,
    /// What goes first, once.
    first: Vec<u8>,
    /// What goes then, again and again.
    again: fn(u32) -> Vec<u8>,
    rounds: u32,
}

fn request(stream: u32, end: bool) -> Vec<u8> {
    let block =
        Frame::block(&[(b":method", b"POST"), (b":scheme", b"http"), (b":authority", b"x"), (b":path", b"/")]);
    Frame::encode(kind::HEADERS, flag::END_HEADERS | if end { flag::END_STREAM } else { 0 }, stream, &block)
}

fn floods() -> Vec<Flood> {
    let none = Vec::new;
    vec![
        Flood {
            name: "rapid reset",
            first: none(),
            again: |round| {
                let stream = round * 2 + 1;
                [request(stream, true), Frame::encode(kind::RST_STREAM, 0, stream, &8_u32.to_be_bytes())]
                    .concat()
            },
            rounds: 50_000,
        },
        Flood {
            name: "PING",
            first: none(),
            again: |_| Frame::encode(kind::PING, 0, 0, &[0; 8]),
            rounds: 500_000,
        },
        Flood {
            name: "SETTINGS",
            first: none(),
            again: |_| Frame::encode(kind::SETTINGS, 0, 0, &[]),
            rounds: 500_000,
        },
        Flood {
            name: "empty DATA",
            first: request(1, false),
            again: |_| Frame::encode(kind::DATA, 0, 1, &[]),
            rounds: 500_000,
        },
        Flood {
            name: "CONTINUATION",
            first: Frame::encode(kind::HEADERS, 0, 1, &Frame::block(&[(b":method", b"GET")])),
            again: |_| Frame::encode(kind::CONTINUATION, 0, 1, &Frame::block(&[(b"a", &[b'x'; 1000])])),
            rounds: 50_000,
        },
        Flood {
            name: "empty CONTINUATION",
            first: Frame::encode(kind::HEADERS, 0, 1, &[]),
            again: |_| Frame::encode(kind::CONTINUATION, 0, 1, &[]),
            rounds: 500_000,
        },
        Flood {
            name: "HPACK bomb",
            // One entry of 4000 bytes in the dynamic table, then referred to by one byte each.
            first: none(),
            again: |round| {
                let mut block = vec![0x40, 1, b'a', 0x7f, 0xa1, 0x1e];
                block.extend([b'x'; 4000]);
                block.extend([0xbe; 12_000]);
                Frame::encode(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, round * 2 + 1, &block)
            },
            rounds: 100,
        },
        Flood {
            name: "streams of an error",
            // Each stream asks for its own reset: what a server sends counts as well.
            first: none(),
            again: |round| {
                let stream = round * 2 + 1;
                [request(stream, false), Frame::encode(kind::WINDOW_UPDATE, 0, stream, &0_u32.to_be_bytes())]
                    .concat()
            },
            rounds: 50_000,
        },
    ]
}

#[tokio::test]
async fn a_flood_ends_its_connection_and_nothing_else() {
    let origin = Origin::ok().await;
    let gateway = Gateway::to(origin.address());
    let request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    for _ in 0..50 {
        assert_eq!(RawClient::once(gateway.address(), request).await.status(), 200);
    }
    let mut tally = Tally::new();
    for Flood { name, first, again, rounds } in floods() {
        let before = gateway.resident();
        let mut client = RawH2Client::connect(gateway.address()).await;
        let mut ended = client.send_bytes(&first).await.is_err();
        let mut round = 0;
        // Nothing is read meanwhile: what the server answers must not pile up either.
        while round < rounds && !ended {
            let batch: Vec<u8> = (round..(round + 100).min(rounds)).flat_map(again).collect();
            round += 100;
            let sent = tokio::time::timeout(Duration::from_secs(5), client.send_bytes(&batch)).await;
            // A server that no longer reads has answered the flood as well, till its own limits close it.
            ended = !matches!(sent, Ok(Ok(())));
        }
        let code = last_word(&mut client).await;
        tally.check(name, ended || code.is_some(), format!("{rounds} rounds, and it goes on"));
        let grown = gateway.resident().saturating_sub(before);
        tally.check(name, grown <= MOST, format!("{grown} bytes more"));
        let good = RawClient::once(gateway.address(), request).await;
        tally.equal(name, good.status(), 200);
    }
    tally.finish(24);
}

/// The code of the GOAWAY, when there is one to read.
async fn last_word(client: &mut RawH2Client) -> Option<u32> {
    let search = async {
        while let Some(frame) = client.frame().await {
            if frame.kind == kind::GOAWAY && frame.code() != Some(0) {
                return frame.code();
            }
        }
        None
    };
    tokio::time::timeout(Duration::from_secs(5), search).await.ok().flatten()
}

#[tokio::test]
async fn more_streams_than_are_allowed_are_refused_one_by_one() {
    let origin = Origin::start(|_| vec![harness::Step::Head, harness::Step::Hang]).await;
    let gateway = Gateway::to(origin.address());
    let mut client = RawH2Client::connect(gateway.address()).await;
    // The limit is known before the first request is sent.
    let settings = client.frame().await.unwrap();
    assert_eq!(settings.kind, kind::SETTINGS);
    let limit = settings.payload.chunks(6).find(|pair| pair[..2] == [0, 3]).expect("MAX_CONCURRENT_STREAMS");
    let limit = u32::from_be_bytes(limit[2..].try_into().unwrap());
    assert_eq!(limit, 100);
    for number in 0..=limit {
        client.send_bytes(&request(number * 2 + 1, true)).await.unwrap();
    }
    assert_eq!(client.outcome(limit * 2 + 1).await, harness::Outcome::Reset(7));
}

/// A window of one byte lets every response begin and none end.
#[tokio::test]
async fn responses_that_are_left_unread_cost_little_and_end_at_the_limit() {
    let large = Origin::answering(|_| Reply::text(vec![b'x'; 60_000])).await;
    let gateway = Gateway::builder(&format!(
        "timeouts: {{write: 2s}}\nroutes:\n- path_prefix: /\n  upstream: {}\n",
        large.address()
    ))
    .start();
    let get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    for _ in 0..50 {
        assert_eq!(RawClient::once(gateway.address(), get).await.status(), 200);
    }
    let before = gateway.resident();
    let mut tally = Tally::new();
    let mut clients = Vec::new();
    for _ in 0..2 {
        let mut client = RawH2Client::connect(gateway.address()).await;
        let window = Frame::encode(kind::SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 1]);
        let requests: Vec<u8> = (0..300).flat_map(|number| request(number * 2 + 1, true)).collect();
        client.send_bytes(&[window, requests].concat()).await.unwrap();
        clients.push(client);
    }
    // Each stream begins, or is refused; each that begins is reset, and the connection stays.
    for (number, client) in clients.iter_mut().enumerate() {
        let (mut begun, mut refused, mut reset, mut most) = (0, 0, 0, 0);
        while refused + reset < 300 {
            let Some(frame) = client.frame().await else { break };
            match (frame.kind, frame.code()) {
                (kind::HEADERS, _) => begun += 1,
                (kind::RST_STREAM, Some(7)) => refused += 1,
                (kind::RST_STREAM, Some(8)) => reset += 1,
                _ => {}
            }
            if begun == 100 {
                most = most.max(gateway.resident());
            }
        }
        tally.equal(format!("connection {number}"), (begun, refused, reset), (100, 200, 100));
        let grown = most.saturating_sub(before);
        tally.check(format!("connection {number}"), grown <= MOST, format!("{grown} bytes more"));
    }
    tally.equal("a good request", RawClient::once(gateway.address(), get).await.status(), 200);
    tally.finish(5);
}
