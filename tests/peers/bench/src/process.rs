//! A process that runs on certain cores, with what it and its children use.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use nix::unistd::{Pid, SysconfVar, sysconf};

use crate::{Result, cleanup};

/// CPU time, in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Cpu {
    pub(crate) user: f64,
    pub(crate) system: f64,
}

/// A server, until it is dropped.
pub(crate) struct Running {
    child: Child,
    group: Pid,
    log: PathBuf,
}

/// The command, on these cores alone.
pub(crate) fn pinned(cores: &str, command: &Command) -> Command {
    let mut pinned = Command::new("taskset");
    pinned.args(["--cpu-list", cores]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => pinned.env(name, value),
            None => pinned.env_remove(name),
        };
    }
    pinned
}

impl Running {
    /// Starts a server; what it prints goes into the log.
    pub(crate) fn start(cores: &str, command: &Command, log: &Path) -> Result<Self> {
        let shown = || show(command);
        let file = File::create(log).map_err(|error| format!("{}: {error}", log.display()))?;
        let also = file.try_clone().map_err(|error| error.to_string())?;
        let mut command = pinned(cores, command);
        command.stdin(Stdio::null()).stdout(file).stderr(also);
        let (child, group) = cleanup::spawn(&mut command).map_err(|error| format!("{}: {error}", shown()))?;
        Ok(Self { child, group, log: log.to_owned() })
    }

    /// Says what the server printed last when it has ended by itself.
    pub(crate) fn ended(&mut self) -> Option<String> {
        let status = self.child.try_wait().ok().flatten()?;
        let printed = fs::read(&self.log).unwrap_or_default();
        let printed = String::from_utf8_lossy(&printed);
        let last: Vec<_> = printed.lines().rev().take(5).collect();
        let last: Vec<_> = last.into_iter().rev().collect();
        Some(format!("it ended ({status}): {}", last.join(" | ")))
    }

    /// CPU time of all processes of the server so far.
    pub(crate) fn cpu(&self) -> Result<Cpu> {
        let ticks = sysconf(SysconfVar::CLK_TCK).ok().flatten().unwrap_or(100) as f64;
        let mut sum = Cpu::default();
        for (_, stat) in self.processes()? {
            sum.user += stat.user as f64 / ticks;
            sum.system += stat.system as f64 / ticks;
        }
        Ok(sum)
    }

    /// Memory of all processes of the server, in bytes; of pages that they share, each has its share (PSS).
    pub(crate) fn memory(&self) -> Result<u64> {
        let mut sum = 0;
        for (pid, _) in self.processes()? {
            let file = format!("/proc/{pid}/smaps_rollup");
            let rollup = fs::read_to_string(&file).map_err(|error| format!("{file}: {error}"))?;
            sum += kibibytes(&rollup, "Pss:").ok_or_else(|| format!("{file}: no Pss"))? * 1024;
        }
        Ok(sum)
    }

    /// Those of the server's group.
    fn processes(&self) -> Result<Vec<(u32, Stat)>> {
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").map_err(|error| format!("/proc: {error}"))?.flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            // Processes end while we look.
            let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
            found.extend(
                Stat::parse(&stat).filter(|stat| stat.group == self.group.as_raw()).map(|stat| (pid, stat)),
            );
        }
        if found.is_empty() { Err("the server has ended".to_owned()) } else { Ok(found) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        cleanup::end(&mut self.child, self.group);
    }
}

/// Some of /proc/PID/stat; times in clock ticks.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    group: i32,
    user: u64,
    system: u64,
}

impl Stat {
    fn parse(stat: &str) -> Option<Self> {
        // The name in parentheses may hold blanks and parentheses itself.
        let (_, rest) = stat.rsplit_once(") ")?;
        let fields: Vec<_> = rest.split(' ').collect();
        let number = |index: usize| fields.get(index)?.parse().ok();
        Some(Self { group: fields.get(2)?.parse().ok()?, user: number(11)?, system: number(12)? })
    }
}

/// A line such as `Pss:    1024 kB`.
pub(crate) fn kibibytes(lines: &str, name: &str) -> Option<u64> {
    lines.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

/// Runs a command on these cores to its end, and returns what it printed.
pub(crate) fn run(cores: &str, command: &Command, limit: Duration) -> Result<String> {
    let shown = show(command);
    let (mut child, stdout) = Piped::start(cores, command, Stdio::null())?;
    let mut printed = String::new();
    let reader = std::thread::spawn(move || {
        let mut stdout = stdout;
        stdout.read_to_string(&mut printed).map(|_| printed)
    });
    let deadline = Instant::now() + limit;
    let status = loop {
        match child.child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(5)),
            Ok(None) => return Err(format!("{shown}: it did not end within {limit:?}")),
            Err(error) => return Err(format!("{shown}: {error}")),
        }
    };
    let printed = match reader.join() {
        Ok(Ok(printed)) => printed,
        Ok(Err(error)) => return Err(format!("{shown}: {error}")),
        Err(_) => return Err(format!("{shown}: its output cannot be read")),
    };
    if status.success() { Ok(printed) } else { Err(format!("{shown}: {status}\n{printed}")) }
}

/// A child whose output is read while it runs.
pub(crate) struct Piped {
    pub(crate) child: Child,
    group: Pid,
}

impl Piped {
    pub(crate) fn start(cores: &str, command: &Command, stdin: Stdio) -> Result<(Self, ChildStdout)> {
        let mut pinned = pinned(cores, command);
        pinned.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let started = cleanup::spawn(&mut pinned).and_then(|(mut child, group)| {
            let stdout = child.stdout.take().ok_or_else(|| io::Error::other("no output"))?;
            Ok((Self { child, group }, stdout))
        });
        started.map_err(|error| format!("{}: {error}", show(command)))
    }
}

impl Drop for Piped {
    fn drop(&mut self) {
        cleanup::end(&mut self.child, self.group);
    }
}

pub(crate) fn show(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_blanks_and_parentheses_does_not_shift_the_fields() {
        let stat = "71 (a) b (c)) S 1 70 70 0 -1 4194560 1 2 3 4 125 250 5 6 20 0 1 0 99 1 1";
        assert_eq!(Stat::parse(stat), Some(Stat { group: 70, user: 125, system: 250 }));
        assert_eq!(Stat::parse("71 (a"), None);
    }
}
