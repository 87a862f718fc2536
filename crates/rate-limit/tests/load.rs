//! Many callers at once, by the real clock.
//!
//! The demand is far above the limit, so that a slow machine changes nothing: what is admitted follows from the time that
//! has passed. `GATEWRIGHT_SOAK=1` runs them for longer.

use std::{
    convert::Infallible,
    time::{Duration, Instant},
};

use gatewright_core::Body;
use gatewright_rate_limit::{Key, Quota, RateLimitLayer};
use http::{Request, Response, StatusCode};
use tower::{ServiceExt, service_fn};
use tower_layer::Layer;

fn is_soak() -> bool {
    std::env::var_os("GATEWRIGHT_SOAK").is_some()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_callers_of_one_key_get_the_burst_and_the_rate() {
    let lasting = Duration::from_secs(if is_soak() { 10 } else { 2 });
    let service = RateLimitLayer::new(Quota::per_second(500).burst(200))
        .key(Key::everything())
        .layer(service_fn(async |_: Request<Body>| Ok::<_, Infallible>(Response::new(Body::empty()))));
    let started = Instant::now();
    let callers = (0..1_000).map(|_| {
        let service = service.clone();
        tokio::spawn(async move {
            let (mut admitted, mut refused) = (0_u64, 0_u64);
            while started.elapsed() < lasting {
                let response = service.clone().oneshot(Request::new(Body::empty())).await.expect("answers");
                match response.status() {
                    StatusCode::OK => admitted += 1,
                    status => {
                        assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
                        refused += 1;
                    }
                }
                tokio::task::yield_now().await;
            }
            (admitted, refused)
        })
    });
    let (mut admitted, mut refused) = (0, 0);
    for caller in callers.collect::<Vec<_>>() {
        let (some, others) = caller.await.expect("it calls");
        (admitted, refused) = (admitted + some, refused + others);
    }
    let (least, most) =
        (200.0 + 500.0 * lasting.as_secs_f64(), 200.0 + 500.0 * started.elapsed().as_secs_f64());
    println!("{admitted} admitted and {refused} refused, of {least:.0} to {most:.0}");
    assert!(refused > admitted, "the demand was above the limit");
    assert!(
        admitted as f64 >= least * 0.99 && admitted as f64 <= most * 1.01,
        "{admitted} of {least} to {most}"
    );
}
