//! The PROXY protocol: believed from whom the listener names, from nobody else.

use harness::{Gateway, Origin, RawClient, Tally};

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";

fn gateway(origin: &Origin, from: &str) -> Gateway {
    Gateway::builder(&format!(
        "timeouts: {{head: 2s}}\nroutes:\n- path_prefix: /\n  upstream: {}\n",
        origin.address()
    ))
    .listeners(&format!("- address: 127.0.0.1:0\n  proxy_protocol: {{from: [{from}]}}\n"))
    .start()
}

fn version_2(command: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
    header.extend([0x20 | command, family]);
    header.extend((addresses.len() as u16).to_be_bytes());
    header.extend(addresses);
    header
}

#[tokio::test]
async fn a_trusted_peer_says_whom_it_speaks_for() {
    let origin = Origin::ok().await;
    let gateway = gateway(&origin, "127.0.0.0/8");
    let v4 = [203, 0, 113, 9, 127, 0, 0, 1, 0x12, 0x34, 0, 80];
    let mut v6 = vec![0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7];
    v6.extend([0; 16]);
    v6.extend([0x12, 0x34, 0, 80]);
    let mut tally = Tally::new();
    for (case, header, client) in [
        ("version 1", b"PROXY TCP4 203.0.113.9 127.0.0.1 4660 80\r\n".to_vec(), "203.0.113.9"),
        ("version 1 over IPv6", b"PROXY TCP6 2001:db8::7 ::1 4660 80\r\n".to_vec(), "2001:db8::7"),
        ("version 1, unknown", b"PROXY UNKNOWN\r\n".to_vec(), "127.0.0.1"),
        ("version 2", version_2(1, 0x11, &v4), "203.0.113.9"),
        ("version 2 over IPv6", version_2(1, 0x21, &v6), "2001:db8::7"),
        ("version 2, local", version_2(0, 0, &[]), "127.0.0.1"),
    ] {
        // In one piece, and byte by byte.
        for size in [usize::MAX, 1] {
            let mut client_socket = RawClient::connect(gateway.address()).await;
            for piece in [header.as_slice(), GET].concat().chunks(size.min(4096)) {
                client_socket.send(piece).await;
            }
            let status = client_socket.response().await.map_or(0, |response| response.status());
            let seen = origin.take_requests();
            let found = seen.first().and_then(|request| request.header("x-forwarded-for"));
            tally.equal(case, (status, found), (200, Some(client)));
        }
    }
    tally.finish(12);
}

#[tokio::test]
async fn anything_else_than_a_header_is_refused() {
    let origin = Origin::ok().await;
    let gateway = gateway(&origin, "127.0.0.0/8");
    let mut tally = Tally::new();
    for header in [
        &b""[..],
        b"PROXY\r\n",
        b"PROXY TCP4 203.0.113.9\r\n",
        b"PROXY TCP4 evil 127.0.0.1 1 2\r\n",
        b"PROXY TCP4 203.0.113.9 127.0.0.1 1 2\n",
        b"PROXY TCP4 203.0.113.9 127.0.0.1 99999 2\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\x0c\0\0\0\0\0\0\0\0\0\0\0\0",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x04\0\0\0\0",
    ] {
        let mut client = RawClient::connect(gateway.address()).await;
        client.send([header, GET].concat()).await;
        let (said, closed) = client.read_to_end(harness::PATIENCE).await;
        let case = String::from_utf8_lossy(header);
        tally.check(&case, closed && !said.starts_with(b"HTTP/1.1 2"), String::from_utf8_lossy(&said));
    }
    tally.equal("requests at the origin", origin.requests().len(), 0);
    tally.finish(9);
}

#[tokio::test]
async fn a_peer_that_is_not_trusted_cannot_speak_for_another() {
    let origin = Origin::ok().await;
    let gateway = gateway(&origin, "10.0.0.0/8");
    let mut client = RawClient::connect(gateway.address()).await;
    client.send([b"PROXY TCP4 203.0.113.9 127.0.0.1 4660 80\r\n", GET].concat()).await;
    let (said, closed) = client.read_to_end(harness::PATIENCE).await;
    assert!(closed && !said.starts_with(b"HTTP/1.1 2"), "{:?}", String::from_utf8_lossy(&said));
    // Who speaks plain HTTP from elsewhere is not turned away by the header's absence.
    let response = RawClient::once(gateway.address(), GET).await;
    if response.status() == 200 {
        assert_eq!(origin.only_request().header("x-forwarded-for"), Some("127.0.0.1"));
    }
}
