//! Bodies stream: memory does not grow with them, and a slow side holds the other back.

use std::{
    future::Future,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use harness::{Gateway, eventually};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

const CHUNK: usize = 256 << 10;

/// What memory may grow by, whatever passes through.
const MOST: u64 = 32 << 20;

fn size() -> u64 {
    if crate::soaking() { 10 << 30 } else { 1 << 30 }
}

/// An origin that does no more than count: it takes one request, reads what its length says, and answers as long a body
/// as its path says.
async fn counting_origin() -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let (head, rest) = read_head(&mut stream).await;
                let uploaded = length(&head).unwrap_or_default();
                assert_eq!(read_zeros(&mut stream, rest, uploaded).await, uploaded);
                let download: u64 = head.split(['/', ' ']).nth(2).unwrap().parse().unwrap();
                let answer =
                    format!("HTTP/1.1 200 OK\r\nX-Received: {uploaded}\r\nContent-Length: {download}\r\n\r\n");
                stream.write_all(answer.as_bytes()).await.unwrap();
                write_zeros(&mut stream, download).await;
            });
        }
    });
    (address, task)
}

async fn read_head(stream: &mut TcpStream) -> (String, u64) {
    let mut bytes = Vec::new();
    loop {
        assert!(stream.read_buf(&mut bytes).await.unwrap() > 0, "the peer closed in its head");
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let rest = bytes.split_off(end + 4).len() as u64;
            return (String::from_utf8(bytes).unwrap().to_lowercase(), rest);
        }
    }
}

fn length(head: &str) -> Option<u64> {
    head.lines().find_map(|line| line.strip_prefix("content-length:"))?.trim().parse().ok()
}

async fn read_zeros(stream: &mut TcpStream, mut count: u64, size: u64) -> u64 {
    let mut buffer = vec![0; CHUNK];
    while count < size {
        match stream.read(&mut buffer).await.unwrap() {
            0 => break,
            read => count += read as u64,
        }
    }
    count
}

async fn write_zeros(stream: &mut TcpStream, size: u64) {
    let zeros = vec![0; CHUNK];
    let mut left = size;
    while left > 0 {
        let next = left.min(CHUNK as u64);
        stream.write_all(&zeros[..next as usize]).await.unwrap();
        left -= next;
    }
}

/// The most memory that a gateway takes while `work` goes on, above what it had.
async fn growth(gateway: &Gateway, work: impl Future<Output = ()>) -> u64 {
    let before = gateway.resident();
    let mut most = before;
    tokio::pin!(work);
    loop {
        tokio::select! {
            () = &mut work => break,
            () = tokio::time::sleep(Duration::from_millis(20)) => most = most.max(gateway.resident()),
        }
    }
    most.max(gateway.resident()) - before
}

async fn warm_up(gateway: &Gateway) {
    for _ in 0..20 {
        exchange(gateway, 1 << 20, 1 << 20).await;
    }
}

async fn exchange(gateway: &Gateway, up: u64, down: u64) {
    let mut stream = TcpStream::connect(gateway.address()).await.unwrap();
    let head = format!("POST /{down} HTTP/1.1\r\nHost: x\r\nContent-Length: {up}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    write_zeros(&mut stream, up).await;
    let (head, rest) = read_head(&mut stream).await;
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert!(head.contains(&format!("x-received: {up}\r\n")), "{head}");
    assert_eq!(length(&head), Some(down));
    assert_eq!(read_zeros(&mut stream, rest, down).await, down);
}

async fn gateway_to(address: SocketAddr) -> Gateway {
    let gateway = Gateway::to(address);
    warm_up(&gateway).await;
    gateway
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_upload_takes_no_memory() {
    let (address, _origin) = counting_origin().await;
    let gateway = gateway_to(address).await;
    let grown = growth(&gateway, exchange(&gateway, size(), 0)).await;
    println!("{} bytes up: {} KiB more", size(), grown >> 10);
    assert!(grown <= MOST, "{grown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_download_takes_no_memory() {
    let (address, _origin) = counting_origin().await;
    let gateway = gateway_to(address).await;
    let grown = growth(&gateway, exchange(&gateway, 0, size())).await;
    println!("{} bytes down: {} KiB more", size(), grown >> 10);
    assert!(grown <= MOST, "{grown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_does_not_read_holds_the_origin_back() {
    let sent = Arc::new(AtomicU64::new(0));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let counter = sent.clone();
    let origin = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        let zeros = vec![0; CHUNK];
        while stream.write_all(&zeros).await.is_ok() {
            counter.fetch_add(CHUNK as u64, Ordering::SeqCst);
        }
    });
    let gateway = Gateway::to(address);
    let mut client = TcpStream::connect(gateway.address()).await.unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    stalls(&sent).await;
    let stalled = sent.load(Ordering::SeqCst);
    // What the kernel buffers for two connections, and little more.
    assert!(stalled <= MOST, "{stalled} bytes without a reader");
    assert!(gateway.resident() < 128 << 20);

    // It goes on when the client does.
    read_zeros(&mut client, 0, stalled + MOST).await;
    eventually("more from the origin", || sent.load(Ordering::SeqCst) > stalled).await;
    drop(client);
    harness::within("the origin's end", origin).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_origin_that_does_not_read_holds_the_client_back() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let gateway = Gateway::to(address);
    let sent = Arc::new(AtomicU64::new(0));
    let counter = sent.clone();
    let mut client = TcpStream::connect(gateway.address()).await.unwrap();
    client.write_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1099511627776\r\n\r\n").await.unwrap();
    let client = tokio::spawn(async move {
        let zeros = vec![0; CHUNK];
        while client.write_all(&zeros).await.is_ok() {
            counter.fetch_add(CHUNK as u64, Ordering::SeqCst);
        }
    });
    let (mut stream, _) = harness::within("the upstream connection", listener.accept()).await.unwrap();
    read_head(&mut stream).await;
    stalls(&sent).await;
    let stalled = sent.load(Ordering::SeqCst);
    assert!(stalled <= MOST, "{stalled} bytes without a reader");
    read_zeros(&mut stream, 0, stalled + MOST).await;
    eventually("more from the client", || sent.load(Ordering::SeqCst) > stalled).await;
    drop(stream);
    harness::within("the client's end", client).await.unwrap();
}

/// Waits until a count has been the same for half a second.
async fn stalls(count: &AtomicU64) {
    let (mut last, mut same) = (0, 0);
    eventually("a stall", || {
        let now = count.load(Ordering::SeqCst);
        same = if now == last && now > 0 { same + 1 } else { 0 };
        last = now;
        same >= 50
    })
    .await;
}
