//! The script by itself, under a clock that the test sets, against the arithmetic of the local store.

use proptest::{prelude::*, test_runner::TestRunner};

use super::*;
use crate::gcra::{FullAt, Over, Rate};

/// The script, with a clock that is handed to it.
struct ByHand {
    _server: Server,
    runtime: tokio::runtime::Runtime,
    connection: redis::aio::MultiplexedConnection,
    script: redis::Script,
}

impl ByHand {
    fn start() -> Self {
        let server = Server::start();
        let client = redis::Client::open(server.url()).expect("a URL");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let connection = runtime.block_on(client.get_multiplexed_async_connection()).expect("a connection");
        let code = include_str!("../gcra.lua")
            .replace("redis.call('TIME')", "{ARGV[#ARGV - 1], ARGV[#ARGV]}")
            // The server's own clock would make buckets expire.
            .replace("'PX', string", "'PX', '100000000' or string");
        Self { _server: server, runtime, connection, script: redis::Script::new(&code) }
    }

    /// Whether it is admitted, what it has to wait, what is left, and when it is whole again, in microseconds.
    fn decide(&self, bucket: u32, rate: Rate, quota: Quota, now: u64, cost: u32) -> Vec<i64> {
        let mut call = self.script.key(format!("bucket {bucket}"));
        call.arg(cost).arg(quota.units()).arg(quota.period().as_micros() as u64).arg(rate.burst);
        call.arg(now / 1_000_000).arg(now % 1_000_000);
        self.runtime.block_on(call.invoke_async(&mut self.connection.clone())).expect("an answer")
    }
}

/// A time of these days in microseconds, which needs 51 of the 53 bits that a number of Lua's has.
const THESE_DAYS: u64 = 1_795_000_000_000_000;

#[test]
fn a_clock_that_is_set_back_costs_no_more_than_what_the_bucket_holds() {
    let script = ByHand::start();
    let quota = Quota::per_second(10).burst(20);
    let rate = Rate::new(quota);
    assert_eq!(script.decide(0, rate, quota, THESE_DAYS, 20), [1, 0, 0, 2_000_000]);
    // An hour back, the bucket is as empty as it was and not emptier, and a tenth of a second later there is one.
    let back = THESE_DAYS - 3_600_000_000;
    assert_eq!(script.decide(0, rate, quota, back, 1), [0, 100_000, 0, 2_000_000]);
    assert_eq!(script.decide(0, rate, quota, back, 21), [0, -1, 0, 2_000_000]);
    assert_eq!(script.decide(0, rate, quota, back + 5, 1), [0, 100_000, 0, 2_000_000]);
    // A server that takes over may be some milliseconds behind.
    assert_eq!(script.decide(1, rate, quota, THESE_DAYS, 20), [1, 0, 0, 2_000_000]);
    assert_eq!(script.decide(1, rate, quota, THESE_DAYS - 7_000, 1), [0, 100_000, 0, 2_000_000]);
    assert_eq!(script.decide(1, rate, quota, THESE_DAYS + 100_000, 1), [1, 0, 0, 2_000_000]);
}

#[test]
fn the_largest_quotas_neither_overflow_nor_drift_in_the_script() {
    let script = ByHand::start();
    for (number, quota) in [
        Quota::per_day(1).burst(u32::MAX),
        Quota::per_day(u32::MAX),
        Quota::per(u32::MAX, Duration::from_secs(366 * 86_400)),
        Quota::per(u32::MAX, Duration::from_millis(1)),
        Quota::per(1, Duration::from_secs(366 * 86_400)).burst(u32::MAX),
        Quota::per_second(1_999_999_999).burst(7),
    ]
    .into_iter()
    .enumerate()
    {
        let (bucket, rate) = (number as u32, Rate::new(quota));
        // What is compared may be rounded beyond 53 bits, so that a request may be a microsecond too early.
        let is_exact = u128::from(rate.burst) * quota.period().as_micros() < 1 << 53;
        let now = THESE_DAYS + u64::from(!is_exact);
        let admitted = script.decide(bucket, rate, quota, THESE_DAYS, rate.burst - 1);
        assert!(admitted[0] == 1 && (admitted[2] == 1 || !is_exact), "{quota}: {admitted:?}");
        assert_eq!(script.decide(bucket, rate, quota, now, 1)[..3], [1, 0, 0], "{quota}");
        let refused = script.decide(bucket, rate, quota, now, 1);
        assert_eq!((refused[0], refused[2]), (0, 0), "{quota}");
        assert!(refused[1] >= 1, "{quota}");
        let refill = rate.refill().as_micros() as i64;
        assert!((refill - 1..=refill + 1).contains(&refused[3]), "{quota}: {refused:?}");
    }
}

/// It decides as `gcra.rs` does, in each answer.
#[test]
fn the_script_decides_exactly_as_the_local_arithmetic() {
    let script = ByHand::start();
    let quota = prop_oneof![
        (1_u32..2_000, 1_u64..100_000, 1_u32..50).prop_map(|(units, millis, burst)| Quota::per(
            units,
            Duration::from_millis(millis)
        )
        .burst(burst)),
        Just(Quota::per_second(299_993)),
        Just(Quota::per_day(7).burst(100)),
    ];
    let steps = prop::collection::vec((0_u64..3_000_000, 0_u32..60), 1..60);
    let cases = Cell::new(0);
    let usual = ProptestConfig::default();
    let config = ProptestConfig { cases: 60 * usual.cases / 256, ..usual };
    let result = TestRunner::new(config).run(&(quota, steps), |(quota, steps)| {
        let case = cases.replace(cases.get() + 1_u32);
        let rate = Rate::new(quota);
        let start = THESE_DAYS;
        let (mut bucket, mut now) = (FullAt::default(), start);
        for (step, cost) in steps {
            now += step * step % 50_000_000;
            let local = rate.take(bucket, now * 1_000, cost);
            let answer = script.decide(case, rate, quota, now, cost);
            let wait = match local {
                Ok(after) => {
                    bucket = after;
                    0
                }
                Err(Over { wait: Some(wait) }) => wait.div_ceil(1_000) as i64,
                Err(Over { wait: None }) => -1,
            };
            let reading = rate.read(bucket, now * 1_000);
            prop_assert_eq!(
                answer,
                vec![
                    i64::from(local.is_ok()),
                    wait,
                    i64::from(reading.remaining),
                    reading.reset.div_ceil(1_000) as i64
                ],
                "{} at {} costs {}",
                quota,
                now - start,
                cost
            );
        }
        Ok(())
    });
    result.unwrap_or_else(|failure| panic!("{failure}"));
}
