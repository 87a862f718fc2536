//! Fuzzing, by cargo-fuzz on the stable toolchain.
//!
//! cargo-fuzz asks the compiler for coverage counters by flags that are stable, but it names a sanitizer too unless told
//! not to, and that one is not. The code under test holds no `unsafe`, so a sanitizer has nothing to find there that a
//! panic or a limit would not show.

use std::{
    fs,
    num::NonZeroUsize,
    path::Path,
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use crate::{
    Context,
    command::{Result, output, run, run_into},
    step::Outcome,
};

pub(crate) const MANIFEST: &str = "tests/fuzz/Cargo.toml";

const FOLDER: &str = "tests/fuzz";

/// Each target for 30 seconds. Building takes longer than that, so little is optimised.
pub(crate) fn smoke(context: &Context) -> Result<Outcome> {
    fuzz(context, "1", |_| 30)
}

/// Each target for 10 minutes, as the acceptance table asks, and whole connections for 30.
pub(crate) fn long(context: &Context) -> Result<Outcome> {
    fuzz(context, "3", |target| if target.ends_with("_connection") { 1800 } else { 600 })
}

/// Fuzzes each target for so many seconds.
fn fuzz(context: &Context, opt_level: &str, seconds: impl Fn(&str) -> u32 + Sync) -> Result<Outcome> {
    let Some(tool) = context.cargo_tool("cargo-fuzz") else {
        return Ok(Outcome::Skipped("cargo-fuzz is missing: run the step prerequisites".to_owned()));
    };
    let targets = output(cargo_fuzz(context, &tool, "list").args(["--fuzz-dir", FOLDER]))?;
    let targets: Vec<_> = targets.split_whitespace().collect();
    if targets.is_empty() {
        return Err(format!("{FOLDER} has no targets"));
    }
    let build_folder = context.target.join("fuzz");
    let options = |command: &mut Command| {
        command.args(["--fuzz-dir", FOLDER, "--sanitizer", "none", "--target-dir"]).arg(&build_folder);
        command.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", opt_level);
    };
    run(configured(&mut cargo_fuzz(context, &tool, "build"), &options))?;
    let fuzz_one = |target: &str| {
        // What libFuzzer learns stays under the target folder; what is worth keeping is moved to `seeds` by hand.
        let learned = context.target.join("fuzz-corpus").join(target);
        fs::create_dir_all(&learned).map_err(|error| format!("{}: {error}", learned.display()))?;
        let mut command = cargo_fuzz(context, &tool, "run");
        configured(&mut command, &options).arg(target).arg(&learned);
        command.arg(context.root.join(FOLDER).join("seeds").join(target));
        command.args(["--", "-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1"]);
        command.arg(format!("-max_total_time={}", seconds(target)));
        let printed =
            run_into(&mut command, &context.target.join("fuzz-corpus").join(format!("{target}.log")))?;
        let statistics = printed.lines().filter_map(|line| line.strip_prefix("stat::"));
        let statistics: Vec<_> = statistics.take(2).collect();
        println!("  {target}: {}", statistics.join(", "));
        Ok(())
    };
    on_all_cores(&targets, fuzz_one)?;
    Ok(Outcome::Passed)
}

/// Does this to each of them, one on each core at a time, since a fuzzer is busy on one alone.
fn on_all_cores(targets: &[&str], fuzz_one: impl Fn(&str) -> Result<()> + Sync) -> Result<()> {
    let (next, cores) = (AtomicUsize::new(0), thread::available_parallelism().map_or(1, NonZeroUsize::get));
    let worker = || {
        while let Some(target) = targets.get(next.fetch_add(1, Ordering::Relaxed)) {
            fuzz_one(target)?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(worker)).collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().unwrap_or_else(|_| Err("a worker panicked".to_owned())))
    })
}

fn cargo_fuzz(context: &Context, tool: &Path, task: &str) -> Command {
    let mut command = context.command(tool);
    // cargo-fuzz passes one unstable flag of cargo's, and this lets the stable toolchain take it.
    command.arg(task).env("RUSTC_BOOTSTRAP", "1");
    command
}

fn configured<'a>(command: &'a mut Command, options: &impl Fn(&mut Command)) -> &'a mut Command {
    options(command);
    command
}
