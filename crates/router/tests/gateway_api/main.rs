//! Which route takes which request, as the Kubernetes Gateway API has it: the project's own table (`cases.rs`), and
//! what runs it.

mod cases;

use std::convert::Infallible;

use gatewright_core::Body;
use gatewright_router::{Route, RouterService};
use http::{HeaderName, HeaderValue, Request, Response};
use tower::{ServiceExt, service_fn};

/// A set of routes and the requests that are sent to them.
///
/// A request is `METHOD TARGET name=value …`, where the rest are headers. What is expected of it is the name of the
/// route that takes it, with ` -> /path` when its URI has to be that one; or the status of the router's own answer,
/// for 405 with the value of `Allow`.
struct Group {
    about: &'static str,
    routes: fn() -> Vec<Route>,
    cases: &'static [(&'static str, &'static str)],
}

/// A router whose every route answers with its own name and with the URI that it saw.
fn router(routes: Vec<Route>) -> RouterService {
    let builder = (0..).zip(routes).fold(RouterService::builder(), |builder, (index, route)| {
        let service = service_fn(move |request: Request<Body>| async move {
            let mut response = Response::new(Body::empty());
            response.headers_mut().insert("route", HeaderValue::from(index));
            let uri = HeaderValue::try_from(request.uri().to_string()).expect("a URI is a header value");
            response.headers_mut().insert("uri", uri);
            Ok::<_, Infallible>(response)
        });
        builder.route(route, service)
    });
    builder.build().expect("routes that can stand together")
}

fn request(text: &str) -> Request<Body> {
    let mut words = text.split_whitespace();
    let mut word = || words.next().expect("a method and a target");
    let mut request = Request::builder().method(word()).uri(word()).body(Body::empty()).expect(text);
    for header in words {
        let (name, value) = header.split_once('=').expect("name=value");
        let name = HeaderName::try_from(name).expect(text);
        request.headers_mut().append(name, HeaderValue::try_from(value.replace('_', " ")).expect(text));
    }
    request
}

/// What became of a request, in the words of the table.
async fn outcome(router: &RouterService, names: &[String], text: &str, with_uri: bool) -> String {
    let response = router.clone().oneshot(request(text)).await.unwrap_or_else(|never| match never {});
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
    match header("route").and_then(|index| index.parse::<usize>().ok()) {
        Some(index) if with_uri => format!("{} -> {}", names[index], header("uri").unwrap_or_default()),
        Some(index) => names[index].clone(),
        None => match header("allow") {
            Some(allow) => format!("{} {allow}", response.status().as_u16()),
            None => response.status().as_u16().to_string(),
        },
    }
}

#[tokio::test]
async fn every_request_of_the_table_finds_its_route() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for group in cases::GROUPS {
        let names: Vec<_> = (group.routes)().iter().map(name_of).collect();
        // The order in which routes are added must not matter, so each group runs forwards and backwards.
        for backwards in [false, true] {
            let (mut routes, mut names) = ((group.routes)(), names.clone());
            if backwards {
                routes.reverse();
                names.reverse();
            }
            let router = router(routes);
            for (text, expected) in group.cases {
                count += usize::from(!backwards);
                let found = outcome(&router, &names, text, expected.contains(" -> ")).await;
                if found != *expected {
                    wrong.push(format!("{}: {text}: expected {expected}, found {found}", group.about));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {count} requests went wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count >= 120, "the table has shrunk to {count} requests");
}

/// Routes of the table are named, or called by their path.
fn name_of(route: &Route) -> String {
    let text = route.to_string();
    match text.split_once(": ") {
        Some((name, _)) => name.to_owned(),
        None => text.split(", ").next().and_then(|path| path.split(' ').nth(1)).unwrap_or_default().to_owned(),
    }
}
