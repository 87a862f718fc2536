//! Commands that a step runs.

use std::{
    env,
    ffi::OsStr,
    fs::{self, File},
    path::Path,
    process::Command,
};

use crate::Context;

/// The error is the sentence that the reader gets about a failed step.
pub(crate) type Result<T, E = String> = std::result::Result<T, E>;

impl Context {
    /// A command that works in the workspace's root.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        command
    }

    /// The cargo that runs this program: the one of the chosen toolchain, and not rustup's proxy.
    pub(crate) fn cargo(&self) -> Command {
        self.command(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
    }
}

/// Shows the command, runs it to its end, and fails when it does.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = show(command);
    run_as(command, &shown)
}

/// Does the same for a command that is too long to show.
pub(crate) fn run_as(command: &mut Command, shown: &str) -> Result<()> {
    println!("$ {shown}");
    let status = command.status().map_err(|error| format!("{shown}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{shown}: {status}")) }
}

/// Shows the command, and runs it to its end with its output in a file. A failure shows the end of that output.
pub(crate) fn run_into(command: &mut Command, log: &Path) -> Result<String> {
    let shown = show(command);
    println!("$ {shown}");
    let file = File::create(log).and_then(|file| Ok((file.try_clone()?, file)));
    let (stdout, stderr) = file.map_err(|error| format!("{}: {error}", log.display()))?;
    let status = command.stdout(stdout).stderr(stderr).status().map_err(|error| format!("{shown}: {error}"))?;
    let printed = fs::read(log).map_err(|error| format!("{}: {error}", log.display()))?;
    let printed = String::from_utf8_lossy(&printed).into_owned();
    if status.success() {
        return Ok(printed);
    }
    let lines: Vec<_> = printed.lines().collect();
    let last = lines[lines.len().saturating_sub(60)..].join("\n");
    Err(format!("{shown}: {status}\n{last}"))
}

/// Runs the command to its end and returns what it printed; fails when it does.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let shown = show(command);
    let output = command.output().map_err(|error| format!("{shown}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{shown}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr)));
    }
    String::from_utf8(output.stdout).map_err(|_| format!("{shown}: printed something else than text"))
}

/// Whether the command is there and works.
pub(crate) fn works(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

fn show(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}
