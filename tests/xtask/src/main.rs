//! The project's tasks, run as `cargo xtask`.
//!
//! `cargo xtask test` is everything that CI runs. `cargo xtask soak` runs the acceptance tests at their whole size, and
//! `cargo xtask peers` measures the gateway beside other proxies.

mod api;
mod arguments;
mod command;
mod features;
mod fuzz;
mod gates;
mod links;
mod peers;
mod prerequisites;
mod screenshots;
mod semver;
mod soak;
mod step;
mod test;
mod tree;

#[cfg(test)]
mod layering;
#[cfg(test)]
mod msrv;
#[cfg(test)]
mod readme;

use std::{
    env,
    path::{Path, PathBuf},
    process::ExitCode,
};

use arguments::{Arguments, Task, USAGE};

/// Where the tasks work, and their arguments.
struct Context {
    /// The workspace's root.
    root: PathBuf,
    /// Cargo's target folder.
    target: PathBuf,
    /// This program. Cargo may put a new one in its place while it runs, so the path is taken at the beginning.
    program: PathBuf,
    arguments: Arguments,
}

fn main() -> ExitCode {
    if let Some(code) = api::rustdoc::run_instead() {
        return code;
    }
    let program = match env::current_exe() {
        Ok(program) => program,
        Err(error) => {
            eprintln!("this program does not know its path: {error}");
            return ExitCode::FAILURE;
        }
    };
    let arguments = match Arguments::parse(env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(problem) => {
            eprintln!("{problem}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let root = root();
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |path| root.join(path));
    let context = Context { root, target, program, arguments };
    let passed = match context.arguments.task {
        Task::Help => {
            println!("{USAGE}");
            true
        }
        Task::Test => step::run_all(&context, test::STEPS),
        Task::Peers if context.arguments.rest.iter().any(|option| option == "--help") => peers::usage(&context),
        Task::Peers => step::run_all(&context, peers::STEPS),
        Task::Screenshots => step::run_all(&context, screenshots::STEPS),
        Task::Soak => step::run_all(&context, soak::STEPS),
    };
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The workspace's root, two folders above this crate's manifest.
fn root() -> PathBuf {
    let manifest =
        env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    manifest.ancestors().nth(2).map_or_else(|| PathBuf::from("."), Path::to_owned)
}
