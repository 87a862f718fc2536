//! Fuzzing, on the stable toolchain.
//!
//! 1. The long run is cargo-fuzz's. It asks the compiler for coverage counters by flags that are stable, but it names a
//!    sanitizer too unless told not to, and that one is not. The code under test holds no `unsafe`, so a sanitizer has
//!    nothing to find there that a panic or a limit would not show.
//! 2. The short run in CI takes less time than a build by cargo-fuzz, which counts coverage in every dependency. So it
//!    builds the same targets itself, in the profile `smoke`, and counts coverage in the crates under test alone.

use std::{
    fs,
    num::NonZeroUsize,
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use crate::{
    Context,
    command::{Result, run, run_as, run_into},
    step::Outcome,
};

pub(crate) const MANIFEST: &str = "tests/fuzz/Cargo.toml";

const FOLDER: &str = "tests/fuzz";

/// The profile of the short run, in [`MANIFEST`].
const SMOKE: &str = "smoke";

/// The packages whose coverage guides the short run: the targets, and the crates that read bytes of strangers.
const UNDER_TEST: &[&str] = &[
    "fuzz",
    "gatewright-client",
    "gatewright-config",
    "gatewright-core",
    "gatewright-http1",
    "gatewright-server",
];

/// What cargo-fuzz tells the compiler, without the flags that it passes for a sanitizer.
const COVERAGE: &[&str] = &[
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cllvm-args=-sanitizer-coverage-stack-depth",
    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
    // Counters of one crate lie in one table.
    "-Ccodegen-units=1",
    "--cfg=fuzzing",
];

/// Whole connections for 30 seconds each. The others try as many inputs in half of that.
pub(crate) fn smoke(context: &Context) -> Result<Outcome> {
    let mut targets = targets(context)?;
    // The long ones first, so that no core idles at the end.
    targets.sort_by_key(|target| !is_connection(target));
    let folder = context.target.join("fuzz");
    let mut command = context.cargo();
    command.args(["build", "--manifest-path", MANIFEST, "--bins", "--profile", SMOKE, "-Zprofile-rustflags"]);
    command.env("RUSTC_BOOTSTRAP", "1").env("CARGO_TARGET_DIR", &folder);
    let flags = COVERAGE.iter().map(|flag| format!("{flag:?}")).collect::<Vec<_>>().join(",");
    for package in UNDER_TEST {
        command.args(["--config", &format!("profile.{SMOKE}.package.{package}.rustflags=[{flags}]")]);
    }
    run_as(&mut command, "cargo build of the fuzz targets, with coverage counters in the crates under test")?;
    on_all_cores(&targets, |target| {
        let seconds = if is_connection(target) { 30 } else { 15 };
        let mut command = context.command(folder.join(SMOKE).join(target));
        fuzz_one(context, target, seconds, &mut command, &[])
    })?;
    Ok(Outcome::Passed)
}

/// Each target for 10 minutes, as the acceptance table asks, and whole connections for 30.
pub(crate) fn long(context: &Context) -> Result<Outcome> {
    let Some(tool) = context.cargo_tool("cargo-fuzz") else {
        return Ok(Outcome::Skipped("cargo-fuzz is missing: run the step prerequisites".to_owned()));
    };
    let cargo_fuzz = |task: &str| {
        let mut command = context.command(&tool);
        // cargo-fuzz passes one unstable flag of cargo's, and this lets the stable toolchain take it.
        command.arg(task).env("RUSTC_BOOTSTRAP", "1");
        command.args(["--fuzz-dir", FOLDER, "--sanitizer", "none", "--target-dir"]);
        command.arg(context.target.join("fuzz"));
        command
    };
    run(&mut cargo_fuzz("build"))?;
    on_all_cores(&targets(context)?, |target| {
        let seconds = if is_connection(target) { 1800 } else { 600 };
        let mut command = cargo_fuzz("run");
        command.arg(target);
        fuzz_one(context, target, seconds, &mut command, &["--"])
    })?;
    Ok(Outcome::Passed)
}

/// Fuzzes one target, by a command that takes folders and then libFuzzer's options.
fn fuzz_one(
    context: &Context,
    target: &str,
    seconds: u32,
    command: &mut Command,
    before_options: &[&str],
) -> Result<()> {
    // What libFuzzer learns stays under the target folder; what is worth keeping is moved to `seeds` by hand.
    let corpus = context.target.join("fuzz-corpus");
    let (learned, crashes) = (corpus.join(target), corpus.join(format!("{target}.crashes")));
    for folder in [&learned, &crashes] {
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    command.arg(&learned).arg(context.root.join(FOLDER).join("seeds").join(target)).args(before_options);
    command.args(["-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1"]);
    command.arg(format!("-max_total_time={seconds}"));
    command.arg(format!("-artifact_prefix={}/", crashes.display()));
    let printed = run_into(command, &corpus.join(format!("{target}.log")))?;
    let statistics = printed.lines().filter_map(|line| line.strip_prefix("stat::"));
    let statistics: Vec<_> = statistics.take(2).collect();
    println!("  {target}: {}", statistics.join(", "));
    Ok(())
}

fn is_connection(target: &str) -> bool {
    target.ends_with("_connection")
}

/// The names of the targets, which are those of their files.
fn targets(context: &Context) -> Result<Vec<String>> {
    let folder = context.root.join(FOLDER).join("targets");
    let entries = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let files = entries.flatten().map(|entry| entry.path());
    let mut targets: Vec<_> =
        files.filter_map(|file| Some(file.file_stem()?.to_string_lossy().into_owned())).collect();
    targets.sort();
    if targets.is_empty() { Err(format!("{FOLDER} has no targets")) } else { Ok(targets) }
}

/// Does this to each of them, one on each core at a time, since a fuzzer is busy on one alone.
fn on_all_cores(targets: &[String], fuzz_one: impl Fn(&str) -> Result<()> + Sync) -> Result<()> {
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
