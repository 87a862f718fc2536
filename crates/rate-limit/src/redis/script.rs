//! The script that decides, and its call.

use std::sync::LazyLock;

use redis::{Cmd, ErrorKind, RedisError, RedisResult, Script, ServerErrorKind, Value, aio::ConnectionLike};

use crate::{gcra::Reading, limits::Limits, verdict::Verdict};

const CODE: &str = include_str!("gcra.lua");

static SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(CODE));

/// Calls the script by its hash, and sends it where it is not known yet.
pub(super) async fn call(
    connection: &mut impl ConnectionLike,
    keys: &[String],
    limits: &Limits,
    cost: u32,
) -> RedisResult<Verdict> {
    let by_hash = command("EVALSHA", SCRIPT.get_hash(), keys, limits, cost);
    let answer: Value = match by_hash.query_async(connection).await {
        Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
            command("EVAL", CODE, keys, limits, cost).query_async(connection).await?
        }
        answer => answer?,
    };
    let answer: Vec<i64> = redis::from_redis_value(answer)?;
    read(&answer, keys.len()).ok_or_else(|| {
        RedisError::from((ErrorKind::UnexpectedReturnType, "the script of rate limits answered something else"))
    })
}

fn command(name: &str, script: &str, keys: &[String], limits: &Limits, cost: u32) -> Cmd {
    let mut command = redis::cmd(name);
    command.arg(script).arg(keys.len());
    for key in keys {
        command.arg(key);
    }
    command.arg(cost);
    for limit in limits.iter() {
        let period = u64::try_from(limit.quota.period().as_micros()).unwrap_or(u64::MAX);
        command.arg(limit.quota.units()).arg(period).arg(limit.rate.burst);
    }
    command
}

/// Microseconds as nanoseconds.
fn nanos(micros: i64) -> Option<u64> {
    u64::try_from(micros).ok().map(|micros| micros.saturating_mul(1_000))
}

fn read(answer: &[i64], limits: usize) -> Option<Verdict> {
    let [admitted, wait, readings @ ..] = answer else { return None };
    let readings = readings
        .chunks_exact(2)
        .map(|reading| Some(Reading { remaining: u32::try_from(reading[0]).ok()?, reset: nanos(reading[1])? }));
    let readings = readings.collect::<Option<smallvec::SmallVec<[Reading; 2]>>>()?;
    let admitted = *admitted == 1;
    let wait = if admitted { None } else { nanos(*wait) };
    (readings.len() == limits).then_some(Verdict { admitted, wait, readings })
}
