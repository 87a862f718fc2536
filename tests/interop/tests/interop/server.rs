//! Servers that want to be told their port.

use std::{
    net::{SocketAddr, TcpListener},
    path::Path,
    process::Stdio,
    time::Duration,
};

use harness::{TempDir, within};
use tokio::{
    net::TcpStream,
    process::{Child, Command},
};

/// A server in a folder of its own, killed on drop.
#[derive(Debug)]
pub(crate) struct Server {
    addresses: Vec<SocketAddr>,
    _child: Child,
    dir: TempDir,
}

impl Server {
    /// Starts what `command` makes of a folder and of `count` addresses that are free, and waits until it listens on all of
    /// them.
    pub(crate) async fn start(count: usize, command: impl Fn(&Path, &[SocketAddr]) -> Command) -> Self {
        let mut said = String::new();
        for _ in 0..5 {
            // All at once, so that they differ.
            let held: Vec<_> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
            let addresses: Vec<_> = held.iter().map(|listener| listener.local_addr().unwrap()).collect();
            drop(held);
            let dir = TempDir::new();
            let log = dir.write("said", "");
            let to = || Stdio::from(std::fs::File::options().append(true).open(&log).unwrap());
            let mut command = command(dir.path(), &addresses);
            command.current_dir(dir.path()).stdin(Stdio::null()).stdout(to()).stderr(to()).kill_on_drop(true);
            let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
            if within("a server", listens(&mut child, &addresses)).await {
                return Self { addresses, _child: child, dir };
            }
            // Somebody else has taken a port meanwhile, or it does not work at all.
            said = std::fs::read_to_string(&log).unwrap();
        }
        panic!("the server does not start:\n{said}");
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// What it has written so far.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("said")).unwrap()
    }

    /// All its addresses, in the order in which `start` gave them.
    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }
}

/// Whether it listens everywhere, or has ended.
async fn listens(child: &mut Child, addresses: &[SocketAddr]) -> bool {
    for address in addresses {
        while TcpStream::connect(address).await.is_err() {
            if child.try_wait().unwrap().is_some() {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    true
}
