//! What becomes of which request: the project's own table of rewrites and redirects (`cases.rs`), and what runs it.

mod cases;

use std::{convert::Infallible, net::SocketAddr, sync::Arc};

use gatewright_core::{Body, ConnectionInfo, RequestRecord, TlsInfo};
use gatewright_rewrite::{RewriteError, RewriteLayer};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, header};
use tower::{Layer, ServiceExt, service_fn};

/// A layer and the requests that go through it.
///
/// A request is `TARGET name=value …`, where the rest are headers, `tls` or `plain` for what the connection is known to
/// be. What is expected is `-> URI` as the service sees it, with ` @ HOST` when the Host header matters; or the status,
/// for a redirect with the `Location`.
struct Group {
    about: &'static str,
    layer: fn() -> Result<RewriteLayer, RewriteError>,
    cases: &'static [(&'static str, &'static str)],
}

fn request(text: &str) -> Request<Body> {
    let mut words = text.split_whitespace();
    let uri = words.next().expect("a target");
    let mut request = Request::get(uri).body(Body::empty()).expect(text);
    for word in words {
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        let connection = ConnectionInfo::new(address, address);
        let connection = match word {
            "plain" => connection,
            "tls" => connection.with_tls(TlsInfo::new()),
            _ => {
                let (name, value) = word.split_once('=').expect("name=value");
                let name = HeaderName::try_from(name).expect(text);
                request.headers_mut().append(name, HeaderValue::try_from(value).expect(text));
                continue;
            }
        };
        request.extensions_mut().insert(RequestRecord::new(Some(Arc::new(connection))));
    }
    request
}

async fn outcome(layer: &RewriteLayer, text: &str, with_host: bool) -> String {
    let inner = service_fn(move |request: Request<Body>| async move {
        let host = request.headers().get(header::HOST).map_or("", |host| host.to_str().expect("text"));
        let host = if with_host { format!(" @ {host}") } else { String::new() };
        let seen = format!("-> {}{host}", request.uri());
        let mut response = Response::new(Body::empty());
        response.headers_mut().insert("seen", HeaderValue::try_from(seen).expect("a header value"));
        Ok::<_, Infallible>(response)
    });
    let response = layer.layer(inner).oneshot(request(text)).await.unwrap_or_else(|never| match never {});
    let value = |name: &str| {
        response.headers().get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    match (value("seen"), value("location"), response.status()) {
        (Some(seen), None, StatusCode::OK) => seen,
        (None, Some(location), status) if status.is_redirection() => format!("{} {location}", status.as_u16()),
        (_, _, status) => status.as_u16().to_string(),
    }
}

#[tokio::test]
async fn every_request_of_the_table_is_rewritten_or_redirected_as_it_says() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for group in cases::GROUPS {
        let layer = (group.layer)().expect(group.about);
        for (text, expected) in group.cases {
            count += 1;
            let found = outcome(&layer, text, expected.contains(" @ ")).await;
            if found != *expected {
                wrong.push(format!("{}: {text}: expected {expected}, found {found}", group.about));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {count} requests went wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count >= 60, "the table has shrunk to {count} requests");
}
