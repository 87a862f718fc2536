//! A thousand connections against one limit.

use std::time::Duration;

use harness::{Gateway, Origin};

use crate::{
    clients::{Run, Until, ask},
    lasting, redis, soaking,
};

const PAUSE: Duration = Duration::from_millis(20);

/// Requests a second. A debug build on a busy machine serves some hundreds, and the demand is to be above the limit.
fn rate() -> u32 {
    if soaking() { 500 } else { 50 }
}

/// It takes a second to be full again or two, so that a pause of the machine's costs nothing; and it is no more than what
/// the origin can take at once.
fn burst() -> u32 {
    rate().max(100)
}

/// What a limit gives in so long.
fn given(time: Duration) -> f64 {
    f64::from(burst()) + f64::from(rate()) * time.as_secs_f64()
}

/// Fails when what was admitted is not the burst and the rate, within 1 %. The bucket refills for certain from its first
/// refusal on, which says that it is empty.
fn assert_within_a_hundredth(run: &Run, what: &str) {
    let (admitted, refused) = (run.count(200), run.count(429));
    let empty =
        run.answers.iter().filter(|answer| answer.status == 429).map(|answer| answer.sent + answer.took).min();
    let last = run.answers.iter().map(|answer| answer.sent).max().unwrap_or_default();
    let (least, most) = (given(last.saturating_sub(empty.unwrap_or_default())), given(run.elapsed));
    println!(
        "{what}: {admitted} admitted and {refused} refused in {:?}; the limit gives {least:.0} to {most:.0}",
        run.elapsed
    );
    assert_eq!(admitted + refused, run.answers.len(), "nothing but 200 and 429");
    assert!(refused > admitted, "the demand was above the limit");
    assert!(admitted as f64 >= least * 0.99, "{admitted} of {least}");
    assert!(admitted as f64 <= most * 1.01, "{admitted} of {most}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_connections_get_the_burst_and_the_rate_from_two_workers() {
    let origin = Origin::ok().await;
    let gateway = Gateway::builder(&format!(
        "workers: 2
access_log: off
limits: {{all: {{rate: {}/s, burst: {}, key: client_ip}}}}
routes:
- path_prefix: /
  upstream: {}
  limit: all
",
        rate(),
        burst(),
        origin.address()
    ))
    .start();
    let run = ask(&[gateway.address()], 1_000, &Until::After(lasting()), PAUSE).await;
    assert_within_a_hundredth(&run, "one process");
    assert_eq!(origin.requests().len(), run.count(200), "what was refused has reached nobody");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_gateways_on_one_redis_admit_together_what_one_limit_gives() {
    let redis = redis::Server::start();
    let origin = Origin::ok().await;
    let yaml = format!(
        "access_log: off
limits:
  all: {{rate: {}/s, burst: {}, key: all, store: {{redis: \"{}\", timeout: 10s, when_down: refuse}}}}
routes:
- path_prefix: /
  upstream: {}
  limit: all
",
        rate(),
        burst(),
        redis.url(),
        origin.address()
    );
    let gateways = [(); 2].map(|()| Gateway::builder(&yaml).start());
    let run = ask(&gateways.each_ref().map(Gateway::address), 1_000, &Until::After(lasting()), PAUSE).await;
    assert_within_a_hundredth(&run, "two gateways");
    assert_eq!(origin.requests().len(), run.count(200));
}
