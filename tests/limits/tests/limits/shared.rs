//! Redis goes away during a run, and comes back.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use harness::{Gateway, Origin};

use crate::{
    clients::{Answer, Until, ask},
    lasting, redis,
};

const TIMEOUT: Duration = Duration::from_millis(500);
/// What a busy machine may add.
const GRACE: Duration = Duration::from_secs(3);

/// Kills Redis after a third of the run and starts it again after two thirds.
async fn without_redis_for_a_while(when_down: &str, meanwhile: u16) {
    let mut redis = redis::Server::start();
    let origin = Origin::ok().await;
    let gateway = Gateway::builder(&format!(
        "access_log: off
limits:
  all: {{rate: 50/s, key: all, store: {{redis: \"{}\", timeout: {}ms, when_down: {when_down}}}}}
routes:
- path_prefix: /
  upstream: {}
  limit: all
",
        redis.url(),
        TIMEOUT.as_millis(),
        origin.address()
    ))
    .start();
    let phase = lasting().max(Duration::from_secs(6)) / 3;
    let over = Arc::new(AtomicBool::new(false));
    let (address, until) = (gateway.address(), Until::Told(Arc::clone(&over)));
    let asking = tokio::spawn(async move { ask(&[address], 50, &until, Duration::from_millis(20)).await });
    let began = Instant::now();
    tokio::time::sleep(phase).await;
    let killed = began.elapsed();
    redis.kill();
    tokio::time::sleep(phase).await;
    let restarting = began.elapsed();
    let restarted = tokio::task::spawn_blocking(move || {
        redis.run();
        redis
    });
    let _redis = restarted.await.unwrap();
    let answering = began.elapsed();
    tokio::time::sleep(phase + TIMEOUT + GRACE).await;
    over.store(true, Ordering::Relaxed);
    let run = asking.await.unwrap();

    let longest = run.answers.iter().map(|answer| answer.took).max().unwrap();
    let other = run.answers.iter().filter(|answer| ![200, 429, meanwhile].contains(&answer.status)).count();
    let of_outage = |answer: &&Answer| answer.sent > killed + TIMEOUT && answer.sent + answer.took < restarting;
    let during: Vec<_> = run.answers.iter().filter(of_outage).collect();
    let as_said = during.iter().filter(|answer| answer.status == meanwhile).count();
    // By then it decides again, whatever the machine has to do besides.
    let settled = answering + TIMEOUT + GRACE;
    let after: Vec<_> = run.answers.iter().filter(|answer| answer.sent > settled).collect();
    let refused = after.iter().filter(|answer| answer.status == 429).count();
    let last_503 = run.answers.iter().filter(|answer| answer.status == 503).map(|answer| answer.sent).max();
    println!(
        "{when_down}: {} requests, the longest took {longest:?}; while it was away {as_said} of {} were {meanwhile}; \
         {refused} of {} refused afterwards; the last 503 came {:?} after it answered again; {}",
        run.answers.len(),
        during.len(),
        after.len(),
        last_503.map(|last| last.saturating_sub(answering)),
        gateway.stderr().lines().find(|line| line.contains("Redis")).unwrap_or_default()
    );
    assert!(longest < TIMEOUT + GRACE, "no hang: {longest:?}");
    assert_eq!(other, 0, "nothing but what is configured");
    assert!(during.len() > 20, "{} during", during.len());
    // What a key has to wait is known for as long as it is, without asking.
    assert!(as_said * 100 >= during.len() * 95, "{as_said} of {}", during.len());
    assert!(refused > 20, "the limit holds again: {refused}");
    assert!(last_503.is_none_or(|last| last < settled), "no error for longer than the timeout: {last_503:?}");
    assert!(gateway.stderr().contains("Redis does not decide on rate limits"), "{}", gateway.stderr());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_killed_and_started_again_admits_meanwhile_when_it_is_told_to() {
    without_redis_for_a_while("admit", 200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_killed_and_started_again_refuses_meanwhile_when_it_is_told_to() {
    without_redis_for_a_while("refuse", 503).await;
}
