//! A network and a hosts file of one's own, so that a test can use fixed ports and names.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Child,
};

use crate::{TempDir, within};

/// A namespace (namespaces(7)) with a loopback device alone and an `/etc/hosts` that only its processes see. It ends,
/// and with it what is left in it, when dropped.
#[derive(Debug)]
pub struct Namespace {
    holder: Child,
    dir: TempDir,
    enter: Vec<String>,
}

impl Namespace {
    /// A new one whose hosts file reads `hosts`; `None` where the system does not let us.
    pub async fn new(hosts: &str) -> Option<Self> {
        // Root needs no user namespace; without root, one in which we are root often is to be had.
        for user in [&[][..], &["--user", "--map-root-user"]] {
            if let Some(namespace) = Self::start(user, hosts).await {
                return Some(namespace);
            }
        }
        None
    }

    async fn start(user: &[&str], hosts: &str) -> Option<Self> {
        let dir = TempDir::new();
        let file = dir.write("hosts", hosts);
        let script = "ip link set lo up && mount --bind \"$1\" /etc/hosts && echo ready && exec cat";
        let mut holder = tokio::process::Command::new("unshare")
            .args(user)
            .args(["--net", "--mount", "sh", "-c", script, "sh"])
            .arg(file)
            // `cat` ends with our end of the pipe, even when we are killed.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .ok()?;
        let mut lines = BufReader::new(holder.stdout.take()?).lines();
        let ready = within("a namespace", lines.next_line()).await.ok()??;
        let target = holder.id()?.to_string();
        let mut enter: Vec<String> =
            ["nsenter", "--target", &target, "--net", "--mount"].map(str::to_owned).into();
        if !user.is_empty() {
            enter.extend(["--user", "--preserve-credentials"].map(str::to_owned));
        }
        enter.push("--".to_owned());
        (ready == "ready").then_some(Self { holder, dir, enter })
    }

    /// The command line that runs what is appended to it inside.
    pub fn enter(&self) -> Vec<&str> {
        self.enter.iter().map(String::as_str).collect()
    }

    /// A command that runs inside.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(&self.enter[0]);
        command.args(&self.enter[1..]).arg(program.as_ref()).stdin(Stdio::null());
        command
    }

    /// Rewrites the hosts file.
    pub fn set_hosts(&self, hosts: &str) {
        // The same file: another one in its place would not be the one that is mounted.
        fs::write(self.dir.path().join("hosts"), hosts).unwrap();
    }

    /// The process that holds it open.
    pub fn holder(&self) -> Option<u32> {
        self.holder.id()
    }
}
