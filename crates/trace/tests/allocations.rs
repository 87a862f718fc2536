//! What the layer allocates: the two ids of a request, and nothing for its line.

#![allow(
    unsafe_code,
    reason = "a counting allocator cannot be written without it; it only counts and hands on"
)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    future::ready,
    io,
    sync::Arc,
};

use gatewright_core::{Body, BoxError, ConnectionInfo, RequestRecord};
use gatewright_trace::{AccessLog, TraceLayer};
use http::{HeaderMap, Request, Response, Uri};
use http_body_util::BodyExt;
use tower::{Layer, Service, ServiceExt, service_fn};

struct Counting;

thread_local!(static COUNT: Cell<u64> = const { Cell::new(0) });

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: as above.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A request as a server hands it on: with a record, and room in its headers.
fn request(uri: &Uri, connection: &Arc<ConnectionInfo>) -> Request<Body> {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = uri.clone();
    *request.headers_mut() = HeaderMap::with_capacity(8);
    request.extensions_mut().insert(RequestRecord::new(Some(Arc::clone(connection))));
    request
}

fn response() -> Response<Body> {
    let mut response = Response::new(Body::once("x"));
    *response.headers_mut() = HeaderMap::with_capacity(8);
    response
}

#[tokio::test]
async fn a_request_costs_two_allocations() {
    let log = AccessLog::builder().writer(io::sink()).unwrap();
    let mut service = TraceLayer::new()
        .access_log(log)
        .layer(service_fn(|_: Request<Body>| ready(Ok::<_, BoxError>(response()))));
    let peer = "192.0.2.1:4711".parse().unwrap();
    let connection = Arc::new(ConnectionInfo::new(peer, peer));
    let uri: Uri = "/v1/orders?x=1".parse().unwrap();
    drop(uri.clone());
    let mut counts = Vec::new();
    for _ in 0..2000 {
        let request = request(&uri, &connection);
        let own = {
            let before = COUNT.get();
            drop(response());
            COUNT.get() - before
        };
        let before = COUNT.get();
        let response = service.ready().await.unwrap().call(request).await.unwrap();
        let mut body = response.into_body();
        while let Some(frame) = body.frame().await {
            frame.unwrap();
        }
        drop(body);
        counts.push(COUNT.get() - before - own);
    }
    counts.sort_unstable();
    assert_eq!(counts[counts.len() / 2], 2, "the median request: one for x-request-id, one for traceparent");
    let all: u64 = counts.iter().sum();
    // The log's buffers grow while they are young.
    assert!(all <= 2 * 2000 + 100, "{all} allocations for 2000 requests");
}
