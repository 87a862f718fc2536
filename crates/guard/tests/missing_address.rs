//! The one warning about a stack in which nobody says where requests come from. The warning is given once per process,
//! so its test has a process of its own.

use std::{
    convert::Infallible,
    io,
    sync::{Arc, Mutex},
};

use gatewright_core::{Body, ConnectionInfo, RequestRecord};
use gatewright_guard::IpFilterLayer;
use http::{Request, Response, StatusCode};
use tower::{Layer, ServiceExt, service_fn};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("the log").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("the log").clone()).expect("text")
    }
}

async fn status(layer: &IpFilterLayer, request: Request<Body>) -> StatusCode {
    let service =
        layer.layer(service_fn(async |_: Request<Body>| Ok::<_, Infallible>(Response::new(Body::empty()))));
    service.oneshot(request).await.unwrap_or_else(|never| match never {}).status()
}

#[tokio::test(flavor = "current_thread")]
async fn a_stack_without_addresses_is_warned_of_once() -> Result<(), gatewright_guard::NotANetwork> {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);

    // Without a list nothing is judged.
    assert_eq!(status(&IpFilterLayer::new(), Request::new(Body::empty())).await, StatusCode::OK);
    // A proxy that cannot name its client is no fault of the stack.
    let layer = IpFilterLayer::new().deny("192.0.2.0/24".parse()?);
    let peer = ([10, 0, 0, 1], 1).into();
    let connection = Arc::new(ConnectionInfo::new(peer, peer).with_unknown_client());
    let mut hidden = Request::new(Body::empty());
    hidden.extensions_mut().insert(RequestRecord::new(Some(connection)));
    assert_eq!(status(&layer, hidden).await, StatusCode::FORBIDDEN);
    assert_eq!(log.text(), "");

    assert_eq!(status(&layer.clone().allow_unknown(), Request::new(Body::empty())).await, StatusCode::OK);
    let warned = log.text();
    for word in
        ["WARN", "ClientInfoLayer", "peer_from", "into_make_service_with_connect_info", "ConnectionInfo"]
    {
        assert!(warned.contains(word), "{word} in {warned}");
    }
    let mut unconnected = Request::new(Body::empty());
    unconnected.extensions_mut().insert(RequestRecord::new(None));
    for request in [Request::new(Body::empty()), unconnected] {
        assert_eq!(status(&layer, request).await, StatusCode::FORBIDDEN);
    }
    assert_eq!(log.text(), warned, "the warning is given once");
    Ok(())
}
