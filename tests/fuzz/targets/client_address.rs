//! Who the client is: nothing that a client writes moves the address that our trusted proxies saw.

#![no_main]

use std::{
    convert::Infallible,
    future::{Ready, ready},
    net::SocketAddr,
    task::{Context, Poll},
};

use gatewright::{
    ClientInfo, ClientInfoLayer, RequestRecord,
    core::{ForwardedBy, IpNetwork},
};
use http::{HeaderValue, Request, Response};
use libfuzzer_sys::fuzz_target;
use tower_layer::Layer;
use tower_service::Service;

/// Hands back what the layer has found out.
#[derive(Clone)]
struct Reveal;

impl Service<Request<()>> for Reveal {
    type Response = Response<Option<ClientInfo>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        let record = RequestRecord::of(request.extensions());
        ready(Ok(Response::new(record.and_then(|record| record.with(|known| known.client)))))
    }
}

fn client(header: ForwardedBy, peer: SocketAddr, hops: &[&[u8]]) -> Option<ClientInfo> {
    let name = match header {
        ForwardedBy::Forwarded => "forwarded",
        _ => "x-forwarded-for",
    };
    let mut request = Request::new(());
    for line in hops {
        request.headers_mut().append(name, HeaderValue::from_bytes(line).ok()?);
    }
    let trusted: IpNetwork = "10.0.0.0/8".parse().ok()?;
    let layer = ClientInfoLayer::new().trust(trusted).forwarded_by(header).peer_from(move |_| Some(peer));
    let mut response = std::pin::pin!(layer.layer(Reveal).call(request));
    let mut context = Context::from_waker(std::task::Waker::noop());
    match std::future::Future::poll(response.as_mut(), &mut context) {
        Poll::Ready(Ok(response)) => response.into_body(),
        Poll::Ready(Err(never)) => match never {},
        Poll::Pending => None,
    }
}

fuzz_target!(|data: &[u8]| {
    let [proxy, stranger] = [[10, 0, 0, 1], [192, 0, 2, 1]].map(|ip| SocketAddr::from((ip, 4711)));
    let trusted: IpNetwork = "10.0.0.0/8".parse().expect("a network");
    let lines: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();
    for header in [ForwardedBy::XForwardedFor, ForwardedBy::Forwarded] {
        if let Some(found) = client(header, stranger, &lines) {
            assert_eq!(found.address(), stranger.ip(), "a stranger speaks for nobody");
            assert!(!found.is_peer_trusted());
        }
        let Some(found) = client(header, proxy, &lines) else { continue };
        if trusted.contains(found.address()) {
            continue;
        }
        // What a client writes stands to the left of what the proxies add.
        for forged in ["6.6.6.6", "for=6.6.6.6", "for=\"6.6.6.6", "\"", ",,", "unknown"] {
            let mut longer = vec![forged.as_bytes()];
            longer.extend(&lines);
            let again = client(header, proxy, &longer).expect("the lines are valid");
            assert_eq!(again.address(), found.address(), "{forged} moved the client");
        }
    }
});
