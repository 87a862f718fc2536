//! The binary as a process.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
};

use harness::PATIENCE;

fn gatewright(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatewright"));
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Runs it to its end.
pub(crate) fn output(arguments: &[&str]) -> Output {
    gatewright(arguments).output().expect("the binary runs")
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A file that is removed when the test ends.
pub(crate) struct TestFile(PathBuf);

impl TestFile {
    pub(crate) fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("gatewright-{}-{name}", std::process::id()));
        std::fs::write(&path, text).expect("writes the file");
        Self(path)
    }

    pub(crate) fn path(&self) -> &str {
        self.0.to_str().expect("a path of text")
    }
}

impl Drop for TestFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A gateway that is killed when the test ends.
pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
}

impl Running {
    /// `gatewright run FILE ARGUMENTS`. Its access log, when it goes to stdout, is lost.
    pub(crate) fn start(file: impl AsRef<Path>, arguments: &[&str]) -> Self {
        let file = file.as_ref().to_str().expect("a path of text");
        let mut command = gatewright(&[&["run", file], arguments].concat());
        let mut child =
            command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the binary starts");
        let stderr = BufReader::new(child.stderr.take().expect("its stderr"));
        let (said, lines) = mpsc::channel();
        thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| said.send(line)));
        Self { child, lines }
    }

    /// What it says until a line holds `text`, that one included.
    pub(crate) fn until(&mut self, text: &str) -> String {
        let mut seen = String::new();
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => seen += &line,
                Err(error) => panic!("no line with {text:?} ({error}) after:\n{seen}"),
            }
            seen.push('\n');
            if seen.lines().next_back().is_some_and(|line| line.contains(text)) {
                return seen;
            }
        }
    }

    /// The next address that it says it listens on.
    pub(crate) fn address(&mut self) -> String {
        let said = self.until("listening on");
        let url = said.trim_end().rsplit(' ').next().expect("an address");
        url.rsplit('/').next().expect("an authority").to_owned()
    }

    /// Sends a signal: `HUP`.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &id]).status().expect("kill runs");
        assert!(sent.success());
    }

    /// Reloads, and gives what it says of it.
    pub(crate) fn reload(&mut self) -> String {
        self.signal("HUP");
        self.until("SIGHUP: ")
    }

    /// Reads no more of what it says: its next line finds stderr closed, or the one after that.
    pub(crate) fn stop_listening(&mut self) {
        self.lines = mpsc::channel().1;
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.child.wait().expect("it ends")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
