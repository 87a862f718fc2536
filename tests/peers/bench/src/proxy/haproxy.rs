//! HAProxy.

use std::process::Command;

use super::{Job, Listen};
use crate::{Result, tools::Tools};

pub(super) fn command(job: &Job<'_>, tools: &Tools) -> Result<Command> {
    let file = job.write("haproxy.cfg", &configuration(job))?;
    let mut command = Command::new(tools.program("haproxy")?);
    command.arg("-f").arg(file);
    Ok(command)
}

fn configuration(job: &Job<'_>) -> String {
    let bind = match job.work.listen {
        Listen::Http1 => String::new(),
        Listen::Http2 => " proto h2".to_owned(),
        Listen::Tls => {
            format!(" ssl crt \"{}\" alpn http/1.1", job.certificate.chain_and_key().display())
        }
    };
    let server = if job.work.grpc { " proto h2" } else { "" };
    format!(
        "global
  nbthread {workers}
  maxconn 9000
defaults
  mode http
  timeout client 300s
  timeout server 300s
  timeout connect 5s
  option forwardfor
  http-reuse always
frontend clients
  bind 127.0.0.1:{port}{bind}
  default_backend origin
backend origin
  server origin {origin}{server}
",
        workers = job.work.workers,
        port = job.port,
        origin = job.origin,
    )
}
