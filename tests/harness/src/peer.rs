//! Programs that this project did not write: nginx, curl, Python, Node.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use crate::within;

/// The Python of the virtual environment in `target/peers`, with the packages that the tests run against.
pub fn python() -> PathBuf {
    installed(peers().join("venv/bin/python"))
}

/// The folder of npm packages in `target/peers`, likewise.
pub fn node_modules() -> PathBuf {
    installed(peers().join("node_modules"))
}

/// A program of the system: `nginx`, `curl`, `node`.
pub fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/usr/local/sbin".into()])
        .map(|dir| dir.join(name))
        .find(|file| file.is_file());
    installed(found.unwrap_or_else(|| name.into()))
}

fn installed(path: PathBuf) -> PathBuf {
    assert!(path.exists(), "{} is missing: run cargo xtask test once, it installs the peers", path.display());
    path
}

fn peers() -> PathBuf {
    // target/PROFILE/deps/TEST
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(3).expect("a test binary in target/PROFILE/deps").join("peers")
}

/// Runs a command to its end and returns what it wrote.
pub async fn run(command: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(command);
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    within("a peer", command.output()).await.unwrap()
}

/// A server of another make, killed on drop.
#[derive(Debug)]
pub struct PeerServer {
    address: SocketAddr,
    child: Child,
}

impl PeerServer {
    /// Starts a command whose first line on stdout is the port that it listens on.
    pub async fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line =
            within("a peer's port", lines.next_line()).await.unwrap().expect("a peer that says its port");
        let port: u16 = line.trim().parse().unwrap_or_else(|_| panic!("not a port: {line}"));
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { address: SocketAddr::from(([127, 0, 0, 1], port)), child }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops it and waits until it is gone.
    pub async fn stop(mut self) {
        self.child.kill().await.unwrap();
    }
}
