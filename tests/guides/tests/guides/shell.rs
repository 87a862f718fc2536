//! One shell for a page, so that what one command sets the next one finds.

use std::{
    io::{BufRead, BufReader, Write},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::Duration,
};

/// How long a command may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a line says that no command prints.
const END: &str = "--- the command has ended with";

pub(crate) struct Shell {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
}

impl Shell {
    /// A shell in this folder, which finds the gateway and what else `programs` has.
    pub(crate) fn start(folder: &Path, programs: &[&Path]) -> Self {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = programs.iter().map(|folder| folder.to_path_buf()).chain(std::env::split_paths(&path));
        let mut child = Command::new("bash")
            .arg("--norc")
            .env("PATH", std::env::join_paths(path).unwrap())
            .env_remove("RUST_LOG")
            .env("LC_ALL", "C.UTF-8")
            .current_dir(folder)
            // With all that it starts.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("bash: {error}"));
        let (output, mut input) = (child.stdout.take().unwrap(), child.stdin.take().unwrap());
        let (said, lines) = mpsc::channel();
        thread::spawn(move || {
            let mut output = BufReader::new(output);
            let mut line = Vec::new();
            while matches!(output.read_until(b'\n', &mut line), Ok(1..)) {
                if said.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                    return;
                }
                line.clear();
            }
        });
        // As a terminal shows it.
        writeln!(input, "exec 2>&1").unwrap();
        Self { child, input, lines }
    }

    /// What a command prints, and the status that it ends with.
    pub(crate) fn run(&mut self, command: &str) -> Result<(String, i32), String> {
        let sent = writeln!(self.input, "{command}\necho \"{END} $?\" </dev/null");
        sent.map_err(|error| format!("the shell has ended: {error}"))?;
        let mut printed = String::new();
        loop {
            let line = match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => line,
                Err(RecvTimeoutError::Timeout) => {
                    return Err(format!("no end within {PATIENCE:?}:\n{printed}"));
                }
                Err(RecvTimeoutError::Disconnected) => return Err(format!("the shell has ended:\n{printed}")),
            };
            // A command need not end its last line.
            if let Some((before, status)) = line.split_once(END) {
                printed.push_str(before);
                return Ok((printed, status.trim().parse().map_err(|error| format!("{status}: {error}"))?));
            }
            printed.push_str(&line);
        }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        // Its group is its own, and so this reaches nobody else.
        let _ = Command::new("kill").args(["-KILL", "--", &format!("-{}", self.child.id())]).status();
        let _ = self.child.wait();
    }
}
