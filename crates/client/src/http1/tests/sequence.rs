//! Interim responses, upgrades, and one request after another.

use std::sync::{Arc, Mutex};

use gatewright_core::{ErrorKind, InterimResponder, OnUpgrade};
use tokio::io::AsyncReadExt;

use super::*;

#[tokio::test]
async fn early_hints_are_relayed_until_the_response_begins() {
    let hints = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&hints);
    let responder = InterimResponder::new(move |status, headers| {
        heard.lock().expect("no panic").push((status.as_u16(), headers.clone()));
    });
    let (connection, mut far) = connection();
    let mut exchange = pin!(seen(Exchange::new(connection, get(), Some(responder))));
    assert!(once(exchange.as_mut()).await.is_pending());
    far.write_all(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: <a>\r\nconnection: x-hop\r\nx-hop: 1\r\n\r\n")
        .await
        .expect("is open");
    assert!(once(exchange.as_mut()).await.is_pending());
    assert_eq!(hints.lock().expect("no panic").len(), 1);
    far.write_all(
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-hop: 2\r\n\r\nokHTTP/1.1 103 Early Hints\r\n\r\n",
    )
    .await
    .expect("is open");
    let seen = exchange.await.expect("answers");
    assert_eq!((seen.headers.len(), seen.reusable), (2, false));
    let hints = hints.lock().expect("no panic");
    assert_eq!(hints.len(), 1);
    assert_eq!((hints[0].0, hints[0].1.len(), &hints[0].1["link"]), (103, 1, &"<a>".parse().expect("a value")));
}

#[tokio::test]
async fn a_101_hands_the_stream_over_with_what_came_behind_it() {
    let (connection, mut far) = connection();
    let mut exchange = pin!(Exchange::<Body, ()>::new(connection, get(), None));
    assert!(once(exchange.as_mut()).await.is_pending());
    far.write_all(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\nfirst ")
        .await
        .expect("is open");
    let mut response = exchange.await.expect("answers");
    assert!(response.body().is_end_stream() && response.body_mut().take_spent().is_none());
    let upgrade = response.extensions_mut().remove::<OnUpgrade>().expect("is there");
    let mut upgraded = upgrade.await.expect("has come about");
    upgraded.write_all(b"back").await.expect("is open");
    far.write_all(b"second").await.expect("is open");
    drop(response);
    far.shutdown().await.expect("is open");
    let mut all = String::new();
    upgraded.read_to_string(&mut all).await.expect("is open");
    assert_eq!(all, "first second");
    let mut back = vec![0; 64];
    let read = far.read(&mut back).await.expect("is open");
    assert!(back[..read].ends_with(b"back"));
}

#[tokio::test]
async fn requests_follow_each_other_and_fields_are_never_taken_for_the_last_ones() {
    let (mut connection, mut far) = connection();
    for (names, body) in [
        ("a: 1\r\nx-long-name: 2\r\n", "one"),
        ("x-long-name: 1\r\na: 2\r\n", "two"),
        ("A: 1\r\nX-Long-Nome: 2\r\n", "three"),
        ("", "four"),
        ("ab: 1\r\nx-long-name: 2\r\nmore: 3\r\n", "five"),
    ] {
        let mut exchange = pin!(Exchange::<Body, ()>::new(connection, get(), None));
        assert!(once(exchange.as_mut()).await.is_pending());
        let text = format!("HTTP/1.1 200 OK\r\n{names}content-length: {}\r\n\r\n{body}", body.len());
        far.write_all(text.as_bytes()).await.expect("is open");
        let mut response = exchange.await.expect("answers");
        for line in names.lines() {
            let (name, value) = line.split_once(": ").expect("a field");
            assert_eq!(response.headers()[name], value, "{names}");
        }
        assert_eq!(response.headers().len(), names.lines().count() + 1);
        connection = response.body_mut().take_spent().expect("is clean, though the body was not polled yet");
        connection.rest();
        let data = response.into_body().collect().await.expect("is whole").to_bytes();
        assert_eq!(data, body);
    }
}

#[tokio::test]
async fn every_sound_response_leaves_a_connection_that_works() {
    for (text, _, _) in super::responses::SOUND.iter().filter(|(_, _, reusable)| *reusable) {
        let (connection, mut far) = connection();
        let mut exchange = pin!(Exchange::<Body, ()>::new(connection, get(), None));
        assert!(once(exchange.as_mut()).await.is_pending());
        // In two halves, so that what is half read is begun anew with the next response.
        let (first, second) = text.split_at(text.len() - 2);
        far.write_all(first.as_bytes()).await.expect("is open");
        let early = once(exchange.as_mut()).await;
        far.write_all(second.as_bytes()).await.expect("is open");
        let response = match early {
            Poll::Ready(response) => response,
            Poll::Pending => exchange.await,
        };
        let mut body = response.expect(text).into_body();
        while let Some(frame) = body.frame().await {
            frame.expect(text);
        }
        let connection = body.take_spent().expect(text);
        let mut next = pin!(seen(Exchange::new(connection, get(), None)));
        assert!(once(next.as_mut()).await.is_pending());
        far.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nnext").await.expect("is open");
        assert_eq!(next.await.expect(text).body, "next", "{text}");
    }
}

#[tokio::test]
async fn an_interim_response_that_looks_like_the_last_response_is_interim_all_the_same() {
    let text = "HTTP/1.1 200 OK\r\nlink: <a>\r\ncontent-length: 2\r\n\r\nok";
    let interim = "HTTP/1.1 103 Early Hints\r\nlink: <b>\r\ncontent-length: 2\r\n\r\n";
    let seen = answered_on(used(text).await, get(), [interim.as_bytes(), text.as_bytes()]).await;
    assert_eq!(seen.expect("answers").headers["link"], "<a>");
}

#[tokio::test]
async fn what_stays_the_same_and_what_changes_is_given_as_it_comes() {
    let text = |status: &str, date: &str, body: &str| {
        let length = body.len();
        format!(
            "HTTP/1.1 {status}\r\nServer: a\r\nDate: {date}\r\nContent-Length: {length}\r\nX-Last: b\r\n\r\n{body}"
        )
    };
    let (mut connection, mut far) = used(&text("200 OK", "one", "hello")).await;
    for (status, date, body) in [
        ("200 OK", "one", "hallo"),
        ("200 OK", "two", ""),
        ("404 Not Found", "", "no"),
        ("200 OK", "three", "yes"),
    ] {
        let mut exchange = pin!(Exchange::<Body, ()>::new(connection, get(), None));
        assert!(once(exchange.as_mut()).await.is_pending());
        far.write_all(text(status, date, body).as_bytes()).await.expect("is open");
        let mut response = exchange.await.expect("answers");
        assert_eq!(response.status().as_str(), &status[..3]);
        let fields: Vec<_> =
            response.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        let length = body.len().to_string();
        assert_eq!(
            fields,
            [
                ("server", &b"a"[..]),
                ("date", date.as_bytes()),
                ("content-length", length.as_bytes()),
                ("x-last", b"b"),
            ]
        );
        connection = response.body_mut().take_spent().expect("is clean");
        assert_eq!(response.into_body().collect().await.expect("is whole").to_bytes(), body);
    }
}

#[tokio::test]
async fn a_connection_on_which_something_came_unasked_is_not_quiet() {
    let (mut connection, mut far) = connection();
    assert!(connection.is_quiet());
    far.write_all(b"H").await.expect("is open");
    assert!(!connection.is_quiet());
    assert!(!connection.is_quiet());
}

#[tokio::test]
async fn a_request_that_is_dropped_closes_its_connection() {
    let (connection, mut far) = connection();
    let mut exchange = Box::pin(Exchange::<Body, ()>::new(connection, get(), None));
    assert!(once(exchange.as_mut()).await.is_pending());
    drop(exchange);
    let mut got = String::new();
    far.read_to_string(&mut got).await.expect("is closed");
    assert!(got.starts_with("GET /"));
}

#[tokio::test]
async fn a_large_body_is_read_in_pieces_of_bounded_size() {
    let (connection, mut far) = connection();
    let mut exchange = pin!(Exchange::<Body, ()>::new(connection, get(), None));
    assert!(once(exchange.as_mut()).await.is_pending());
    let length = 8 << 20;
    let writing = tokio::spawn(async move {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
        far.write_all(head.as_bytes()).await.expect("is open");
        far.write_all(&vec![b'x'; length]).await.expect("is open");
        far
    });
    let mut body = exchange.await.expect("answers").into_body();
    let (mut read, mut largest) = (0, 0);
    while let Some(frame) = body.frame().await {
        let data = frame.expect("is whole").into_data().expect("is data");
        read += data.len();
        largest = largest.max(data.len());
    }
    assert_eq!(read, length);
    assert!((32 << 10..=128 << 10).contains(&largest), "{largest}");
    assert!(body.take_spent().is_some());
    drop(writing.await);
}

#[tokio::test]
async fn a_protocol_cannot_change_while_the_request_is_sent() {
    let (near, mut far) = tokio::io::duplex(1 << 10);
    let connection = Connection::new(Stream::Memory(near), ());
    let request = Request::post("/").body(Body::once(vec![b'x'; 100_000])).expect("a request");
    let mut exchange = pin!(Exchange::<Body, ()>::new(connection, request, None));
    assert!(once(exchange.as_mut()).await.is_pending());
    far.write_all(b"HTTP/1.1 101 Switching Protocols\r\n\r\n").await.expect("is open");
    let (error, _) = exchange.await.expect_err("is refused").into_parts();
    assert_eq!(error.kind(), ErrorKind::Protocol);
}

#[tokio::test]
async fn the_timer_of_a_response_is_that_of_its_connection() {
    let (connection, mut far) = connection();
    let timer = |exchange: &mut Exchange<Body, ()>| exchange.timer().map(std::ptr::from_mut);
    let mut exchange = Exchange::<Body, ()>::new(connection, get(), None);
    let first = timer(&mut exchange);
    assert!(first.is_some());
    assert_eq!(timer(&mut exchange), first, "it stays from one poll to the next");
    assert!(once(pin!(&mut exchange)).await.is_pending());
    far.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.expect("is open");
    let mut body = (&mut exchange).await.expect("answers").into_body();
    assert_eq!(timer(&mut exchange), None, "the head is there");
    assert!(body.frame().await.is_none());
    let mut next = Exchange::new(body.take_spent().expect("is whole"), get(), None);
    assert_eq!(timer(&mut next), first, "it stays from one response to the next");
}
