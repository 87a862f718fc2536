//! Servers of Redis's own, as Debian's package `redis-server` brings them.

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

const PATIENCE: Duration = Duration::from_secs(30);

/// A server on a free port. It ends with its value.
pub(crate) struct Server {
    port: u16,
    bus_port: Option<u16>,
    folder: PathBuf,
    process: Option<Child>,
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address").port()
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::new(None)
    }

    fn new(bus_port: Option<u16>) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("gatewright-redis-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let mut server = Self { port: free_port(), bus_port, folder, process: None };
        server.run();
        server
    }

    /// Runs it, again after it was killed: on the same port, and empty.
    pub(crate) fn run(&mut self) {
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir"]).arg(&self.folder);
        command.args(["--port", &self.port.to_string()]);
        if let Some(port) = self.bus_port {
            command.args(["--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--cluster-port"]);
            command.arg(port.to_string());
        }
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        self.process = Some(process.expect("Debian's package `redis-server` is installed"));
        until("Redis answers", || self.send("PING") == "+PONG\r\n");
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("it runs");
            process.wait().expect("it has run");
        }
    }

    /// Stops it without an end, or lets it go on: connections stay open, and nothing answers.
    pub(crate) fn signal(&self, signal: &str) {
        let process = self.process.as_ref().expect("it runs");
        let sent = Command::new("kill").args([signal, &process.id().to_string()]).status();
        assert!(sent.expect("kill").success());
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Sends a command of plain words and gives the first of what it answers, or nothing.
    pub(crate) fn send(&self, command: &str) -> String {
        let answer = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect(self.address())?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.write_all(format!("{command}\r\n").as_bytes())?;
            let mut answer = [0; 4096];
            let length = stream.read(&mut answer)?;
            Ok(String::from_utf8_lossy(&answer[..length]).into_owned())
        };
        answer().unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Three nodes that share all slots.
pub(crate) fn start_cluster() -> [Server; 3] {
    let nodes = [(); 3].map(|()| Server::new(Some(free_port())));
    let mut create = Command::new("redis-cli");
    create.args(["--cluster", "create"]).args(nodes.iter().map(Server::address)).arg("--cluster-yes");
    let created = create.output().expect("Debian's package `redis-tools` is installed");
    assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stdout));
    until("the nodes agree", || {
        nodes.iter().all(|node| node.send("CLUSTER INFO").contains("cluster_state:ok"))
    });
    nodes
}

pub(crate) fn until(what: &str, condition: impl Fn() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < PATIENCE, "until {what}: it takes too long");
        // Not in async code: tests wait for a server here before they begin.
        #[allow(clippy::disallowed_methods)]
        std::thread::sleep(Duration::from_millis(5));
    }
}
