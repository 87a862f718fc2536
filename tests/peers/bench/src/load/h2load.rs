//! HTTP/2 and gRPC, by h2load.

use std::{fs, net::SocketAddr, process::Command, time::Duration};

use super::{Clients, Done, GRPC_MESSAGE, H2_CONNECTIONS, H2_STREAMS, bearer_token};
use crate::{Result, process};

pub(super) fn get(server: SocketAddr, seconds: u64, clients: &Clients<'_>) -> Result<Done> {
    let mut command = command(seconds, clients)?;
    command.arg(format!("http://{server}/"));
    run(&command, seconds, clients)
}

/// Every call carries one message, and gets it back.
pub(super) fn grpc(server: SocketAddr, seconds: u64, clients: &Clients<'_>) -> Result<Done> {
    let file = clients.folder.join("message");
    let mut message = vec![0, 0, 0, 0, u8::try_from(GRPC_MESSAGE).unwrap_or(u8::MAX)];
    message.resize(5 + GRPC_MESSAGE, b'x');
    fs::write(&file, message).map_err(|error| format!("{}: {error}", file.display()))?;
    let mut command = command(seconds, clients)?;
    command.args(["--header", "content-type: application/grpc", "--header", "te: trailers", "--data"]);
    command.arg(file).arg(format!("http://{server}/peers.Echo/Echo"));
    run(&command, seconds, clients)
}

fn command(seconds: u64, clients: &Clients<'_>) -> Result<Command> {
    let mut command = Command::new(clients.tools.program("h2load")?);
    command.args(["--threads=1", &format!("--clients={H2_CONNECTIONS}")]);
    command.args([format!("--max-concurrent-streams={H2_STREAMS}"), format!("--duration={seconds}")]);
    command.args(["--header", &format!("authorization: Bearer {}", bearer_token())]);
    Ok(command)
}

fn run(command: &Command, seconds: u64, clients: &Clients<'_>) -> Result<Done> {
    let printed = process::run(clients.cores, command, Duration::from_secs(seconds + 30))?;
    parse(&printed, seconds).ok_or_else(|| format!("h2load printed no counts:\n{printed}"))
}

/// h2load tells no percentiles, and of a run by time not how long it took.
fn parse(printed: &str, seconds: u64) -> Option<Done> {
    let requests = printed.lines().find_map(|line| line.strip_prefix("requests: "))?;
    let count = |name: &str| {
        let part = requests.split(", ").find(|part| part.ends_with(name))?;
        part.split(' ').next()?.parse::<u64>().ok()
    };
    let statuses = printed.lines().find_map(|line| line.strip_prefix("status codes: "))?;
    let successes: u64 = statuses.split(' ').next()?.parse().ok()?;
    let done = count(" done")?;
    Some(Done {
        requests: successes,
        failed: count(" failed")?.max(done.saturating_sub(successes)) + count(" timeout")?,
        seconds: seconds as f64,
        p99_ms: None,
        resumed: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn successes_and_failures_are_told_apart() {
        let printed = "finished in 2.00s, 5.00 req/s, 1.00KB/s\n\
            requests: 12 total, 12 started, 10 done, 8 succeeded, 2 failed, 0 errored, 1 timeout\n\
            status codes: 8 2xx, 0 3xx, 0 4xx, 2 5xx\n";
        let done = parse(printed, 2).expect("counts");
        assert_eq!((done.requests, done.failed, done.seconds), (8, 3, 2.0));
        assert_eq!(parse("could not connect", 2), None);
    }
}
