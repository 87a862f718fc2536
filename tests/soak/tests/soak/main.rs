//! Random origins and random clients through the real binary: each body arrives whole, in order, and for its own
//! request, while the gateway reloads, retries and limits.
//!
//! 1. All that is sent follows from a seed, which is printed; `GATEWRIGHT_SEED` repeats a run, its scheduling aside, and
//!    with `GATEWRIGHT_VISIT` one of its visits again and again.
//! 2. A client makes a [visit](visit): one connection with some [exchanges](exchange). The origin knows from the number in
//!    a request what it should have been, and how to answer it.
//! 3. Bodies are compared [byte by byte](content) on both ends. An origin tells the hash of what it received, too.
//! 4. Both ends read HTTP/1 by a [reader](reader) that is strict and shares nothing with the gateway.
//! 5. What may not be is a difference, and one is too many. What the origin's own failures or a limit explain is
//!    counted apart.
//!
//! CI makes a short run. With `GATEWRIGHT_SOAK=1` it ends after a million responses and as many uploads.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]

mod client_http1;
mod client_http2;
mod content;
mod exchange;
mod frames;
mod gateway;
mod judge;
mod origin_http1;
mod origin_http2;
mod pieces;
mod reader;
mod upload;
mod visit;
mod world;

use std::{
    env,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use crate::{
    gateway::{Origins, UnderTest},
    judge::{CONFIRMED, WHOLE},
    visit::{Protocol, Visit},
    world::World,
};

/// How much a run does: it ends at both counts, or when the time is over.
struct Size {
    responses: u64,
    uploads: u64,
    time: Duration,
}

fn number(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}

fn run_size() -> Size {
    let soaking = env::var_os("GATEWRIGHT_SOAK").is_some_and(|value| value != "0");
    let (count, seconds) = if soaking { (1_000_000, 4 * 3600) } else { (20_000, 45) };
    let count = number("GATEWRIGHT_SOAK_RESPONSES").unwrap_or(count);
    let uploads = if soaking { count } else { count / 4 };
    Size { responses: count, uploads, time: Duration::from_secs(seconds) }
}

/// Visits at the same time.
const CLIENTS: usize = 32;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_body_arrives_whole_and_for_its_own_request() {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let seed = number("GATEWRIGHT_SEED").unwrap_or(now.as_millis() as u64);
    println!("GATEWRIGHT_SEED={seed}");
    let Size { responses, uploads, time } = run_size();
    let start = Instant::now();
    let world = Arc::new(World::new(seed, start + time));
    let origin = || origin_http1::start(world.clone());
    let origins = Origins {
        http1: origin().await.unwrap(),
        http2: origin_http2::start(world.clone(), false).await.unwrap(),
        leaving: origin_http2::start(world.clone(), true).await.unwrap(),
        retrying: origin().await.unwrap(),
        closing: origin().await.unwrap(),
        failing: origin().await.unwrap(),
    };
    let under_test = Arc::new(UnderTest::start(origins));
    let next = Arc::new(AtomicU64::new(0));
    let only = number("GATEWRIGHT_VISIT");
    if let Some(only) = only {
        let visit = Visit::of(seed, only);
        println!("{visit:#?}");
        visit.exchanges().for_each(|exchange| println!("{:?}", world.exchange(exchange)));
    }
    let clients: Vec<_> = (0..if only.is_some() { 1 } else { CLIENTS })
        .map(|_| {
            let (world, under_test, next) = (world.clone(), under_test.clone(), next.clone());
            tokio::spawn(async move {
                let is_over = || {
                    let enough = world.counted(WHOLE) >= responses && world.counted(CONFIRMED) >= uploads;
                    enough || Instant::now() > world.until
                };
                while !is_over() {
                    if only.is_some() {
                        world.forget_arrivals();
                    }
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    make(&world, &under_test, only.unwrap_or(number)).await;
                }
            })
        })
        .collect();
    let reloading = {
        let (world, under_test) = (world.clone(), under_test.clone());
        tokio::spawn(async move { under_test.reload(&world).await })
    };
    for client in clients {
        client.await.unwrap();
    }
    reloading.abort();
    println!("{} visits in {:?}", next.load(Ordering::Relaxed), start.elapsed());
    let said = under_test.gateway.stderr();
    for panic in said.lines().skip_while(|line| !line.contains("panicked")).take(3) {
        world.differs("the gateway panicked", None, panic);
    }
    let differences = world.report();
    assert!(differences.is_none(), "GATEWRIGHT_SEED={seed}\n{}", differences.unwrap_or_default());
    assert!(world.counted(WHOLE) > 0 && world.counted(CONFIRMED) > 0, "nothing arrived");
}

async fn make(world: &Arc<World>, under_test: &UnderTest, number: u64) {
    let visit = Visit::of(world.seed, number);
    let socket = match under_test.connect(&visit).await {
        Ok(socket) => socket,
        Err(error) => return world.differs("no connection", None, &format!("{error} {visit:?}")),
    };
    match visit.protocol {
        Protocol::Http10 | Protocol::Http11 => client_http1::visit(world.clone(), visit, socket).await,
        Protocol::Http2 => client_http2::visit(world.clone(), visit, socket).await,
    }
}
