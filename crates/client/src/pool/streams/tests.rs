use std::pin::pin;

use gatewright_core::Body;
use tokio::sync::oneshot::error::TryRecvError;

use super::*;
use crate::{Pool, PoolBuilder};

fn pool(max_connections: usize) -> Pool<Body> {
    let builder = PoolBuilder::new("127.0.0.1:1".parse().expect("a target"));
    builder.max_connections(max_connections).build()
}

/// The streams of a connection, and what tells that it is to be closed.
fn connect(pool: &Pool<Body>) -> (Arc<Streams<Body>>, oneshot::Receiver<Infallible>) {
    let (closer, closing) = oneshot::channel();
    (Streams::new(Arc::downgrade(&pool.inner), closer, Rules::for_responses()), closing)
}

fn is_closed(closing: &mut oneshot::Receiver<Infallible>) -> bool {
    closing.try_recv() == Err(TryRecvError::Closed)
}

fn reserve<const COUNT: usize>(streams: &Arc<Streams<Body>>) -> [StreamPermit<Body>; COUNT] {
    std::array::from_fn(|_| streams.reserve().expect("there is a slot"))
}

/// Uses the endpoint's patience up.
fn exhaust(streams: &Arc<Streams<Body>>) {
    for mut permit in reserve::<3>(streams) {
        assert!(matches!(permit.give_up(), Reset::Now));
    }
}

#[tokio::test(start_paused = true)]
async fn there_are_as_many_slots_as_the_endpoint_allows_and_a_hundred_at_most() {
    for (allowed, slots) in [(0, 1), (1, 1), (7, 7), (100, 100), (101, 100), (usize::MAX, 100)] {
        let (streams, _closing) = connect(&pool(1));
        streams.allow(allowed);
        let mut permits: Vec<_> = std::iter::from_fn(|| streams.reserve()).collect();
        assert_eq!(permits.len(), slots, "{allowed} are allowed");
        permits.pop();
        permits.extend(streams.reserve());
        assert!(permits.len() == slots && streams.reserve().is_none(), "{allowed} are allowed");
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_told_of_new_slots() {
    let pool = pool(1);
    let (streams, _closing) = connect(&pool);
    pool.inner.waiting.fetch_add(1, Ordering::Relaxed);
    // A notification that nobody waits for is kept for the next one.
    let is_told = async || {
        let told = tokio::time::timeout(Duration::from_millis(1), pool.inner.freed.notified());
        pin!(told).await.is_ok()
    };
    for (allowed, expected) in [(100, false), (5, false), (6, true), (6, false), (1, false), (100, true)] {
        streams.allow(allowed);
        assert_eq!(is_told().await, expected, "{allowed} are allowed");
    }
    drop(streams.reserve());
    assert!(is_told().await, "a slot is free again");
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_retired_when_it_has_had_no_stream_for_long_enough() {
    const KEEP_ALIVE: Duration = Duration::from_secs(4);
    let pool = pool(1);
    let (streams, mut closing) = connect(&pool);
    let idle_for = || match streams.retire_idle(KEEP_ALIVE) {
        Idle::For(time) => Some(time),
        Idle::Retired(_closer) => None,
    };
    let [permit] = reserve(&streams);
    tokio::time::advance(KEEP_ALIVE * 2).await;
    assert_eq!(idle_for(), Some(Duration::ZERO), "it has a stream");
    drop(permit);
    tokio::time::advance(KEEP_ALIVE - Duration::from_millis(1)).await;
    assert_eq!(idle_for(), Some(KEEP_ALIVE - Duration::from_millis(1)));
    drop(reserve::<1>(&streams));
    tokio::time::advance(Duration::from_millis(1)).await;
    assert_eq!(idle_for(), Some(Duration::from_millis(1)), "it had a stream meanwhile");
    assert!(!is_closed(&mut closing));
    tokio::time::advance(KEEP_ALIVE).await;
    assert_eq!(idle_for(), None);
    assert!(streams.reserve().is_none() && is_closed(&mut closing));
    assert_eq!(pool.inner.retired.load(Ordering::Relaxed), 1);
    streams.note_closed();
    assert_eq!(pool.inner.retired.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn a_connection_whose_endpoint_has_no_patience_left_is_closed_with_the_last_who_waits() {
    let pool = pool(usize::MAX);
    let (streams, mut closing) = connect(&pool);
    let [mut first, mut second, waits] = reserve(&streams);
    exhaust(&streams);
    let start = Instant::now();
    for (permit, turn) in [(&mut first, 100), (&mut second, 200)] {
        let reset = permit.give_up();
        assert!(matches!(reset, Reset::At(at) if at == start + Duration::from_millis(turn)));
    }
    assert!(streams.reserve().is_none(), "it is retired");
    assert!(!is_closed(&mut closing), "one waits");
    drop(waits);
    assert!(is_closed(&mut closing), "nobody waits");
    drop((first, second));
    assert_eq!(streams.lock().held, 0);
}

#[tokio::test(start_paused = true)]
async fn a_connection_of_which_all_streams_were_given_up_is_closed_at_once() {
    let pool = pool(usize::MAX);
    let (streams, mut closing) = connect(&pool);
    exhaust(&streams);
    let [mut last] = reserve(&streams);
    assert!(matches!(last.give_up(), Reset::Now), "the close spares the reset");
    assert!(is_closed(&mut closing));
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_not_retired_where_none_can_take_its_part() {
    for (max_connections, open, retired, expected) in [
        (2, 1, 0, true),
        (2, 2, 0, false),
        (1, 1, 0, false),
        (usize::MAX, 1, MAX_RETIRED - 1, true),
        (usize::MAX, 1, MAX_RETIRED, false),
    ] {
        let pool = pool(max_connections);
        pool.inner.open.store(open, Ordering::Relaxed);
        pool.inner.retired.store(retired, Ordering::Relaxed);
        let name = format!("{open} of {max_connections} open, {retired} retired");
        // For want of patience, while another one waits.
        let (streams, _closing) = connect(&pool);
        exhaust(&streams);
        let [mut given_up, _waits] = reserve(&streams);
        assert!(matches!(given_up.give_up(), Reset::At(_)), "{name}");
        assert_eq!(streams.reserve().is_none(), expected, "{name}");
        // For silence.
        pool.inner.retired.store(retired, Ordering::Relaxed);
        let (streams, _closing) = connect(&pool);
        let [silent, _waits] = reserve(&streams);
        silent.retire_silent();
        assert_eq!(streams.reserve().is_none(), expected, "{name}");
        // The last one retires it in any case.
        pool.inner.retired.store(retired, Ordering::Relaxed);
        let (streams, _closing) = connect(&pool);
        let [silent] = reserve(&streams);
        silent.retire_silent();
        assert!(streams.reserve().is_none(), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_waits_for_its_formal_end_holds_no_retired_connection() {
    let pool = pool(usize::MAX);
    let (streams, mut closing) = connect(&pool);
    let [mut ends, waits] = reserve(&streams);
    assert_eq!(ends.await_end(), Instant::now() + Duration::from_millis(100));
    waits.retire_silent();
    assert!(streams.reserve().is_none() && !is_closed(&mut closing));
    drop(waits);
    assert!(is_closed(&mut closing));
    drop(ends);
    let state = streams.lock();
    assert_eq!((state.open, state.held), (0, 0));
}
