//! What the program `load` of this workspace does for us.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

use serde_json::Value;

use super::{Clients, Done, HANDSHAKES};
use crate::{
    Result,
    process::{self, Piped},
};

/// For one call; the server may not answer at all.
const CALL: Duration = Duration::from_secs(10);

pub(super) fn call_tls(server: SocketAddr, clients: &Clients<'_>) -> Result<()> {
    let ca = clients.certificate.authority().to_string_lossy().into_owned();
    let answer = told(&["call", "tls", &server.to_string(), &ca], CALL, clients)?;
    expect_xs(&answer)
}

pub(super) fn call_h2(server: SocketAddr, clients: &Clients<'_>) -> Result<()> {
    expect_xs(&told(&["call", "h2", &server.to_string()], CALL, clients)?)
}

pub(super) fn call_grpc(server: SocketAddr, clients: &Clients<'_>) -> Result<()> {
    let answer = told(&["call", "grpc", &server.to_string()], CALL, clients)?;
    let right = answer["status"] == 200 && answer["echoed"] == true && answer["grpc_status"] == "0";
    if right { Ok(()) } else { Err(format!("not the right answer: {answer}")) }
}

fn expect_xs(answer: &Value) -> Result<()> {
    let right = answer["status"] == 200 && answer["body"] == "x".repeat(256);
    if right { Ok(()) } else { Err(format!("not the right answer: {answer}")) }
}

pub(super) fn handshakes(
    server: SocketAddr,
    resumed: bool,
    seconds: u64,
    clients: &Clients<'_>,
) -> Result<Done> {
    let kind = if resumed { "resumed" } else { "full" };
    let limit = Duration::from_secs(seconds + 30);
    let (server, seconds) = (server.to_string(), seconds.to_string());
    let counts = told(&["handshakes", kind, &server, &seconds, &HANDSHAKES.to_string()], limit, clients)?;
    if let Some(failure) = counts["first_failure"].as_str() {
        eprintln!("a handshake failed: {failure}");
    }
    let number = |name: &str| counts[name].as_u64().ok_or_else(|| format!("no {name}: {counts}"));
    Ok(Done {
        requests: number("requests")?,
        failed: number("failed")?,
        seconds: counts["seconds"].as_f64().unwrap_or_default(),
        p99_ms: counts["p99_us"].as_u64().map(|us| us as f64 / 1e3),
        resumed: Some(number("resumed")?),
    })
}

fn told(arguments: &[&str], limit: Duration, clients: &Clients<'_>) -> Result<Value> {
    let mut command = Command::new(clients.tools.built("load"));
    command.args(arguments);
    let printed = process::run(clients.cores, &command, limit)?;
    serde_json::from_str(&printed).map_err(|error| format!("{error}: {printed}"))
}

/// Connections that are open and do nothing.
pub(crate) struct Idle {
    client: Piped,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Idle {
    /// Opens them, with one request on each.
    pub(crate) fn open(server: SocketAddr, count: usize, tls: bool, clients: &Clients<'_>) -> Result<Self> {
        let mut command = Command::new(clients.tools.built("load"));
        command.args(["idle", &server.to_string(), &count.to_string()]);
        if tls {
            command.arg("tls");
        }
        let (mut client, stdout) = Piped::start(clients.cores, &command, Stdio::piped())?;
        let stdin = client.child.stdin.take().ok_or("no input")?;
        let mut idle = Self { client, stdin, stdout: BufReader::new(stdout) };
        match idle.line()?.as_str() {
            "ready" => Ok(idle),
            _ => Err("not all connections could be opened".to_owned()),
        }
    }

    /// How many are open still; closes them.
    pub(crate) fn close(self) -> Result<usize> {
        let Self { client, stdin, mut stdout } = self;
        drop(stdin);
        let mut line = String::new();
        stdout.read_line(&mut line).map_err(|error| error.to_string())?;
        drop(client);
        let told: Value = serde_json::from_str(&line).map_err(|error| format!("{error}: {line}"))?;
        let open = told["open"].as_u64().and_then(|open| usize::try_from(open).ok());
        open.ok_or_else(|| format!("no count: {line}"))
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.stdout.read_line(&mut line).map_err(|error| error.to_string())?;
        Ok(line.trim().to_owned())
    }
}
