//! Requests whose body turns out to be empty go on as requests without one: nothing is framed towards the service, and
//! they may be sent again.

use std::{net::SocketAddr, time::Duration};

use harness::{
    Frame, Gateway, H2Origin, Origin, Outcome, RawClient, RawH2Client, Reply, Request, Tally, flag, kind,
};

const METHODS: [&str; 6] = ["GET", "HEAD", "DELETE", "OPTIONS", "POST", "PUT"];

/// How the end of the empty body is said.
#[derive(Debug, Clone, Copy)]
enum End {
    /// HTTP/2: on the head.
    Head,
    /// On an empty DATA frame that comes with the head.
    Data,
    /// On one that comes a moment later.
    LaterData,
    /// On the second one.
    SecondData,
    /// On a frame of padding alone.
    Padding,
    /// On an empty DATA frame, after `content-length: 0`.
    Length,
    /// HTTP/1.1: nothing is said.
    Nothing,
    /// `Content-Length: 0`.
    LengthOfHttp1,
    /// No chunk but the last.
    LastChunk,
}

const ENDS: [End; 9] = [
    End::Head,
    End::Data,
    End::LaterData,
    End::SecondData,
    End::Padding,
    End::Length,
    End::Nothing,
    End::LengthOfHttp1,
    End::LastChunk,
];

async fn send(address: SocketAddr, method: &str, end: End) -> u16 {
    let http1 = |fields: &str, body: &str| format!("{method} /a HTTP/1.1\r\nHost: x\r\n{fields}\r\n{body}");
    let request = match end {
        End::Nothing => http1("", ""),
        End::LengthOfHttp1 => http1("Content-Length: 0\r\n", ""),
        End::LastChunk => http1("Transfer-Encoding: chunked\r\n", "0\r\n\r\n"),
        _ => return send_http2(address, method, end).await,
    };
    RawClient::once(address, request).await.status()
}

async fn send_http2(address: SocketAddr, method: &str, end: End) -> u16 {
    let mut fields: Vec<(&[u8], &[u8])> =
        vec![(b":method", method.as_bytes()), (b":scheme", b"http"), (b":authority", b"x"), (b":path", b"/a")];
    if let End::Length = end {
        fields.push((b"content-length", b"0"));
    }
    let on_head = if let End::Head = end { flag::END_STREAM } else { flag::NONE };
    let mut bytes = Frame::encode(kind::HEADERS, flag::END_HEADERS | on_head, 1, &Frame::block(&fields));
    let last = Frame::encode(kind::DATA, flag::END_STREAM, 1, &[]);
    let mut client = RawH2Client::connect(address).await;
    match end {
        End::Data | End::Length => bytes.extend(last),
        End::SecondData => bytes.extend([Frame::encode(kind::DATA, flag::NONE, 1, &[]), last].concat()),
        // PADDED, with a padding of three bytes.
        End::Padding => bytes.extend(Frame::encode(kind::DATA, flag::END_STREAM | 8, 1, &[3, 0, 0, 0])),
        End::LaterData => {
            client.send_bytes(&bytes).await.unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
            bytes = last;
        }
        _ => {}
    }
    client.send_bytes(&bytes).await.unwrap();
    match client.outcome(1).await {
        Outcome::Status(status) => status,
        other => panic!("{method} {end:?}: {other:?}"),
    }
}

fn framing(request: &Request) -> (Option<&str>, Option<&str>) {
    (request.header("transfer-encoding"), request.header("content-length").filter(|length| *length != "0"))
}

#[tokio::test]
async fn an_empty_body_is_none() {
    let origin = Origin::ok().await;
    let gateway = Gateway::to(origin.address());
    let mut tally = Tally::new();
    for end in ENDS {
        for method in METHODS {
            if matches!((method, end), ("POST" | "PUT", End::LaterData)) {
                // A body is likely to come: nobody waits to see whether it does.
                continue;
            }
            tally.equal(format!("{method} {end:?}"), send(gateway.address(), method, end).await, 200);
            let request = origin.take_requests().pop().unwrap();
            tally.equal(format!("{method} {end:?}: framing"), framing(&request), (None, None));
        }
    }
    tally.finish(2 * (9 * 6 - 2));
}

#[tokio::test]
async fn a_request_with_an_empty_body_is_sent_again() {
    let failing = |_: &Request| Reply::new(503);
    let mut tally = Tally::new();
    let http1 = Origin::answering(failing).await;
    let http2 = H2Origin::answering(failing).await;
    for (protocol, address) in [("http1", http1.address()), ("http2", http2.address())] {
        for end in ENDS {
            // Each with a budget of its own, which pays for five.
            let gateway = Gateway::with_routes(&format!(
                "- path_prefix: /\n  upstream: {{target: \"{address}\", protocol: {protocol}}}\n  \
                 retries: {{attempts: 1, on: [503]}}\n"
            ));
            for method in ["GET", "HEAD", "DELETE", "OPTIONS"] {
                http1.take_requests();
                http2.take_requests();
                tally.equal(
                    format!("{protocol} {method} {end:?}"),
                    send(gateway.address(), method, end).await,
                    503,
                );
                let seen = http1.take_requests().len() + http2.take_requests().len();
                tally.equal(format!("{protocol} {method} {end:?}: times"), seen, 2);
            }
        }
    }
    tally.finish(2 * 2 * 9 * 4);
}

#[tokio::test]
async fn a_body_that_comes_late_still_comes() {
    let origin = Origin::ok().await;
    let gateway = Gateway::to(origin.address());
    for method in ["GET", "DELETE", "POST"] {
        for pause in [0, 50, 600] {
            let mut client = RawH2Client::connect(gateway.address()).await;
            let fields: [(&[u8], &[u8]); 4] = [
                (b":method", method.as_bytes()),
                (b":scheme", b"http"),
                (b":authority", b"x"),
                (b":path", b"/a"),
            ];
            client.headers(1, &fields, false).await.unwrap();
            for piece in ["", "a", "", "bc"] {
                tokio::time::sleep(Duration::from_millis(pause)).await;
                client.send(kind::DATA, flag::NONE, 1, piece.as_bytes()).await.unwrap();
            }
            client.send(kind::DATA, flag::END_STREAM, 1, &[]).await.unwrap();
            assert_eq!(client.outcome(1).await, Outcome::Status(200));
            let request = origin.take_requests().pop().unwrap();
            assert_eq!((request.body.as_slice(), request.complete), (&b"abc"[..], true), "{method} {pause}");
        }
    }
}
