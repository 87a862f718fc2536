//! What a connection holds, and how much it reads.

use std::{
    convert::Infallible,
    future::ready,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

use gatewright_core::{Body, BoxError};
use http::{Request, Response};
use http_body_util::BodyExt;

use super::{
    run,
    service::Flag,
    socket::{self, Move, Peer, Socket},
};
use crate::{
    http1::{
        buffers::{self, INPUT},
        connection::{Connection, End},
    },
    service::Application,
};

const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";

/// A connection whose client sends each piece when it is told to, the first one at once.
fn connect<S: Application>(service: S, pieces: &[&[u8]]) -> (Connection<S, Socket>, Peer) {
    let pieces: Vec<_> = pieces.iter().map(|piece| piece.to_vec()).collect();
    let (socket, peer) = socket::pair(pieces, vec![Move::WHOLE], vec![Move::WHOLE], true);
    (run::connection(socket, service), peer)
}

/// Polls for as long as the connection wakes its own task.
fn poll<S: Application>(connection: &mut Connection<S, Socket>) -> Poll<End> {
    let flag = Arc::new(Flag::default());
    let waker = Waker::from(Arc::clone(&flag));
    loop {
        if let Poll::Ready(end) = connection.poll(&mut Context::from_waker(&waker)) {
            return Poll::Ready(end);
        }
        if !flag.take() {
            return Poll::Pending;
        }
    }
}

fn answers(peer: &Peer) -> usize {
    peer.received().windows(12).filter(|window| window == b"HTTP/1.1 200").count()
}

fn post(length: usize, body: &[u8]) -> Vec<u8> {
    let head = format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

/// Answers without looking at the body.
fn early() -> impl Application {
    tower::service_fn(|_: Request<Body>| ready(Ok::<_, Infallible>(Response::new(Body::empty()))))
}

/// Reads the body, then answers.
fn reading() -> impl Application {
    tower::service_fn(|request: Request<Body>| async move {
        request.into_body().collect().await?;
        Ok::<_, BoxError>(Response::new(Body::empty()))
    })
}

#[test]
fn an_idle_connection_holds_no_buffers() {
    let whole = post(5, b"12345");
    let chunked = b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    for pieces in [
        &[][..],
        &[GET],
        &[GET, GET],
        &[&[GET, GET].concat()],
        &[&GET[..10], &GET[10..]],
        &[&whole],
        &[chunked],
        &[&chunked[..40], &chunked[40..58], &chunked[58..]],
    ] {
        // The next pair that is taken is this one.
        let (input, output) = buffers::take();
        let places = (input.as_ptr(), output.as_ptr());
        buffers::give_back(input, output);
        let (mut connection, peer) = connect(reading(), pieces);
        assert!(poll(&mut connection).is_pending());
        while peer.send_next() {
            assert!(poll(&mut connection).is_pending());
        }
        assert!(!connection.mid_message());
        assert_eq!(connection.input.capacity(), 0, "{} pieces", pieces.len());
        assert_eq!(connection.out.take_memory().capacity(), 0, "{} pieces", pieces.len());
        let (input, output) = buffers::take();
        assert_eq!((input.as_ptr(), output.as_ptr()), places, "another connection can have them");
        buffers::give_back(input, output);
    }
}

#[test]
fn half_a_head_is_held() {
    let (mut connection, peer) = connect(early(), &[&GET[..20], &GET[20..]]);
    assert!(poll(&mut connection).is_pending());
    assert_eq!(&connection.input[..], &GET[..20]);
    assert!(peer.send_next() && poll(&mut connection).is_pending());
    assert_eq!((answers(&peer), connection.input.capacity()), (1, 0));
}

#[test]
fn a_connection_can_be_parked_between_requests_alone() {
    let request = post(5, b"12345");
    let (mut connection, peer) = connect(reading(), &[&[], &request[..49], &request[49..]]);
    assert!(!connection.can_park() && connection.is_parked(), "it holds nothing yet");
    assert!(poll(&mut connection).is_pending() && peer.send_next() && poll(&mut connection).is_pending());
    assert!(!connection.can_park() && !connection.is_parked(), "the service waits");
    assert!(peer.send_next() && poll(&mut connection).is_pending());
    assert_eq!(answers(&peer), 1);
    assert!(connection.can_park() && !connection.is_parked());
    connection.park();
    assert!(!connection.can_park() && connection.is_parked());
}

#[test]
fn a_body_that_is_dropped_is_thrown_away_up_to_a_bound() {
    const BOUND: usize = 64 << 10;
    for (length, stays) in [
        (1, true),
        (INPUT, true),
        (2 * INPUT + 1, true),
        (BOUND - 1, true),
        (BOUND, true),
        (BOUND + 1, false),
        (BOUND + INPUT, false),
        (10 * BOUND, false),
    ] {
        // The service drops the body when all of it has come, and none of it has been read.
        let waits = Arc::new(AtomicUsize::new(0));
        let service = tower::service_fn(move |request: Request<Body>| {
            let waits = Arc::clone(&waits);
            async move {
                let body = request.into_body();
                std::future::poll_fn(|_| match waits.fetch_add(1, Ordering::SeqCst) {
                    0 => Poll::Pending,
                    _ => Poll::Ready(()),
                })
                .await;
                drop(body);
                Ok::<_, Infallible>(Response::new(Body::empty()))
            }
        });
        let (mut connection, peer) = connect(service, &[&post(length, b""), &vec![b'x'; length], GET]);
        assert!(poll(&mut connection).is_pending() && peer.send_next());
        let ended = poll(&mut connection).is_ready();
        assert_eq!(answers(&peer), 1, "{length} bytes");
        assert_eq!(!ended, stays, "{length} bytes");
        if stays {
            assert!(peer.unread() == GET, "{length} bytes");
            assert!(peer.send_next() && poll(&mut connection).is_pending());
            assert_eq!(answers(&peer), 2, "{length} bytes");
        } else {
            let read = length + GET.len() - peer.unread().len();
            assert!(read <= BOUND + INPUT, "{read} bytes of {length} were read for nothing");
        }
    }
}

#[test]
fn a_large_body_is_read_in_large_pieces_that_are_bounded() {
    const LENGTH: usize = 1 << 20;
    let lengths = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&lengths);
    let service = tower::service_fn(move |request: Request<Body>| {
        let seen = Arc::clone(&seen);
        async move {
            let mut body = request.into_body();
            while let Some(frame) = body.frame().await {
                seen.lock().expect("not poisoned").push(frame?.into_data().map_or(0, |data| data.len()));
            }
            Ok::<_, BoxError>(Response::new(Body::empty()))
        }
    });
    let (mut connection, peer) = connect(service, &[&post(LENGTH, &[b'x'; LENGTH])]);
    assert!(poll(&mut connection).is_pending());
    assert_eq!(answers(&peer), 1);
    let lengths = lengths.lock().expect("not poisoned");
    assert_eq!(lengths.iter().sum::<usize>(), LENGTH);
    let largest = lengths.iter().max().copied().unwrap_or_default();
    assert!((32 << 10..=128 << 10).contains(&largest), "a piece of {largest} bytes");
    // One write is among them.
    assert!(peer.progress() <= 40, "{} reads", peer.progress());
}

#[test]
fn a_head_that_fits_is_read_at_once() {
    let head = format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "x".repeat(7 << 10));
    let (mut connection, peer) = connect(early(), &[head.as_bytes()]);
    assert!(poll(&mut connection).is_pending());
    assert_eq!((answers(&peer), peer.progress()), (1, 2), "one read, and one write");
}

#[test]
fn what_comes_before_its_turn_is_held_up_to_a_bound() {
    let service =
        tower::service_fn(|_: Request<Body>| std::future::pending::<Result<Response<Body>, Infallible>>());
    let (mut connection, peer) = connect(service, &[&GET.repeat(10_000)]);
    assert!(poll(&mut connection).is_pending());
    let held = connection.input.len();
    assert!((INPUT..=2 * INPUT).contains(&held), "{held} bytes");
    assert!(connection.input.capacity() <= 3 * INPUT);
    assert_eq!(peer.unread().len() + held, GET.len() * 9999);
}
