//! The accept loop: it lives through a lack of descriptors, and keeps to the limit of connections.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::support::{finish, limits, plain, raw, start, start_with};
use gatewright_server::Server;
use tokio::{io::AsyncWriteExt, net::TcpStream};

const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Not a test of its own: what the next test runs in a process with few descriptors.
#[test]
#[ignore = "run by another test"]
fn served_with_few_descriptors() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let server = start(limits());
        println!("\naddress {}", server.address);
        server.serving.await.expect("serves").expect("serves");
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lack_of_descriptors_is_survived() {
    let child = Command::new("sh")
        .args([
            "-c",
            r#"ulimit -n 40 && exec "$0" --exact accept::served_with_few_descriptors --ignored --nocapture"#,
        ])
        .arg(std::env::current_exe().expect("this program"))
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut child = Killed(child);
    let output = BufReader::new(child.0.stdout.take().expect("piped"));
    let address: SocketAddr = output
        .lines()
        .find_map(|line| line.expect("text").strip_prefix("address ").map(|address| address.parse()))
        .expect("an address")
        .expect("an address");
    let mut clients = Vec::new();
    for _ in 0..200 {
        clients.push(TcpStream::connect(address).await.expect("is in the backlog"));
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    // The clients that came first are served while others wait.
    clients[0].write_all(GET).await.expect("sends");
    assert_eq!(finish(&mut clients[0], Duration::from_millis(500)).await.statuses(), [200]);
    drop(clients);
    let start = Instant::now();
    let mut stream = TcpStream::connect(address).await.expect("connects");
    stream.write_all(GET).await.expect("sends");
    assert_eq!(finish(&mut stream, Duration::from_secs(1)).await.statuses(), [200]);
    assert!(start.elapsed() < Duration::from_secs(5));
    assert!(child.0.try_wait().expect("waits").is_none(), "the process has ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_beyond_the_limit_wait_until_one_closes() {
    let server = start(limits().max_connections(2));
    let first = server.connect().await;
    let _second = server.connect().await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut third = server.connect().await;
    third.write_all(GET).await.expect("sends");
    assert!(finish(&mut third, Duration::from_millis(300)).await.answers.is_empty());
    drop(first);
    assert_eq!(finish(&mut third, Duration::from_millis(500)).await.statuses(), [200]);
}

#[tokio::test]
async fn a_server_is_shown_by_its_addresses_and_its_handle_by_its_connections() {
    for count in 0..4 {
        let server = (0..count).fold(Server::builder(), |builder, _| builder.listener(plain()));
        let server = server.bind().expect("binds");
        let addresses: Vec<_> = server.local_addrs().iter().map(ToString::to_string).collect();
        assert_eq!((addresses.len(), server.to_string()), (count, addresses.join(", ")));
        assert_eq!(format!("{:?}", server.handle()), "ServerHandle { connections: 0, .. }");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_counted_by_listener() {
    let server = start_with(crate::support::echo(), |builder| {
        builder.listener(plain().name("first")).listener(plain().name("second"))
    });
    let _open = server.connect().await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let counts: Vec<_> = server.handle.connections_by_listener().collect();
    assert_eq!(counts, [("first", 1), ("second", 0)]);
    assert_eq!(server.handle.connections(), 1);
}

/// What a program on a multi-thread runtime and one on a `current_thread` runtime write is the same.
#[tokio::test(flavor = "current_thread")]
async fn one_thread_is_enough() {
    let server = start(limits());
    assert_eq!(raw(server.address, &GET.repeat(3)).await.statuses(), [200, 200, 200]);
}
