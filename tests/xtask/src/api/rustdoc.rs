//! This program in the place of rustdoc: it writes the page of a crate, and then the crate's JSON.
//!
//! The JSON is unstable, and `RUSTC_BOOTSTRAP` lets the stable rustdoc write it. That variable is set here, for one
//! process, because build scripts look at it: set for cargo, it would build half of the dependencies again.

use std::{
    env,
    ffi::OsString,
    fs,
    path::PathBuf,
    process::{Command, ExitCode, ExitStatus},
};

use crate::{Context, command::Result};

/// Set to the folder of the JSON when cargo runs this program as rustdoc.
const FOLDER: &str = "XTASK_RUSTDOC_JSON";

pub(crate) const FACADE: &str = "gatewright";

/// Whether the crate is one that this project publishes.
pub(crate) fn is_ours(name: &str) -> bool {
    name.strip_prefix(FACADE).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
}

/// The file of a crate's JSON.
pub(crate) fn json(context: &Context, name: &str) -> PathBuf {
    super::folder(context).join(format!("{name}.json"))
}

/// Lets `cargo doc` run this program in the place of rustdoc.
pub(crate) fn configure(context: &Context, command: &mut Command) -> Result<()> {
    for name in super::published(context)? {
        if !json(context, &name).is_file() {
            // Cargo documents a crate again when its page is missing; it does not know of the JSON.
            let _ = fs::remove_dir_all(context.target.join("doc").join(name));
        }
    }
    command.env("RUSTDOC", &context.program).env(FOLDER, super::folder(context));
    Ok(())
}

/// Runs as rustdoc when cargo has started this program for that.
pub(crate) fn run_instead() -> Option<ExitCode> {
    let folder = env::var_os(FOLDER)?;
    let arguments: Vec<_> = env::args_os().skip(1).collect();
    let written = page(&arguments)
        .and_then(|status| if status.success() { signatures(&arguments, folder) } else { Ok(status) });
    Some(match written {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    })
}

fn page(arguments: &[OsString]) -> Result<ExitStatus> {
    rustdoc().args(arguments).status().map_err(|error| format!("rustdoc: {error}"))
}

/// Writes the JSON of a crate of ours. Warnings have been printed with the page.
fn signatures(arguments: &[OsString], folder: OsString) -> Result<ExitStatus> {
    let after = |option: &str| arguments.iter().skip_while(|argument| *argument != option).nth(1);
    let is_ours = after("--crate-name").is_some_and(|name| is_ours(&name.to_string_lossy()));
    if !is_ours {
        return Ok(ExitStatus::default());
    }
    let mut command = rustdoc();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        command.arg(argument);
        if argument == "-o" {
            command.arg(&folder);
            arguments.next();
        }
    }
    command.args(["--cap-lints", "allow", "-Z", "unstable-options", "--output-format", "json"]);
    command.env("RUSTC_BOOTSTRAP", "1").status().map_err(|error| format!("rustdoc: {error}"))
}

fn rustdoc() -> Command {
    Command::new("rustdoc")
}
