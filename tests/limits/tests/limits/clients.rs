//! Many clients on a connection each, who ask again and again.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// What has come of one request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answer {
    /// Since the run began.
    pub(crate) sent: Duration,
    pub(crate) took: Duration,
    pub(crate) status: u16,
}

/// What has come of a run.
pub(crate) struct Run {
    pub(crate) answers: Vec<Answer>,
    pub(crate) elapsed: Duration,
}

impl Run {
    pub(crate) fn count(&self, status: u16) -> usize {
        self.answers.iter().filter(|answer| answer.status == status).count()
    }
}

/// How long clients go on.
#[derive(Debug, Clone)]
pub(crate) enum Until {
    After(Duration),
    Told(Arc<AtomicBool>),
}

impl Until {
    fn is_over(&self, passed: Duration) -> bool {
        match self {
            Self::After(time) => passed >= *time,
            Self::Told(over) => over.load(Ordering::Relaxed),
        }
    }
}

/// So many connections, in turn to these addresses, each of which sends `GET /` again and again: the next one at once
/// after a 200, and after a pause otherwise, as decent clients do.
pub(crate) async fn ask(addresses: &[SocketAddr], connections: usize, until: &Until, pause: Duration) -> Run {
    let mut open = Vec::with_capacity(connections);
    for address in addresses.iter().cycle().take(connections) {
        open.push(TcpStream::connect(address).await.unwrap());
    }
    let began = Instant::now();
    let clients: Vec<_> =
        open.into_iter().map(|stream| tokio::spawn(client(stream, began, until.clone(), pause))).collect();
    let mut answers = Vec::new();
    for client in clients {
        answers.extend(client.await.unwrap());
    }
    Run { answers, elapsed: began.elapsed() }
}

async fn client(mut stream: TcpStream, began: Instant, until: Until, pause: Duration) -> Vec<Answer> {
    let mut answers = Vec::new();
    let mut head = Vec::with_capacity(2048);
    loop {
        let sent = began.elapsed();
        if until.is_over(sent) {
            return answers;
        }
        stream.write_all(b"GET / HTTP/1.1\r\nhost: api.example\r\n\r\n").await.unwrap();
        let status = read(&mut stream, &mut head).await;
        answers.push(Answer { sent, took: began.elapsed() - sent, status });
        if status != 200 {
            tokio::time::sleep(pause).await;
        }
    }
}

/// Reads one response and gives its status.
async fn read(stream: &mut TcpStream, response: &mut Vec<u8>) -> u16 {
    response.clear();
    loop {
        assert!(
            stream.read_buf(response).await.unwrap() > 0,
            "closed in {:?}",
            String::from_utf8_lossy(response)
        );
        let Some(end) = response.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&response[..end]).to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.map_or(0, |length| length.parse().unwrap());
        if response.len() >= end + 4 + length {
            return head.split(' ').nth(1).unwrap().parse().unwrap();
        }
    }
}
