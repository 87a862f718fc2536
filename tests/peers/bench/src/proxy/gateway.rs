//! The reference binary, with all its checks on and the access log off.

use std::{fmt::Write, process::Command};

use super::{Job, Listen, prefixes};
use crate::{Result, tools::Tools};

pub(super) fn command(job: &Job<'_>, tools: &Tools) -> Result<Command> {
    let file = job.write("gateway.yaml", &configuration(job))?;
    let mut command = Command::new(tools.gateway());
    command.arg("run").arg(file);
    Ok(command)
}

fn configuration(job: &Job<'_>) -> String {
    let mut listener = format!("- address: 127.0.0.1:{}\n", job.port);
    if job.work.listen == Listen::Tls {
        let (cert, key) = (job.certificate.chain().display(), job.certificate.key().display());
        let _ = writeln!(listener, "  tls: {{cert: \"{cert}\", key: \"{key}\"}}");
    }
    let protocol = if job.work.grpc { "http2" } else { "http1" };
    let mut text = format!(
        "listeners:\n{listener}workers: {}\naccess_log: off\nupstreams:\n  origin: {{target: \"{}\", protocol: {protocol}}}\n",
        job.work.workers, job.origin
    );
    text.push_str(&routes(job.work.routes));
    text
}

/// The routes of the file: these prefixes, or all paths.
pub(crate) fn routes(count: Option<usize>) -> String {
    let mut text = "routes:\n".to_owned();
    match count {
        None => text.push_str("- {path_prefix: /, upstream: origin}\n"),
        Some(count) => {
            for prefix in prefixes(count) {
                let _ = writeln!(text, "- {{path_prefix: {prefix}, upstream: origin}}");
            }
        }
    }
    text
}
