//! `cargo xtask test`.
//!
//! Clippy, the tests and the documentation all take the same set of packages and features, so that no crate is built
//! twice. The cheap steps come first: what they find needs no build.

use std::{
    ffi::OsStr,
    fs,
    num::NonZeroUsize,
    path::PathBuf,
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

use crate::{
    Context, api,
    command::{Result, run, works},
    features, fuzz, gates, links, peers, prerequisites, semver,
    step::{Outcome, Step},
    tree,
};

pub(crate) const STEPS: &[Step] = &[
    Step { name: "prerequisites", run: prerequisites::install },
    Step { name: "tree", run: tree::check },
    Step { name: "links", run: links::check },
    Step { name: "fmt", run: fmt },
    Step { name: "deny", run: deny },
    Step { name: "clippy", run: clippy },
    Step { name: "build", run: build },
    Step { name: "test", run: test },
    Step { name: "doctest", run: doctest },
    Step { name: "doc", run: doc },
    Step { name: "api", run: api::check },
    Step { name: "examples", run: examples },
    Step { name: "gates", run: gates::check },
    Step { name: "fuzz", run: fuzz::smoke },
    Step { name: "package", run: package },
    Step { name: "features", run: features::check },
];

/// A client of the tests `interop`, in a workspace of its own to keep its crates out of our lockfile.
const REQWEST: &str = "tests/interop/peers/reqwest/Cargo.toml";

fn fmt(context: &Context) -> Result<Outcome> {
    run(context.cargo().args(["fmt", "--all", "--check"]))?;
    run(context.cargo().args(["fmt", "--manifest-path", fuzz::MANIFEST, "--check"]))?;
    run(context.cargo().args(["fmt", "--manifest-path", REQWEST, "--check"]))?;
    run(context.cargo().args(["fmt", "--all", "--manifest-path", peers::MANIFEST, "--check"]))?;
    Ok(Outcome::Passed)
}

/// Advisories are left out: their database is on the network.
fn deny(context: &Context) -> Result<Outcome> {
    let tool = context.cargo_tool("cargo-deny").ok_or("cargo-deny is missing: run the step prerequisites")?;
    run(context.command(tool).args(["--workspace", "check", "bans", "licenses", "sources"]))?;
    Ok(Outcome::Passed)
}

fn clippy(context: &Context) -> Result<Outcome> {
    run(context.cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    Ok(Outcome::Passed)
}

fn build(context: &Context) -> Result<Outcome> {
    run(context.cargo().args(["build", "--workspace", "--all-targets"]))?;
    Ok(Outcome::Passed)
}

/// The wire tests and the examples use the binaries of the step `build`. After that step this takes no time; but when the
/// step `test` runs alone, it must not test yesterday's binary.
fn test(context: &Context) -> Result<Outcome> {
    build(context)?;
    let mut command = context.cargo();
    command.env("GATEWRIGHT_BIN", context.debug("gatewright"));
    if works(context.cargo().args(["nextest", "--version"])) {
        command.args(["nextest", "run", "--workspace", "--profile", "ci"]);
        // Most of the long tests wait for time to pass; `.config/nextest.toml` names those that keep a core busy.
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        command.args(["--test-threads", &(2 * cores).to_string()]);
        if context.arguments.full {
            command.args(["--run-ignored", "all"]);
        }
    } else {
        command.args(["test", "--workspace", "--all-targets"]);
        if context.arguments.full {
            command.args(["--", "--include-ignored"]);
        }
    }
    run(&mut command)?;
    Ok(Outcome::Passed)
}

fn doctest(context: &Context) -> Result<Outcome> {
    run(context.cargo().args(["test", "--workspace", "--doc"]))?;
    Ok(Outcome::Passed)
}

/// The pages of all features, as docs.rs shows them, with broken links denied; and beside them the JSON that the step
/// `api` reads.
pub(crate) fn doc(context: &Context) -> Result<Outcome> {
    let mut command = context.cargo();
    command.args(["doc", "--workspace", "--no-deps", "--all-features"]).env("RUSTDOCFLAGS", "-D warnings");
    api::rustdoc::configure(context, &mut command)?;
    run(&mut command)?;
    Ok(Outcome::Passed)
}

/// Each example sends itself a request with `--once`, and fails when the answer is not the one it expects.
fn examples(context: &Context) -> Result<Outcome> {
    build(context)?;
    for example in ["axum-embed", "hyper-embed", "custom-authenticator", "custom-layer"] {
        run(context.command(context.debug(example)).arg("--once"))?;
    }
    Ok(Outcome::Passed)
}

/// The crates can be published: each package holds what its manifest names. Only the long run builds them from it, and
/// compares their API with that of the last release.
fn package(context: &Context) -> Result<Outcome> {
    let package = |options: &[&OsStr]| {
        run(context.cargo().args(["package", "--workspace", "--allow-dirty", "--quiet"]).args(options))
    };
    if !context.arguments.full {
        package(&["--no-verify".as_ref()])?;
        return Ok(Outcome::Passed);
    }
    // Cargo unpacks and builds a version once for each folder, and would judge the sources of an earlier run.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let folder = context.target.join(format!("package-{now}"));
    let packaged = package(&["--target-dir".as_ref(), folder.as_os_str()]);
    let _ = fs::remove_dir_all(&folder);
    packaged?;
    semver::check(context)?;
    Ok(Outcome::Passed)
}

impl Context {
    /// A program from the step `build`.
    pub(crate) fn debug(&self, name: &str) -> PathBuf {
        self.target.join("debug").join(name)
    }
}
