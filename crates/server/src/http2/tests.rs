//! What time does to a connection and its streams.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use gatewright_core::{Body, BoxError};
use http::{Request, Response};
use http_body::Frame;
use tokio::sync::Notify;

use super::frames::{DATA, GOAWAY, HEADERS, PING, RST_STREAM, SETTINGS, WINDOW_UPDATE};
use crate::{
    Limits,
    still::{self, Client},
};

const ACK: u8 = 1;
/// Ends the stream and its fields.
const WHOLE: u8 = 5;

/// A connection without streams has 60 s, all else much more.
fn limits() -> Limits {
    let long = Duration::from_secs(2000);
    Limits::default()
        .header_timeout(Duration::from_secs(10))
        .keep_alive_timeout(Duration::from_secs(60))
        .body_timeout(long)
        .write_timeout(long)
        .stream_timeout(long)
}

fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).expect("short");
    [&[0, 0, length, kind, flags, 0, 0, 0, stream], payload].concat()
}

fn literal(name: &str, value: &str) -> Vec<u8> {
    let length = |text: &str| u8::try_from(text.len()).expect("short");
    [&[0, length(name)], name.as_bytes(), &[length(value)], value.as_bytes()].concat()
}

fn get(stream: u8, path: &str) -> Vec<u8> {
    let fields = [(":method", "GET"), (":scheme", "http"), (":path", path), (":authority", "a")];
    let block: Vec<u8> = fields.iter().flat_map(|(name, value)| literal(name, value)).collect();
    frame(HEADERS, WHOLE, stream, &block)
}

/// A service that waits until it is told, and says how often it is at work.
#[derive(Clone, Default)]
struct Told {
    go_on: Arc<Notify>,
    busy: Arc<AtomicUsize>,
    begun: Arc<AtomicUsize>,
}

/// Counts for as long as it lives.
struct Busy(Arc<AtomicUsize>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Told {
    /// `/wait` waits for its response, `/body` for the first frame, `/fail` and `/panic` end so after one frame,
    /// `/endless` never does.
    async fn serve(self, request: Request<Body>) -> Result<Response<Body>, BoxError> {
        self.busy.fetch_add(1, Ordering::SeqCst);
        self.begun.fetch_add(1, Ordering::SeqCst);
        let busy = Busy(Arc::clone(&self.busy));
        let steps = match request.uri().path() {
            "/wait" => {
                self.go_on.notified().await;
                return Ok(Response::new(Body::once("told")));
            }
            "/body" => Steps { frames: 0, end: Step::Wait, _busy: busy },
            "/fail" => Steps { frames: 1, end: Step::Fail, _busy: busy },
            "/panic" => Steps { frames: 1, end: Step::Panic, _busy: busy },
            "/endless" => Steps { frames: usize::MAX, end: Step::Wait, _busy: busy },
            _ => return Ok(Response::new(Body::once("at once"))),
        };
        Ok(Response::new(Body::new(steps)))
    }
}

/// Some frames, and what comes then.
struct Steps {
    frames: usize,
    end: Step,
    _busy: Busy,
}

enum Step {
    Wait,
    Fail,
    Panic,
}

impl http_body::Body for Steps {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.frames > 0 {
            self.frames -= 1;
            return Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b'x'; 1000])))));
        }
        match self.end {
            Step::Wait => Poll::Pending,
            Step::Fail => Poll::Ready(Some(Err("it fails".into()))),
            // Without the message of a panic.
            Step::Panic => std::panic::resume_unwind(Box::new("it panics")),
        }
    }
}

async fn connect() -> (Client, Told) {
    let told = Told::default();
    let service = tower::service_fn({
        let told = told.clone();
        move |request| told.clone().serve(request)
    });
    let mut client = still::serve(service, limits(), true);
    client.send(&[&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &frame(SETTINGS, 0, 0, b"")].concat()).await;
    let mut frames = Vec::new();
    still::until("SETTINGS", || {
        frames.extend(receive(&mut client));
        frames.iter().any(|(kind, flags, _)| (*kind, *flags) == (SETTINGS, ACK))
    })
    .await;
    client.send(&frame(SETTINGS, ACK, 0, b"")).await;
    client.settle().await;
    (client, told)
}

/// The frames that have come: kind, flags, payload.
fn receive(client: &mut Client) -> Vec<(u8, u8, Vec<u8>)> {
    let (bytes, mut frames) = (client.receive(), Vec::new());
    while let Some(head) = bytes.first_chunk::<9>() {
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        if bytes.len() < 9 + length {
            break;
        }
        let (kind, flags) = (head[3], head[4]);
        frames.push((kind, flags, bytes[9..9 + length].to_vec()));
        bytes.drain(..9 + length);
    }
    frames
}

/// Waits for a frame of this kind.
async fn wait_for(client: &mut Client, kind: u8) {
    still::until("a frame", || receive(client).iter().any(|(of, ..)| *of == kind)).await;
}

/// Lets time go by. Answers PING if it is to. Gives when it was asked, and when the connection ended.
async fn live(client: &mut Client, until: u64, answers: bool) -> (Vec<u64>, Option<u64>) {
    let mut asked = Vec::new();
    while client.now() < until {
        client.go_on().await;
        for (kind, flags, payload) in receive(client) {
            if kind == PING && flags & ACK == 0 {
                asked.push(client.now());
                if answers {
                    client.send(&frame(PING, ACK, 0, &payload)).await;
                }
            }
        }
        if client.has_ended() {
            return (asked, Some(client.now()));
        }
    }
    (asked, None)
}

#[tokio::test(start_paused = true)]
async fn a_silent_client_is_asked_and_dropped_when_it_does_not_answer() {
    let (mut client, told) = connect().await;
    client.send(&get(1, "/wait")).await;
    still::until("a call", || told.begun.load(Ordering::SeqCst) == 1).await;
    let (asked, end) = live(&mut client, 200, false).await;
    assert!(matches!(asked[..], [at] if (30..=61).contains(&at)), "asked after {asked:?}");
    let end = end.expect("it ends");
    assert!((asked[0] + 10..=asked[0] + 11).contains(&end), "asked after {asked:?}, ended after {end}");
    still::until("the end of the service", || told.busy.load(Ordering::SeqCst) == 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_silent_client_that_answers_stays_and_is_asked_again() {
    let (mut client, told) = connect().await;
    client.send(&get(1, "/wait")).await;
    let (asked, end) = live(&mut client, 600, true).await;
    assert_eq!(end, None, "asked after {asked:?}");
    assert!((9..=20).contains(&asked.len()), "asked after {asked:?}");
    told.go_on.notify_one();
    wait_for(&mut client, DATA).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_says_anything_is_not_asked() {
    let (mut client, _told) = connect().await;
    client.send(&get(1, "/wait")).await;
    for second in (20..600).step_by(20) {
        let (asked, end) = live(&mut client, second, false).await;
        assert_eq!((asked, end), (Vec::new(), None), "at {second} s");
        let word = if second % 40 == 0 {
            frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1])
        } else {
            frame(PING, 0, 0, &[0; 8])
        };
        client.send(&word).await;
    }
    // From now on it is silent.
    let (asked, end) = live(&mut client, 1000, false).await;
    assert_eq!(asked.len(), 1);
    assert!(end.is_some_and(|end| end < 680), "ended after {end:?}");
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_idle_from_the_end_of_its_last_stream() {
    for busy_for in [0, 20, 50, 100] {
        let (mut client, told) = connect().await;
        client.send(&get(1, "/wait")).await;
        client.send(&get(3, "/")).await;
        wait_for(&mut client, DATA).await;
        assert_eq!(live(&mut client, busy_for, true).await.1, None);
        told.go_on.notify_one();
        wait_for(&mut client, DATA).await;
        let (asked, end) = live(&mut client, 1000, true).await;
        let end = end.expect("it ends");
        assert!(
            (busy_for + 60..=busy_for + 62).contains(&end),
            "busy for {busy_for} s, asked after {asked:?}, ended after {end} s"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_does_not_end_well_leaves_nothing_behind() {
    for (path, resets) in [
        ("/wait", true),
        ("/body", true),
        ("/endless", true),
        ("/", true),
        ("/fail", false),
        ("/panic", false),
        ("/", false),
    ] {
        let (mut client, told) = connect().await;
        client.send(&get(1, path)).await;
        still::until("a call", || told.begun.load(Ordering::SeqCst) == 1).await;
        client.settle().await;
        live(&mut client, 5, true).await;
        if resets {
            client.send(&frame(RST_STREAM, 0, 1, &[0, 0, 0, 8])).await;
        }
        still::until("the end of the service", || told.busy.load(Ordering::SeqCst) == 0).await;
        let (_, end) = live(&mut client, 1000, true).await;
        let end = end.unwrap_or(u64::MAX);
        assert!((60..=67).contains(&end), "{path}, reset: {resets}: ended after {end} s");
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_connection_ends_whatever_its_streams_wait_for() {
    for path in ["/wait", "/body", "/endless"] {
        let (mut client, told) = connect().await;
        for stream in [1, 3, 5] {
            client.send(&get(stream, path)).await;
        }
        still::until("three calls", || told.begun.load(Ordering::SeqCst) == 3).await;
        client.settle().await;
        assert_eq!(told.busy.load(Ordering::SeqCst), 3, "{path}");
        // Silence ends it.
        live(&mut client, 1000, false).await.1.expect("it ends");
        still::until("the end of the service", || told.busy.load(Ordering::SeqCst) == 0).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_told_to_go_away() {
    let (mut client, _) = connect().await;
    client.send(&get(1, "/")).await;
    let mut last = None;
    while !client.has_ended() {
        assert!(client.now() < 100, "it never ends");
        client.go_on().await;
        last =
            receive(&mut client).into_iter().rfind(|(kind, ..)| *kind == GOAWAY).map(|_| client.now()).or(last);
    }
    assert!(last.is_some_and(|last| (60..=61).contains(&last)), "GOAWAY after {last:?}");
}
