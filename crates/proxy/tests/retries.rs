//! Which requests are sent again, and how often, over real sockets.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use gatewright_core::{Body, Error, ErrorKind};
use gatewright_proxy::{ProxyBody, ProxyService, Retries, Upstream};
use http::{Request, Response};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tower::ServiceExt;

mod support;

use support::origin;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
const BUSY: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// An origin that counts what comes, and does this on the first connections and then that.
struct Flaky {
    address: String,
    requests: Arc<AtomicUsize>,
}

#[derive(Clone, Copy)]
enum Does {
    Answers(&'static str),
    Closes,
    SaysNothing,
}

impl Flaky {
    async fn new(failures: usize, failure: Does, then: Does) -> Self {
        let requests = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&requests);
        let address = origin(move |stream| {
            let number = count.fetch_add(1, Ordering::SeqCst);
            serve(stream, if number < failures { failure } else { then })
        })
        .await;
        Self { address, requests }
    }

    fn proxy(&self, retries: Retries) -> ProxyService {
        let builder = ProxyService::builder().target(&self.address).retries(retries);
        builder.timeout(Duration::from_millis(300)).build().expect("builds")
    }

    /// The outcome of this request, and how often it arrived.
    async fn asked(&self, retries: Retries, method: &str, body: Body) -> (Result<u16, ErrorKind>, usize) {
        let before = self.requests.load(Ordering::SeqCst);
        let outcome = send(self.proxy(retries), method, body).await;
        let outcome = outcome.map(|response| response.status().as_u16()).map_err(|error| error.kind());
        (outcome, self.requests.load(Ordering::SeqCst) - before)
    }
}

async fn serve(mut stream: TcpStream, does: Does) {
    let mut buffer = [0; 1024];
    let _ = stream.read(&mut buffer).await;
    match does {
        Does::Answers(response) => _ = stream.write_all(response.as_bytes()).await,
        Does::Closes => {}
        Does::SaysNothing => std::future::pending().await,
    }
}

async fn send(proxy: ProxyService, method: &str, body: Body) -> Result<Response<ProxyBody>, Error> {
    let request = Request::builder().method(method).uri("/").header("host", "a");
    proxy.oneshot(request.body(body).expect("a request")).await
}

#[tokio::test]
async fn a_status_that_is_named_is_asked_about_again_as_often_as_is_set() {
    let always = Flaky::new(usize::MAX, Does::Answers(BUSY), Does::Closes).await;
    for attempts in 0..4_usize {
        let retries = Retries::new(u32::try_from(attempts).expect("fits")).on_status(503);
        assert_eq!(always.asked(retries, "GET", Body::empty()).await, (Ok(503), attempts + 1));
    }
    let other = Retries::new(3).on_status(500).on_reset().on_timeout();
    assert_eq!(always.asked(other, "GET", Body::empty()).await, (Ok(503), 1));
}

#[tokio::test]
async fn only_what_may_be_carried_out_twice_and_has_no_body_is_sent_again() {
    let always = Flaky::new(usize::MAX, Does::Answers(BUSY), Does::Closes).await;
    let retries = || Retries::new(1).on_status(503).keep_body(0);
    assert_eq!(always.asked(retries(), "DELETE", Body::empty()).await, (Ok(503), 2));
    assert_eq!(always.asked(retries(), "POST", Body::empty()).await, (Ok(503), 1));
    assert_eq!(always.asked(retries(), "PUT", Body::once("all")).await, (Ok(503), 1));
}

#[tokio::test]
async fn a_broken_connection_is_a_reason_only_where_it_is_named() {
    let broken = || Flaky::new(2, Does::Closes, Does::Answers(OK));
    let (retries, body) = (Retries::new(2).on_reset(), Body::empty);
    assert_eq!(broken().await.asked(retries.clone(), "GET", body()).await, (Ok(200), 3));
    assert_eq!(broken().await.asked(retries, "POST", body()).await, (Err(ErrorKind::Closed), 1));
    let always = Flaky::new(usize::MAX, Does::Closes, Does::Closes).await;
    let once = Retries::new(1).on_reset();
    assert_eq!(always.asked(once, "GET", body()).await, (Err(ErrorKind::Closed), 2));
    let others = Retries::new(2).on_timeout().on_status(503);
    assert_eq!(broken().await.asked(others, "GET", body()).await, (Err(ErrorKind::Closed), 1));
}

#[tokio::test]
async fn a_late_answer_is_a_reason_only_where_it_is_named() {
    let late = || Flaky::new(1, Does::SaysNothing, Does::Answers(OK));
    assert_eq!(late().await.asked(Retries::new(1).on_timeout(), "GET", Body::empty()).await, (Ok(200), 2));
    let others = Retries::new(1).on_reset().on_status(503);
    let outcome = late().await.asked(others, "GET", Body::empty()).await;
    assert_eq!(outcome, (Err(ErrorKind::ResponseTimeout), 1));
}

#[tokio::test]
async fn all_retries_together_stay_within_a_fifth_and_five() {
    let always = Flaky::new(usize::MAX, Does::Answers(BUSY), Does::Closes).await;
    let proxy = always.proxy(Retries::new(3).on_status(503));
    for _ in 0..60 {
        let response = send(proxy.clone(), "GET", Body::empty()).await.expect("answers");
        assert_eq!(response.status(), 503);
    }
    let arrived = always.requests.load(Ordering::SeqCst);
    assert!((66..=60 + 12 + 5).contains(&arrived), "{arrived}");
}

/// An address at which nobody listens.
async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    listener.local_addr().expect("is bound").to_string()
}

#[tokio::test]
async fn each_target_is_asked_for_a_connection_before_a_request_is_given_up() {
    let alive = Flaky::new(0, Does::Closes, Does::Answers(OK)).await;
    let upstream =
        Upstream::builder("some").target(nobody().await).target(nobody().await).target(&alive.address);
    let proxy = ProxyService::builder().upstream(upstream.build().expect("builds")).build().expect("builds");
    for _ in 0..6 {
        let response = send(proxy.clone(), "POST", Body::once("all")).await.expect("answers");
        assert_eq!(response.status(), 200);
    }
    assert_eq!(alive.requests.load(Ordering::SeqCst), 6);
    let dead = ProxyService::builder().target(nobody().await).build().expect("builds");
    let error = send(dead, "GET", Body::empty()).await.expect_err("nobody is there");
    assert_eq!(error.kind(), ErrorKind::Connect);
}
