//! What one request costs in instructions and allocations, against the figures in the repository.
//!
//! 1. Each case of `tests/gates` runs in its own process under callgrind, which counts the instructions that a processor
//!    would execute. The count is the same on a busy machine and on an idle one.
//! 2. The count depends on the compiler and the architecture. So there are figures for one architecture; on others, only
//!    allocations are compared.
//! 3. The environment is empty, and libc uses its plain routines, whatever the processor supports.
//! 4. A figure that has grown fails the step. A figure that has fallen has to be recorded: `UPDATE=1`.
//! 5. A figure has to keep what the documentation promises about it, whether the figure was recorded or not.
//! 6. `--full` plants needless work into a copy of the sources and fails when the gates let it pass.

mod figures;
mod plants;

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use crate::{
    Context,
    command::{Result, output, run},
    prerequisites,
    step::Outcome,
};

use figures::{Figure, Figures};

const FIGURES: &str = "tests/gates/figures.txt";

/// The profile of releases, with one codegen unit: what a crate inlines does not depend on how other crates were split.
const PROFILE: &str = "dist";

const ARCHITECTURE: &str = "x86_64";

/// Processors differ in these features, and libc has its own copy and comparison routines for each.
const TUNABLES: &str = "glibc.cpu.hwcaps=-AVX2,-AVX_Fast_Unaligned_Load,-BMI2,-ERMS";

const HOW_TO_ACCEPT: &str = "UPDATE=1 cargo xtask test --only gates";

pub(crate) fn check(context: &Context) -> Result<Outcome> {
    if counts_instructions() && prerequisites::find("valgrind").is_none() {
        return Err("valgrind is missing: run the step prerequisites".to_owned());
    }
    let binary = build(context, &context.root, &context.target)?;
    let counted = count_all(context, &binary)?;
    let broken = figures::broken_promises(&counted);
    if !broken.is_empty() {
        return Err(broken.join("\n"));
    }
    if env::var_os("UPDATE").is_some() {
        record(context, &counted)?;
    } else {
        judge(context, &counted)?;
    }
    if context.arguments.full {
        plants::check(context)?;
    }
    if counts_instructions() {
        return Ok(Outcome::Passed);
    }
    Ok(Outcome::Skipped(format!("but for allocations: the instructions are those of {ARCHITECTURE}")))
}

fn record(context: &Context, counted: &Figures) -> Result<()> {
    if !counts_instructions() {
        return Err(format!("the figures are those of {ARCHITECTURE}: record them there"));
    }
    let file = context.root.join(FIGURES);
    let text = figures::write(&compiler(context)?, counted);
    print!("{text}");
    fs::write(&file, text).map_err(|error| format!("{}: {error}", file.display()))
}

fn judge(context: &Context, counted: &Figures) -> Result<()> {
    let file = context.root.join(FIGURES);
    let recorded = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    let (recorded_by, recorded) = figures::read(&recorded)?;
    let comparison = figures::compare(&recorded, counted);
    println!("{comparison}");
    if comparison.problems().is_empty() {
        return Ok(());
    }
    let mut problem = comparison.problems().join("\n");
    let compiler = compiler(context)?;
    if recorded_by != compiler {
        problem += &format!("\nThe figures are those of rustc {recorded_by}, and this is {compiler}: ");
        problem +=
            "record them anew at the commit before, to see whether the compiler or the change is the cause.";
    }
    let profile = profile(context, "CASE");
    Err(format!(
        "{problem}\nWhere it went: callgrind_annotate {}\nIf it is worth it: {HOW_TO_ACCEPT}",
        profile.display()
    ))
}

/// The version of the compiler.
fn compiler(context: &Context) -> Result<String> {
    let printed = output(context.command("rustc").arg("--version"))?;
    Ok(printed.split_whitespace().nth(1).unwrap_or_default().to_owned())
}

fn counts_instructions() -> bool {
    cfg!(all(target_arch = "x86_64", target_os = "linux"))
}

fn build(context: &Context, sources: &Path, target: &Path) -> Result<PathBuf> {
    let mut command = context.cargo();
    command.args(["build", "--package", "gates", "--profile", PROFILE]).current_dir(sources);
    run(command.env("CARGO_TARGET_DIR", target))?;
    Ok(target.join(PROFILE).join("gates"))
}

fn count_all(context: &Context, binary: &Path) -> Result<Figures> {
    let cases = output(&mut context.command(binary))?;
    cases.split_whitespace().map(|case| Ok((case.to_owned(), count(context, binary, case, "")?))).collect()
}

/// Counts a case, with the named plant active.
fn count(context: &Context, binary: &Path, case: &str, plant: &str) -> Result<Figure> {
    if !counts_instructions() {
        let printed = output(context.command(binary).arg(case).env(plants::AWAKE, plant))?;
        let (requests, allocations) = read_counts(&printed)?;
        return Ok(Figure::new(None, allocations, requests));
    }
    let profile = profile(context, case);
    let folder = profile.parent().unwrap_or(&context.target);
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut command = context.command("valgrind");
    command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("GLIBC_TUNABLES", TUNABLES);
    command.env(plants::AWAKE, plant);
    command.args(["--tool=callgrind", "--quiet"]);
    // The functions of tests/gates/src/region.rs.
    command.args(["--toggle-collect=*gate_counted*", "--toggle-collect=*gate_uncounted*"]);
    command.arg(format!("--callgrind-out-file={}", profile.display())).arg(binary).arg(case);
    let (requests, allocations) = read_counts(&output(&mut command)?)?;
    let profile = fs::read_to_string(&profile).map_err(|error| format!("{}: {error}", profile.display()))?;
    let total =
        profile.lines().find_map(|line| line.strip_prefix("totals: ")).and_then(|total| total.parse().ok());
    match total {
        Some(instructions) if instructions >= requests => {
            Ok(Figure::new(Some(instructions), allocations, requests))
        }
        _ => Err(format!("{case}: callgrind has counted nothing")),
    }
}

fn read_counts(printed: &str) -> Result<(u64, u64)> {
    let mut numbers = printed.split_whitespace().map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(requests @ 1..)), Some(Ok(allocations))) => Ok((requests, allocations)),
        _ => Err(format!("gates printed {printed:?} instead of requests and allocations")),
    }
}

/// Where callgrind writes its account of a case.
fn profile(context: &Context, case: &str) -> PathBuf {
    context.target.join("gates").join(format!("{case}.callgrind"))
}
