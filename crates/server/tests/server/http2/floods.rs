//! Floods of frames, and what only looks like one.

use std::time::Duration;

use bytes::Bytes;
use gatewright_core::Body;
use http::{Request, Response};
use tokio::io::AsyncWriteExt;

use super::*;
use crate::support::{limits, plain, start, start_with};

#[tokio::test(flavor = "multi_thread")]
async fn every_flood_ends_in_goaway_with_enhance_your_calm() {
    let server = start(limits());
    let open = frame(1, 4, 1, &head(&[]));
    let mut resets = Vec::new();
    for index in 0..2000 {
        let stream = index * 2 + 1;
        resets.extend(frame(1, 5, stream, &head(&[])));
        resets.extend(frame(3, 0, stream, &[0, 0, 0, 8]));
    }
    let continuations = [frame(1, 0, 1, &head(&[])), frame(9, 0, 1, &[]).repeat(2000)].concat();
    let bomb =
        [frame(1, 0, 1, &head(&[])), frame(9, 0, 1, &literal("x", &"a".repeat(120)).repeat(100)).repeat(400)]
            .concat();
    for (name, bytes) in [
        ("PING", frame(6, 0, 0, &[0; 8]).repeat(2000)),
        ("PING answers", frame(6, 1, 0, &[0; 8]).repeat(2000)),
        ("SETTINGS", frame(4, 0, 0, &[]).repeat(2000)),
        ("SETTINGS with values", frame(4, 0, 0, &[0, 3, 0, 0, 0, 1]).repeat(2000)),
        ("PRIORITY", frame(2, 0, 1, &[0, 0, 0, 3, 1]).repeat(2000)),
        ("WINDOW_UPDATE", frame(8, 0, 0, &[0, 0, 0, 1]).repeat(3000)),
        ("unknown frames", frame(99, 0, 0, &[1, 2]).repeat(2000)),
        ("empty DATA", [&open[..], &frame(0, 0, 1, &[]).repeat(2000)].concat()),
        ("padded DATA", [&open[..], &frame(0, 8, 1, &[4, 0, 0, 0, 0]).repeat(2000)].concat()),
        ("rapid reset", resets),
        ("empty CONTINUATION", continuations),
        ("large CONTINUATION", bomb),
    ] {
        let mut stream = raw(&server).await;
        let _ = stream.write_all(&bytes).await;
        let (frames, closed) = frames(&mut stream, Duration::from_secs(1)).await;
        assert!(closed, "{name}: stays open");
        assert_eq!(goaway_code(&frames), Some(11), "{name}");
    }
    // Nothing is left of any of them.
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(server.handle.connections(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_diligent_client_is_no_flood() {
    let server = start(limits());
    let (send_request, mut connection) =
        h2::client::handshake(server.connect().await).await.expect("shakes hands");
    let mut pings = connection.ping_pong().expect("not taken");
    tokio::spawn(connection);
    // As many pings as a flood has, each with a request between.
    for _ in 0..400 {
        assert_eq!(
            send(&send_request, get("http://a/").body(()).expect("valid")).await.expect("answers").status(),
            200
        );
        pings.ping(h2::Ping::opaque()).await.expect("answered");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_download_with_small_windows_is_no_flood() {
    let service = tower::service_fn(|_: Request<Body>| async {
        Ok::<_, std::convert::Infallible>(Response::new(Body::once(vec![b'x'; 4_000_000])))
    });
    let server = start_with(service, |builder| builder.listener(plain()));
    let (client, connection) = h2::client::Builder::new()
        .initial_window_size(2000)
        .handshake::<_, Bytes>(server.connect().await)
        .await
        .expect("shakes hands");
    tokio::spawn(connection);
    let mut client = client.ready().await.expect("ready");
    let (response, _) = client.send_request(get("http://a/").body(()).expect("valid"), true).expect("sends");
    let mut body = response.await.expect("answers").into_body();
    let mut total = 0;
    while let Some(chunk) = body.data().await {
        let chunk = chunk.expect("a chunk");
        total += chunk.len();
        body.flow_control().release_capacity(chunk.len()).expect("valid");
    }
    assert_eq!(total, 4_000_000);
}
