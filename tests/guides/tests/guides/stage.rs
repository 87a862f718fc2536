//! Where the commands of one page run: a folder, a shell, free ports and a service behind the gateway.
#![allow(clippy::disallowed_methods, reason = "a page has a thread of its own, which may sleep")]

use std::{
    collections::BTreeMap,
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    sync::{
        LazyLock,
        atomic::{AtomicU16, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use harness::TempDir;
use regex::{Captures, Regex};

use crate::{
    compare,
    page::{Block, Command, commands},
    shell::Shell,
};

/// How long a server may take to listen, and to say what is shown.
const PATIENCE: Duration = Duration::from_secs(20);

/// The port that stands for a service of the reader's own.
const OWN_SERVICE: u16 = 3000;

/// Where a file listens that does not say it.
const DEFAULT_PORT: u16 = 8080;

/// An address of this machine.
static HERE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\b(127\.0\.0\.1|localhost|0\.0\.0\.0):(\d{2,5})\b|(--port) (\d{2,5})\b").unwrap()
});

/// A name with a port, which is a service behind the gateway.
static SERVICE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"([a-zA-Z][\w.-]*):(\d{2,5})\b").unwrap());

/// A gateway that is left running.
static SERVES: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^(?:\w+=\S+ )*gatewright (?:run|demo)\b").unwrap());

static RUNS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\bgatewright run (?:--\S+ )*(\S+\.yaml)").unwrap());

static LISTENS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"\b(?:listen|address): "?[\d.]+:(\d+)"#).unwrap());

static NAMES_FILE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^# ([\w.-]+\.[a-z]+)(?::|$)").unwrap());

pub(crate) struct Stage {
    // The shell goes first, and what it started.
    shell: Shell,
    folder: TempDir,
    _programs: TempDir,
    origin: SocketAddr,
    ports: BTreeMap<u16, u16>,
    /// Whether the page has shown a file since a gateway was started.
    is_stale: bool,
    server: Option<PathBuf>,
    servers: usize,
}

impl Stage {
    /// `python` says whether a command asks for Python, which then has the packages of the peers.
    pub(crate) fn new(origin: SocketAddr, python: bool) -> Self {
        let (folder, programs) = (TempDir::new(), TempDir::new());
        symlink(harness::gateway_binary(), programs.path().join("gatewright")).unwrap();
        // Whoever else runs a gateway on this machine is to get no signal.
        let pidof = programs.write("pidof", format!("#!/bin/sh\ncat '{}/pid'\n", programs.path().display()));
        fs::set_permissions(pidof, fs::Permissions::from_mode(0o755)).unwrap();
        let python = python.then(harness::peer::python);
        let found: Vec<_> =
            [programs.path()].into_iter().chain(python.as_deref().and_then(Path::parent)).collect();
        let shell = Shell::start(folder.path(), &found);
        let ports = BTreeMap::from([(OWN_SERVICE, origin.port())]);
        Self { shell, folder, _programs: programs, origin, ports, is_stale: false, server: None, servers: 0 }
    }

    /// Writes the file that a block shows, if it shows one.
    pub(crate) fn take(&mut self, block: &Block) {
        let first = block.text.lines().next().unwrap_or_default();
        let name = match NAMES_FILE.captures(first) {
            Some(found) => found[1].to_owned(),
            None if block.language == "yaml" && block.text.lines().any(|line| line == "routes:") => {
                "gateway.yaml".to_owned()
            }
            None => return,
        };
        let mut text = self.here(&block.text);
        if block.language == "yaml" {
            text = self.with_services(&text);
            if text.contains("routes:") && !LISTENS.is_match(&text) {
                text.push_str(&format!("listen: 127.0.0.1:{}\n", self.port(DEFAULT_PORT)));
            }
        }
        self.is_stale |= name == "gateway.yaml";
        self.folder.write(&name, text);
    }

    /// Runs the commands of a block; how many, or which one did not do what is shown.
    pub(crate) fn run(&mut self, block: &Block) -> Result<usize, String> {
        for hidden in &block.before {
            let command = Command { line: block.line - 1, text: hidden.clone(), shown: Vec::new() };
            self.command(&command)?;
        }
        if self.is_stale && block.text.contains("curl ") && !block.text.contains("gatewright run") {
            let command = "gatewright run gateway.yaml".to_owned();
            self.command(&Command { line: block.line, text: command, shown: Vec::new() })?;
        }
        let commands = commands(block)?;
        for command in &commands {
            self.command(command)?;
        }
        Ok(commands.len())
    }

    fn command(&mut self, command: &Command) -> Result<(), String> {
        let Command { line, text, shown } = command;
        let fail = |why: &str, printed: &str| format!("{line}: $ {text}\n{why}:\n{}", printed.trim_end());
        let mut run = self.here(text);
        if run.contains("upstream: ") {
            run = self.with_services(&run);
        }
        let ends = !run.ends_with('&') && (!SERVES.is_match(&run) || run.contains("--once"));
        if ends {
            // A line of the log is written a moment after its response.
            if run.contains(".log") {
                thread::sleep(Duration::from_millis(300));
            }
            let (printed, status) = self.shell.run(&run).map_err(|why| fail("it fails", &why))?;
            let printed = self.as_shown(&printed);
            return match (shown.is_empty(), status) {
                (true, 0) => Ok(()),
                (true, status) => Err(fail(&format!("it ends with {status}"), &printed)),
                (false, _) if compare::is_shown(&printed, shown) => Ok(()),
                (false, _) => Err(fail("it prints", &printed)),
            };
        }
        self.stop();
        let log = self._programs.path().join(format!("said-{}", self.servers));
        self.servers += 1;
        let pid = self._programs.path().join("pid");
        let started = match run.strip_suffix('&') {
            Some(_) => format!("{{ {run} }} >'{}' 2>&1", log.display()),
            // What it redirects itself comes last, and counts.
            None => format!(">'{}' 2>&1 {run} & echo $! >'{}'", log.display(), pid.display()),
        };
        self.shell.run(&started).map_err(|why| fail("it does not start", &why))?;
        if !run.ends_with('&') {
            self.server = Some(pid);
        }
        self.is_stale = false;
        let ports = self.ports_of(&run);
        let deadline = Instant::now() + PATIENCE;
        loop {
            let said = fs::read_to_string(&log).unwrap_or_default();
            let said = self.as_shown(&said);
            let listens = ports.iter().all(|port| TcpStream::connect(("127.0.0.1", *port)).is_ok());
            // A demo takes whichever port is free.
            let says_so = !ports.is_empty() || said.contains("http://");
            if listens && says_so && compare::begins_with(&said, shown) {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(fail(if listens && says_so { "it says" } else { "it does not listen" }, &said));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends the gateway that is left running.
    fn stop(&mut self) {
        if let Some(pid) = self.server.take() {
            let _ = self.shell.run(&format!("kill \"$(cat '{0}')\"; wait \"$(cat '{0}')\"", pid.display()));
        }
    }

    /// Where the servers of a command line listen.
    fn ports_of(&self, command: &str) -> Vec<u16> {
        let mut ports = Vec::new();
        for file in RUNS.captures_iter(command) {
            let text = fs::read_to_string(self.folder.path().join(&file[1])).unwrap_or_default();
            ports.extend(LISTENS.captures_iter(&text).filter_map(|found| found[1].parse::<u16>().ok()));
        }
        ports
            .extend(HERE.captures_iter(command).filter_map(|found| found.get(4)?.as_str().parse::<u16>().ok()));
        ports
    }

    /// The text with free ports.
    fn here(&mut self, text: &str) -> String {
        let replace = |found: &Captures<'_>| match (found.get(1), found.get(4)) {
            (Some(host), _) => format!("{}:{}", host.as_str(), self.port(found[2].parse().unwrap())),
            (None, Some(port)) => format!("--port {}", self.port(port.as_str().parse().unwrap())),
            (None, None) => found[0].to_owned(),
        };
        HERE.replace_all(text, replace).into_owned()
    }

    /// The text with a service that is there in the place of each that it names. Redis is one that the page starts itself.
    fn with_services(&mut self, text: &str) -> String {
        let replace = |found: &Captures<'_>| match &found[1] {
            "localhost" => found[0].to_owned(),
            name if name.starts_with("redis") => format!("{name}:{}", self.port(found[2].parse().unwrap())),
            _ => self.origin.to_string(),
        };
        SERVICE.replace_all(text, replace).into_owned()
    }

    /// What was printed, as the page would have it.
    fn as_shown(&self, printed: &str) -> String {
        compare::with_ports(printed, |port| {
            self.ports.iter().find(|(_, here)| **here == port).map(|(shown, _)| *shown)
        })
    }

    /// A free port for one that the page names. They lie below those that the system gives to connections.
    fn port(&mut self, shown: u16) -> u16 {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        *self.ports.entry(shown).or_insert_with(|| {
            loop {
                let step = NEXT.fetch_add(1, Ordering::Relaxed);
                let port = 12_000 + (std::process::id() as u16).wrapping_mul(97).wrapping_add(step) % 18_000;
                if TcpListener::bind(("0.0.0.0", port)).is_ok() {
                    return port;
                }
            }
        })
    }
}
