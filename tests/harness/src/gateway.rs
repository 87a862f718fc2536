//! The gateway under test, as a process.

use std::{
    fmt::Write as _,
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Condvar, Mutex},
    thread,
    time::{Duration, Instant},
};

use crate::{PATIENCE, TempDir, binary, eventually};

/// `gatewright run FILE`, killed on drop. Its access log is a file; [`Gateway::access_log`] reads it.
#[derive(Debug)]
pub struct Gateway {
    child: Child,
    dir: TempDir,
    addresses: Vec<SocketAddr>,
    said: Arc<Said>,
}

#[derive(Debug, Default)]
struct Said {
    text: Mutex<String>,
    more: Condvar,
}

/// How to start a [`Gateway`].
#[derive(Debug, Default)]
pub struct GatewayBuilder {
    yaml: String,
    listeners: Option<String>,
    open_files: Option<u32>,
    environment: Vec<(String, String)>,
    wrapper: Vec<String>,
}

impl GatewayBuilder {
    /// The `listeners:` section, instead of one plain listener on port 0.
    #[must_use]
    pub fn listeners(mut self, yaml: &str) -> Self {
        self.listeners = Some(yaml.to_owned());
        self
    }

    /// The most files that it may hold open (`ulimit -n`).
    #[must_use]
    pub fn open_files(mut self, count: u32) -> Self {
        self.open_files = Some(count);
        self
    }

    /// A variable of its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A command that runs the command line appended to it, `unshare --mount` say.
    #[must_use]
    pub fn wrapped_in(mut self, command: &[&str]) -> Self {
        self.wrapper = command.iter().map(|&word| word.to_owned()).collect();
        self
    }

    /// Starts it and waits until it says where it listens.
    pub fn start(self) -> Gateway {
        let mut yaml = match &self.listeners {
            Some(listeners) => format!("listeners:\n{}\n", listeners.trim_end()),
            None => "listen: 127.0.0.1:0\n".to_owned(),
        };
        let count = self.listeners.as_ref().map_or(1, |listeners| listeners.matches("address:").count());
        if !self.yaml.contains("access_log:") {
            yaml.push_str("access_log: {file: access.log}\n");
        }
        if !self.yaml.contains("workers:") {
            yaml.push_str("workers: 2\n");
        }
        yaml.push_str(&self.yaml);
        self.start_file(&yaml, count)
    }

    /// Starts it with this very text as its file, which names `listeners` addresses.
    pub fn start_file(self, yaml: &str, listeners: usize) -> Gateway {
        let dir = TempDir::new();
        let file = dir.write("gateway.yaml", yaml);
        let mut line = self.wrapper;
        if let Some(count) = self.open_files {
            line.extend(["sh", "-c", "ulimit -n \"$1\"; shift; exec \"$@\"", "sh"].map(str::to_owned));
            line.push(count.to_string());
        }
        line.push(binary::path().to_str().unwrap().to_owned());
        let mut child = Command::new(&line[0])
            .args(&line[1..])
            .arg("run")
            .arg(&file)
            .envs(self.environment)
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", line[0]));
        let said = Arc::new(Said::default());
        let (stderr, to) = (child.stderr.take().unwrap(), said.clone());
        thread::spawn(move || {
            for text in BufReader::new(stderr).lines().map_while(Result::ok) {
                let _ = writeln!(to.text.lock().unwrap(), "{text}");
                to.more.notify_all();
            }
            to.more.notify_all();
        });
        let mut gateway = Gateway { child, dir, addresses: Vec::new(), said };
        gateway.addresses = gateway.wait_for_addresses(listeners);
        gateway
    }
}

impl Gateway {
    /// A gateway with these routes (the items of `routes:`), listening on one plain port.
    pub fn with_routes(routes: &str) -> Self {
        Self::builder(&format!("routes:\n{routes}")).start()
    }

    /// A gateway that sends everything to `upstream`.
    pub fn to(upstream: SocketAddr) -> Self {
        Self::with_routes(&format!("- path_prefix: /\n  upstream: {upstream}\n"))
    }

    /// How to start one of this YAML text, which says neither `listen:` nor `listeners:`. Without `access_log:` and
    /// `workers:` it gets a file and 2.
    pub fn builder(yaml: &str) -> GatewayBuilder {
        GatewayBuilder { yaml: yaml.to_owned(), ..GatewayBuilder::default() }
    }

    /// Where its first listener listens.
    pub fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// Where its listeners listen, in the file's order.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Where its admin answers, once it says so.
    pub fn admin(&mut self) -> SocketAddr {
        let find = |text: &str| {
            let line = text.lines().find(|line| line.contains("the status page is at"))?;
            line.split('/').find_map(|word| word.parse().ok())
        };
        self.wait_for("where its admin is", find)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has written to stderr.
    pub fn stderr(&self) -> String {
        self.said.text.lock().unwrap().clone()
    }

    /// The bytes of its access log so far.
    pub fn access_log_text(&self) -> String {
        fs::read_to_string(self.dir.path().join("access.log")).unwrap_or_default()
    }

    /// The access log's lines, once there are at least `count`. A line that is not one JSON object is a panic.
    pub async fn access_log(&self, count: usize) -> Vec<serde_json::Map<String, serde_json::Value>> {
        eventually("the access log", || self.access_log_text().lines().count() >= count).await;
        let text = self.access_log_text();
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        text.lines().map(parse).collect()
    }

    /// Its resident memory in bytes.
    pub fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
    }

    /// The processor time that it has taken, to the hundredth of a second.
    pub fn cpu_time(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap();
        // The name, in parentheses, may hold spaces: utime and stime are the 12th and 13th field after it (proc(5)).
        let fields = stat.rsplit_once(')').unwrap().1.split_whitespace();
        let ticks: u64 = fields.skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum();
        Duration::from_millis(ticks * 10)
    }

    /// How many files it holds open.
    pub fn open_files(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.pid())).unwrap().count()
    }

    /// Whether it still runs.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends it a signal by name, `TERM` say.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.pid().to_string()).status().unwrap();
        assert!(status.success(), "the gateway is gone: {}", self.stderr());
    }

    /// How it ended; a panic when it does not.
    pub async fn exit(&mut self) -> ExitStatus {
        let mut status = None;
        eventually("the gateway's end", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        })
        .await;
        status.unwrap()
    }

    fn wait_for_addresses(&mut self, count: usize) -> Vec<SocketAddr> {
        self.wait_for("where it listens", |text| {
            let addresses = listening(text);
            (addresses.len() >= count).then_some(addresses)
        })
    }

    /// What `find` finds in its lines, once it is there.
    fn wait_for<T>(&mut self, what: &str, find: impl Fn(&str) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        let said = self.said.clone();
        let mut text = said.text.lock().unwrap();
        loop {
            if let Some(found) = find(&text) {
                return found;
            }
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "the gateway ended ({ended:?}):\n{text}");
            assert!(Instant::now() < deadline, "the gateway does not say {what}:\n{text}");
            text = said.more.wait_timeout(text, Duration::from_millis(50)).unwrap().0;
        }
    }
}

/// The socket addresses in the lines that say `listening`.
fn listening(text: &str) -> Vec<SocketAddr> {
    text.lines()
        .filter(|line| line.contains("listening"))
        .flat_map(|line| line.split(|c: char| c.is_whitespace() || "=/,\"".contains(c)))
        .filter_map(|word| word.parse().ok())
        .collect()
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("--- the gateway said:\n{}---", self.stderr());
        }
    }
}
