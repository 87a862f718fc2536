//! HTTP/1.1, by wrk. A script sets the request, and prints the counts as JSON at the end.

use std::{fmt::Write, fs, net::SocketAddr, process::Command, time::Duration};

use serde_json::Value;

use super::{CONNECTIONS, Clients, Done, bearer_token};
use crate::{Result, process, proxy::prefixes};

const REPORT: &str = r#"
done = function(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\nDONE {"requests": %d, "us": %d, "statuses": %d, "broken": %d, "p99_us": %d}\n',
    summary.requests, summary.duration, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout, latency:percentile(99.0)))
end
"#;

pub(super) struct Script {
    path: String,
    lua: String,
}

impl Script {
    pub(super) fn get(path: &str) -> Self {
        Self { path: path.to_owned(), lua: format!("{}{REPORT}", token()) }
    }

    pub(super) fn post(path: &str, length: usize) -> Self {
        let body = format!("wrk.method = \"POST\"\nwrk.body = string.rep(\"x\", {length})\n");
        Self { path: path.to_owned(), lua: format!("{}{body}{REPORT}", token()) }
    }

    /// One request through each route, over and over.
    pub(super) fn routes(count: usize) -> Self {
        let mut lua = format!("{}local paths = {{\n", token());
        for prefix in prefixes(count) {
            let _ = writeln!(lua, "\"{prefix}/orders/1001\",");
        }
        lua.push_str(
            "}
local requests, next = {}, 0
init = function(arguments)
  for index, path in ipairs(paths) do requests[index] = wrk.format(nil, path) end
end
request = function()
  next = next % #requests + 1
  return requests[next]
end
",
        );
        lua.push_str(REPORT);
        Self { path: "/".to_owned(), lua }
    }
}

fn token() -> String {
    format!("wrk.headers[\"Authorization\"] = \"Bearer {}\"\n", bearer_token())
}

pub(super) fn run(script: &Script, server: SocketAddr, seconds: u64, clients: &Clients<'_>) -> Result<Done> {
    let file = clients.folder.join("wrk.lua");
    fs::write(&file, &script.lua).map_err(|error| format!("{}: {error}", file.display()))?;
    let mut command = Command::new(clients.tools.program("wrk")?);
    command.args(["--threads", "1", "--connections", &CONNECTIONS.to_string()]);
    command.args(["--duration", &format!("{seconds}s"), "--timeout", "5s", "--latency", "--script"]);
    command.arg(file).arg(format!("http://{server}{}", script.path));
    let printed = process::run(clients.cores, &command, Duration::from_secs(seconds + 30))?;
    parse(&printed).ok_or_else(|| format!("wrk printed no counts:\n{printed}"))
}

fn parse(printed: &str) -> Option<Done> {
    let line = printed.lines().find_map(|line| line.strip_prefix("DONE "))?;
    let counts: Value = serde_json::from_str(line).ok()?;
    let number = |name: &str| counts[name].as_u64();
    let (requests, statuses, broken) = (number("requests")?, number("statuses")?, number("broken")?);
    Some(Done {
        requests: requests.saturating_sub(statuses),
        failed: statuses + broken,
        seconds: number("us")? as f64 / 1e6,
        p99_ms: Some(number("p99_us")? as f64 / 1e3),
        resumed: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_with_another_status_and_broken_connections_are_failures() {
        let printed = "Running 1s test @ http://127.0.0.1:1/\n  Thread Stats   Avg\n\n\
            DONE {\"requests\": 1000, \"us\": 2000000, \"statuses\": 10, \"broken\": 3, \"p99_us\": 1250}\n";
        let done = parse(printed).expect("counts");
        assert_eq!((done.requests, done.failed), (990, 13));
        assert_eq!((done.seconds, done.p99_ms), (2.0, Some(1.25)));
        assert_eq!(parse("unable to connect"), None);
    }
}
