//! The proxies that are programs of this workspace.

use std::process::Command;

use super::{Job, Peer};
use crate::tools::Tools;

pub(super) fn command(peer: Peer, job: &Job<'_>, tools: &Tools) -> Command {
    let program = match peer {
        Peer::Pingora => "pingora-peer",
        Peer::AxumReverseProxy => "axum-reverse-proxy-peer",
        other => other.name(),
    };
    let mut command = Command::new(tools.built(program));
    command.arg(job.port.to_string()).arg(job.origin.to_string());
    command
}
