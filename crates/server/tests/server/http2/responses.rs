//! Heads and ends of responses.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use gatewright_core::Body;
use http::{Request, Response, StatusCode};

use super::*;
use crate::support::{plain, start_with};

/// Some data, and then an error.
struct Failing<E>(Option<E>, bool);

impl<E: std::error::Error + Send + Sync + Unpin + 'static> http_body::Body for Failing<E> {
    type Data = Bytes;
    type Error = E;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, E>>> {
        if !std::mem::replace(&mut self.1, true) {
            return Poll::Ready(Some(Ok(http_body::Frame::data(Bytes::from_static(b"half")))));
        }
        Poll::Ready(self.0.take().map(Err))
    }
}

/// Chunks that are all there, one byte each, and trailers after them.
struct Crumbs(usize);

impl http_body::Body for Crumbs {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
        self.0 += 1;
        Poll::Ready(match self.0 {
            // Among them some that are none, and one that is large.
            1000 => Some(Ok(http_body::Frame::data(Bytes::new()))),
            2000 => Some(Ok(http_body::Frame::data(vec![b'l'; LARGE].into()))),
            ..=CRUMBS => Some(Ok(http_body::Frame::data(Bytes::from_static(b"x")))),
            _ if self.0 == CRUMBS + 1 => {
                let trailers = [("x-sum".parse().expect("a name"), "1".parse().expect("a value"))];
                Some(Ok(http_body::Frame::trailers(trailers.into_iter().collect())))
            }
            _ => None,
        })
    }
}

const CRUMBS: usize = 4000;
const LARGE: usize = 20_000;

fn serve() -> Running {
    let service = tower::service_fn(|request: Request<Body>| async move {
        let response = Response::builder();
        Ok::<_, Infallible>(
            match request.uri().path() {
                "/of-connection" => response
                    .header("connection", "close, x-nominated")
                    .header("x-nominated", "1")
                    .header("keep-alive", "timeout=5")
                    .header("proxy-connection", "close")
                    .header("transfer-encoding", "chunked")
                    .header("upgrade", "h2c")
                    .header("te", "trailers")
                    .header("x-kept", "1")
                    .body(Body::once("text")),
                "/dated" => response.header("date", "then").body(Body::once("text")),
                "/204" => response.status(204).body(Body::once("never sent")),
                "/304" => response.status(304).header("content-length", "10").body(Body::once("never sent")),
                "/empty" => response.body(Body::empty()),
                "/103" => response.status(103).body(Body::empty()),
                "/refused" => {
                    response.body(Body::new(Failing(Some(h2::Error::from(h2::Reason::REFUSED_STREAM)), false)))
                }
                "/crumbs" => response.body(Body::new(Crumbs(0))),
                "/failed" => response.body(Body::new(Failing(Some(std::fmt::Error), false))),
                _ => response.body(Body::once("text")),
            }
            .expect("a response"),
        )
    });
    start_with(service, |builder| builder.listener(plain()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_is_completed_and_holds_nothing_of_a_connection() {
    let server = serve();
    let client = client(&server).await;
    let ask = async |method: &str, path: &str| {
        let request = get(&format!("http://a{path}")).method(method).body(()).expect("valid");
        let response = send(&client, request).await.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        assert_eq!(response.headers().get_all("date").iter().count(), 1, "{path}");
        response
    };
    let length = |response: &Response<Bytes>| {
        response.headers().get("content-length").map(|length| length.to_str().expect("text").to_owned())
    };

    let response = ask("GET", "/of-connection").await;
    let mut names: Vec<_> = response.headers().keys().map(|name| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["content-length", "date", "x-kept"]);
    assert_eq!((length(&response).as_deref(), &response.body()[..]), (Some("4"), &b"text"[..]));

    assert_eq!(ask("GET", "/dated").await.headers()["date"], "then");
    let date = ask("GET", "/").await.headers()["date"].to_str().expect("text").to_owned();
    assert!(date.ends_with(" GMT"), "{date}");

    // RFC 9110, section 6.4.1 and 8.6: what never has a body keeps the length that it would have.
    let response = ask("HEAD", "/").await;
    assert_eq!((length(&response).as_deref(), response.body().len()), (Some("4"), 0));
    let response = ask("GET", "/204").await;
    assert_eq!(
        (response.status(), length(&response), response.body().len()),
        (StatusCode::NO_CONTENT, None, 0)
    );
    let response = ask("GET", "/304").await;
    assert_eq!((length(&response).as_deref(), response.body().len()), (Some("10"), 0));
    assert_eq!(ask("GET", "/empty").await.body().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_that_fails_is_reset_with_the_reason_and_its_connection_goes_on() {
    let server = serve();
    let client = client(&server).await;
    for (path, reason) in [
        ("/refused", h2::Reason::REFUSED_STREAM),
        ("/failed", h2::Reason::INTERNAL_ERROR),
        // No service can answer with what is no answer.
        ("/103", h2::Reason::INTERNAL_ERROR),
    ] {
        let request = get(&format!("http://a{path}")).body(()).expect("valid");
        let error = send(&client, request).await.expect_err(path);
        assert_eq!(error.reason(), Some(reason), "{path}");
    }
    let request = get("http://a/").body(()).expect("valid");
    assert_eq!(send(&client, request).await.expect("answers").body(), "text");
}

#[tokio::test(flavor = "multi_thread")]
async fn small_chunks_that_are_there_go_out_together() {
    let server = serve();
    let mut stream = raw(&server).await;
    stream.write_all(&frame(8, 0, 0, &(1_u32 << 20).to_be_bytes())).await.expect("sends");
    let fields = [(":method", "GET"), (":scheme", "http"), (":path", "/crumbs"), (":authority", "a")];
    let block: Vec<u8> = fields.iter().flat_map(|(name, value)| literal(name, value)).collect();
    stream.write_all(&frame(1, 5, 1, &block)).await.expect("sends");
    let (frames, _) = frames(&mut stream, Duration::from_secs(1)).await;
    let data: Vec<&[u8]> =
        frames.iter().filter(|(kind, _, _)| *kind == 0).map(|(_, _, payload)| &payload[..]).collect();
    assert!(data.len() < 20, "{} frames", data.len());
    let expected = [vec![b'x'; 1998], vec![b'l'; LARGE], vec![b'x'; 2000]].concat();
    assert!(data.concat() == expected, "{} bytes", data.concat().len());
    assert_eq!(frames.iter().filter(|(kind, stream, _)| (*kind, *stream) == (1, 1)).count(), 2, "trailers");
}

/// Clients that count small frames as an attack, as h2 does, would give the whole connection up.
#[tokio::test(flavor = "multi_thread")]
async fn small_chunks_that_are_left_unread_do_not_end_the_connection() {
    let server = serve();
    let client = client(&server).await;
    let mut asking = client.clone().ready().await.expect("ready");
    let request = get("http://a/crumbs").body(()).expect("valid");
    let (response, _) = asking.send_request(request, true).expect("sends");
    let mut body = response.await.expect("answers").into_body();
    for _ in 0..5 {
        let request = get("http://a/").body(()).expect("valid");
        assert_eq!(send(&client, request).await.expect("answers").body(), "text");
    }
    let mut length = 0;
    while let Some(chunk) = body.data().await {
        length += chunk.expect("a chunk").len();
    }
    assert_eq!(length, CRUMBS - 2 + LARGE);
    assert_eq!(body.trailers().await.expect("whole").expect("trailers")["x-sum"], "1");
}

/// What no service has answered: the server itself, for a request that breaks a rule and for a service that fails.
#[tokio::test(flavor = "multi_thread")]
async fn a_grpc_client_is_answered_in_grpc() {
    let service = tower::service_fn(async |request: Request<Body>| match request.uri().path() {
        "/panics" => panic!("on purpose"),
        "/late" => Err(gatewright_core::Error::new(gatewright_core::ErrorKind::ResponseTimeout, "secret")),
        _ => Ok(Response::new(Body::once("text"))),
    });
    let refused = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = std::sync::Arc::clone(&refused);
    let server = start_with(service, move |builder| {
        builder.listener(plain()).on_refused(move |refused| {
            let status = refused.status().map(|status| status.as_u16());
            seen.lock().expect("no panic").push((status, refused.request_id().cloned()));
        })
    });
    let client = client(&server).await;
    let call = |uri: &str| get(uri).method("POST").header("content-type", "application/grpc");
    for (request, status, code) in [
        (call("http://a/panics"), 500, "2"),
        (call("http://a/late"), 504, "4"),
        (call("http://a/").header("host", "b"), 400, "13"),
        (call("http://a/").header("host", "a").header("host", "a"), 400, "13"),
        (call("http://a/").header("expect", "something"), 417, "2"),
        (call(&format!("http://a/{}", "x".repeat(20_000))), 414, "2"),
    ] {
        let request = request.body(()).expect("valid");
        let mut plain = request.clone();
        plain.headers_mut().insert("content-type", http::HeaderValue::from_static("application/grpc-web"));
        let response = send(&client, request).await.expect("answers");
        assert_eq!((response.status(), response.body().len()), (StatusCode::OK, 0), "{status}");
        assert_eq!(response.headers()["content-type"], "application/grpc");
        assert_eq!(response.headers()["grpc-status"], code, "{status}");
        let id = response.headers()["x-request-id"].clone();
        if (400..500).contains(&status) {
            assert_eq!(refused.lock().expect("no panic").pop(), Some((Some(status), Some(id))));
        }
        let response = send(&client, plain).await.expect("answers");
        assert_eq!(response.status().as_u16(), status);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
    }
}
