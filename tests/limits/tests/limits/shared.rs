//! Redis goes away during a run, and comes back.

use std::time::{Duration, Instant};

use harness::{Gateway, Origin};

use crate::{clients::ask, lasting, redis};

const TIMEOUT: Duration = Duration::from_millis(200);
/// What a busy machine may add.
const GRACE: Duration = Duration::from_secs(1);

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
    let third = lasting().max(Duration::from_secs(6)) / 3;
    let address = gateway.address();
    let asking = tokio::spawn(async move { ask(&[address], 50, 3 * third, Duration::from_millis(20)).await });
    let began = Instant::now();
    tokio::time::sleep(third).await;
    let killed = began.elapsed();
    redis.kill();
    tokio::time::sleep(third).await;
    let started = began.elapsed();
    let redis = tokio::task::spawn_blocking(move || {
        redis.run();
        redis
    });
    let _redis = redis.await.unwrap();
    let run = asking.await.unwrap();

    let longest = run.answers.iter().map(|answer| answer.took).max().unwrap();
    let other = run.answers.iter().filter(|answer| ![200, 429, meanwhile].contains(&answer.status)).count();
    let of_outage = |answer: &&crate::clients::Answer| {
        answer.sent > killed + TIMEOUT + GRACE / 4 && answer.sent + answer.took < started
    };
    let during: Vec<_> = run.answers.iter().filter(of_outage).collect();
    let as_said = during.iter().filter(|answer| answer.status == meanwhile).count();
    let refused_after =
        run.answers.iter().filter(|answer| answer.sent > started && answer.status == 429).count();
    let last_503 = run.answers.iter().filter(|answer| answer.status == 503).map(|answer| answer.sent).max();
    let first_503 = run.answers.iter().find(|answer| answer.status == 503).map(|answer| answer.sent);
    println!(
        "{when_down}: {} requests, the longest took {longest:?}; while it was away {as_said} of {} were {meanwhile}; \
         503 from {first_503:?} to {last_503:?}, killed at {killed:?}, started at {started:?}; {refused_after} refused by the \
         limit afterwards; the warning: {}",
        run.answers.len(),
        during.len(),
        gateway.stderr().lines().find(|line| line.contains("Redis")).unwrap_or_default()
    );
    assert!(longest < TIMEOUT + GRACE, "no hang: {longest:?}");
    assert_eq!(other, 0, "nothing but what is configured");
    assert!(during.len() > 50, "{} during", during.len());
    // What a key has to wait is known for as long as it is, without asking.
    assert!(as_said * 100 >= during.len() * 95, "{as_said} of {}", during.len());
    assert!(refused_after > 50, "the limit holds again: {refused_after}");
    if let Some(last) = last_503 {
        assert_eq!(meanwhile, 503);
        assert!(last < started + TIMEOUT + GRACE, "no error for longer than the timeout: {last:?}");
    }
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
