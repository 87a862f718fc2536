//! What the router says of a request against what it does with it.

use std::{convert::Infallible, sync::Arc};

use gatewright_core::{Body, ConnectionInfo, RequestRecord, path::PathError};
use gatewright_router::{
    Explanation, MisfitKind, Precedence, Refusal, Route, RouterService, Standing, Verdict,
};
use http::{HeaderValue, Method, Request, Response, StatusCode, header, request::Parts, uri::Scheme};
use proptest::prelude::*;
use tower::{ServiceExt, service_fn};

/// A router whose every route answers with its index and with the URI that it saw.
fn router(routes: &[Route]) -> Result<RouterService, Vec<usize>> {
    let builder = (0..).zip(routes).fold(RouterService::builder(), |builder, (index, route)| {
        let service = service_fn(move |request: Request<Body>| async move {
            let mut response = Response::new(Body::empty());
            response.headers_mut().insert("route", HeaderValue::from(index));
            let uri = HeaderValue::try_from(request.uri().to_string()).expect("a URI is a header value");
            response.headers_mut().insert("uri", uri);
            Ok::<_, Infallible>(response)
        });
        builder.route(route.clone(), service)
    });
    builder.build().map_err(|error| error.problems().iter().map(|problem| problem.route_index()).collect())
}

fn head(method: Method, target: &str, headers: &[(&'static str, &'static str)]) -> Parts {
    let mut head = Request::builder().method(method).uri(target).body(()).expect("a request").into_parts().0;
    for (name, value) in headers {
        head.headers.append(*name, HeaderValue::from_static(value));
    }
    head
}

/// Puts into the extensions what a listener of this name knows.
fn arrive_by(head: &mut Parts, listener: &str) {
    let address = ([127, 0, 0, 1], 1).into();
    let connection = ConnectionInfo::new(address, address).with_listener(listener.into());
    head.extensions.insert(RequestRecord::new(Some(Arc::new(connection))));
}

/// Routes of few words, so that many of them meet.
fn route() -> impl Strategy<Value = Route> {
    let paths = ["/", "/a", "/a/b", "/a/{x}", "/{x}/b", "/a;p", "/a%2Fb", "/{*rest}", "/a/{*rest}"];
    let path = prop_oneof![
        6 => prop::sample::select(paths.to_vec()).prop_map(Route::path),
        4 => prop::sample::select(paths[..6].to_vec()).prop_map(Route::path_prefix),
        2 => prop::sample::select(vec!["/a.*", "/.+/b", "/[ab]/?"]).prop_map(Route::path_regex),
    ];
    let hosts = prop::sample::subsequence(vec!["a.example", "*.example", "*.b.example"], 0..=2);
    let methods = prop::sample::subsequence(vec![Method::GET, Method::HEAD, Method::POST], 0..=2);
    let (header, query) = (prop::option::weighted(0.3, "[12]"), prop::option::weighted(0.3, "[12]"));
    let arrival = (prop::option::weighted(0.2, "in|out"), prop::bool::weighted(0.1));
    let allows = (prop::bool::weighted(0.3), prop::bool::weighted(0.3));
    (path, hosts, methods, header, query, arrival, 0..3, allows).prop_map(
        |(route, hosts, methods, header, query, (listener, secure), priority, (slash, empty))| {
            let mut route = hosts.into_iter().fold(route, Route::host).methods(methods).priority(priority);
            if let Some(value) = header {
                route = route.header("x-version", value);
            }
            if let Some(value) = query {
                route = route.query("q", value);
            }
            if let Some(listener) = listener {
                route = route.listener(listener);
            }
            if secure {
                route = route.scheme(Scheme::HTTPS);
            }
            if slash {
                route = route.allow_encoded_slash();
            }
            if empty { route.keep_empty_segments() } else { route }
        },
    )
}

fn request() -> impl Strategy<Value = Parts> {
    let path = prop_oneof![
        8 => "(/(a|b|c|a;p|b;q|a%2fb|\\.\\.|%61)?){1,3}",
        1 => prop::sample::select(vec!["/%", "/a%5c", "/;x", "*"]).prop_map(String::from),
    ];
    let methods = vec![Method::GET, Method::HEAD, Method::POST, Method::OPTIONS, Method::CONNECT];
    let host =
        prop::option::of(prop::sample::select(vec!["a.example", "A.b.example", "c.example:80", "other"]));
    let header = prop::option::of(prop::sample::select(vec!["1", "2"]));
    let query = prop::sample::select(vec!["", "?q=1", "?q=2", "?x"]);
    let listener = prop::option::of("in|out");
    (path, prop::sample::select(methods), host, header, query, listener).prop_map(
        |(path, method, host, header, query, listener)| {
            let target = if path == "*" { path } else { path + query };
            let host = host.map(|host| ("host", host));
            let headers: Vec<_> = host.into_iter().chain(header.map(|value| ("x-version", value))).collect();
            let mut head = head(method, &target, &headers);
            if let Some(listener) = listener {
                arrive_by(&mut head, &listener);
            }
            head
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400 * ProptestConfig::default().cases / 256, ..ProptestConfig::default() })]

    #[test]
    fn what_is_explained_is_what_is_done(
        routes in prop::collection::vec(route(), 1..12),
        requests in prop::collection::vec(request(), 1..8),
    ) {
        let mut routes = routes;
        let router = loop {
            match router(&routes) {
                Ok(router) => break router,
                // Routes that conflict or can never match are taken out, the last one first.
                Err(mut wrong) => {
                    wrong.dedup();
                    wrong.into_iter().rev().for_each(|index| drop(routes.remove(index)));
                }
            }
        };
        for head in requests {
            let explanation = router.explain(&head);
            let request = Request::from_parts(head, Body::empty());
            let about = format!("{request:?} among {:?}", routes.iter().map(Route::to_string).collect::<Vec<_>>());
            let response = block_on(router.clone().oneshot(request));
            agree(&explanation, &response, &about)?;
        }
    }
}

fn agree(explanation: &Explanation, response: &Response<Body>, about: &str) -> Result<(), TestCaseError> {
    let text = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
    let taken: Vec<_> = explanation
        .candidates()
        .iter()
        .filter(|candidate| *candidate.standing() == Standing::Taken)
        .map(|candidate| candidate.route())
        .collect();
    prop_assert_eq!(taken, Vec::from_iter(explanation.route()), "{}", about);
    match explanation.verdict() {
        Verdict::Route(route) => {
            prop_assert_eq!(text("route"), Some(&*route.index().to_string()), "{}", about);
            let path = text("uri").and_then(|uri| uri.split('?').next());
            prop_assert_eq!(path, explanation.path(), "{}", about);
        }
        Verdict::Refused(refusal) => {
            let rejection = refusal.rejection();
            prop_assert_eq!(response.status(), rejection.status(), "{}", about);
            if let Refusal::MethodNotAllowed(methods) = refusal {
                let allow: Vec<&str> = methods.iter().map(Method::as_str).collect();
                prop_assert_eq!(text("allow"), Some(&*allow.join(", ")), "{}", about);
            }
            // Where a path has routes, each of them has a reason not to take the request.
            let fits = explanation.candidates().iter().find(|candidate| candidate.misfits().is_empty());
            let is_first_refused = explanation
                .candidates()
                .iter()
                .any(|candidate| candidate.misfits().iter().any(|misfit| misfit.kind() == MisfitKind::Path));
            prop_assert!(fits.is_none() || is_first_refused, "{}", about);
        }
        Verdict::WholeServer => prop_assert_eq!(response.status(), StatusCode::NO_CONTENT, "{}", about),
        _ => prop_assert!(false, "{}", about),
    }
    Ok(())
}

fn block_on<T>(future: impl Future<Output = Result<T, Infallible>>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(future).unwrap_or_else(|never| match never {})
}

/// The candidates of a request, by name: why each does not get the request.
fn standings(router: &RouterService, head: &Parts) -> Vec<String> {
    let explanation = router.explain(head);
    let standing = |standing: &Standing| match standing {
        Standing::Taken => "taken".to_owned(),
        Standing::Outranked(precedence) => format!("{precedence:?}"),
        Standing::DoesNotFit(misfits) => {
            misfits.iter().map(|misfit| format!("no {:?}", misfit.kind())).collect::<Vec<_>>().join(", ")
        }
        _ => "unknown".to_owned(),
    };
    explanation
        .candidates()
        .iter()
        .map(|candidate| format!("{}: {}", candidate.route().name(), standing(candidate.standing())))
        .collect()
}

#[test]
fn every_rule_of_precedence_is_named() {
    let base = || Route::path_prefix("/a");
    let routes = [
        base().name("listener").host("a.example").listener("in"),
        base().name("scheme").host("a.example").scheme(Scheme::HTTP),
        base().name("methods").host("a.example").methods([Method::GET, Method::HEAD]),
        base().name("get").host("a.example").methods([Method::GET, Method::PUT]).priority(-1),
        base().name("headers").host("a.example").header("x-version", "1"),
        base().name("priority").host("a.example").header_regex("x-version", "1|2").priority(-1),
        base().name("query").host("a.example").query("q", "1"),
        base().name("plain").host("a.example"),
        Route::path_prefix("/").name("shorter").host("a.example"),
        base().name("wildcard").host("*.example"),
        base().name("elsewhere").host("b.example").methods([Method::POST]),
    ];
    let router = router(&routes).expect("routes that can stand together");
    let mut head = head(Method::GET, "/a/b?q=1", &[("host", "a.example"), ("x-version", "1")]);
    arrive_by(&mut head, "in");
    assert_eq!(
        standings(&router, &head),
        [
            "listener: taken",
            "scheme: Listener",
            "methods: Listener",
            "get: Listener",
            "headers: Listener",
            "priority: Listener",
            "query: Listener",
            "plain: Listener",
            "shorter: Path",
            "wildcard: Host",
            "elsewhere: no Host, no Method",
        ]
    );
    let first = |routes: &[Route], head: &Parts| {
        let router = self::router(routes).expect("routes that can stand together");
        router.explain(head).candidates()[1].standing().clone()
    };
    for (from, precedence) in [
        (1, Precedence::Scheme),
        (2, Precedence::Priority),
        (3, Precedence::Methods),
        (4, Precedence::Priority),
        (5, Precedence::Headers),
        (6, Precedence::Query),
        (7, Precedence::Path),
        (8, Precedence::Host),
    ] {
        assert_eq!(first(&routes[from..], &head), Standing::Outranked(precedence), "from route {from}");
    }
    head.method = Method::HEAD;
    let pair = [base().methods([Method::GET]), base().methods([Method::HEAD]).name("head")];
    assert_eq!(first(&pair, &head), Standing::Outranked(Precedence::Head));
}

#[test]
fn every_condition_that_does_not_fit_is_named() {
    let route = Route::path("/a")
        .name("narrow")
        .host("a.example")
        .listener("in")
        .scheme(Scheme::HTTPS)
        .methods([Method::PUT])
        .header("x-version", "2")
        .query("q", "1");
    let router = router(&[route]).expect("a route");
    let head = head(Method::GET, "/a?q=2", &[("host", "b.example"), ("x-version", "1")]);
    let explanation = router.explain(&head);
    assert_eq!(explanation.refusal(), Some(&Refusal::NoRoute));
    assert_eq!(
        explanation.to_string(),
        "GET /a on host b.example is answered with 404: no route takes the request.\n\
         The routes for this path, in order of precedence:\n\
         - `narrow: path /a, host a.example, listener in, scheme https, methods PUT, header x-version=2, query q=1` \
         does not fit: the route has another host; the request did not come in by the listener in; \
         the client did not speak https; the method is GET, and the route takes PUT; \
         the header `x-version` has another value; the query parameter `q` is missing or has another value."
    );
}

#[test]
fn refusals_are_explained_with_their_rule() {
    let router = router(&[
        Route::path_prefix("/files").name("files").allow_encoded_slash(),
        Route::path_prefix("/files/plain").name("plain"),
        Route::path_prefix("/bucket").name("bucket").keep_empty_segments(),
        Route::path("/bucket/{a}/{b}").name("pair").methods([Method::PUT, Method::GET]),
        Route::path_prefix("/admin").name("admin"),
        Route::path_prefix("/").name("all").methods([Method::GET]),
    ])
    .expect("routes that can stand together");
    let told = |method: Method, target: &str| router.explain(&head(method, target, &[])).to_string();

    let encoded = told(Method::GET, "/files/plain/a%2fb");
    assert!(
        encoded.starts_with("GET /files/plain/a%2fb is answered with 400: the path holds an encoded slash")
    );
    assert!(
        encoded.contains("\n- `plain: path_prefix /files/plain` does not fit: the path holds an encoded slash")
    );
    assert!(
        encoded.contains("\n- `files: path_prefix /files` fits, but comes later: the first route has the more")
    );

    let parameter = told(Method::GET, "/admin;x/a");
    assert!(parameter.contains("400: the path without its parameter (`;x`) belongs to another route."));
    assert!(
        parameter.contains("does not fit: the path without its parameter (`;x`) belongs to the route `admin`.")
    );

    let method = router.explain(&head(Method::POST, "/x", &[]));
    assert_eq!(method.refusal(), Some(&Refusal::MethodNotAllowed(vec![Method::GET, Method::HEAD])));
    assert_eq!(
        method.refusal().map(|refusal| refusal.rejection().status()),
        Some(StatusCode::METHOD_NOT_ALLOWED)
    );

    let escape = router.explain(&head(Method::GET, "/a%zz", &[]));
    assert_eq!(escape.refusal(), Some(&Refusal::BadPath(PathError::BadEscape)));
    assert_eq!((escape.path(), escape.candidates().len()), (None, 0));

    let kept = told(Method::GET, "/bucket//a");
    assert!(kept.contains("GET /bucket//a goes to the route `bucket: path_prefix /bucket`."), "{kept}");
    assert_eq!(router.explain(&head(Method::GET, "/bucket//a", &[])).path(), Some("/bucket//a"));

    let whole = router.explain(&head(Method::OPTIONS, "*", &[]));
    assert_eq!(whole.verdict(), &Verdict::WholeServer);
    assert_eq!(whole.to_string(), "OPTIONS * is answered with 204: the request asks about the whole server.");
}

#[test]
fn the_routes_of_a_router_are_listed() {
    let routes = [Route::path("/b").methods([Method::GET]), Route::path_prefix("/a").name("a")];
    let router = router(&routes).expect("routes that can stand together");
    let listed: Vec<_> =
        router.routes().map(|route| (route.index(), route.name(), route.description())).collect();
    assert_eq!(listed, [(0, "/b", "path /b, methods GET"), (1, "a", "a: path_prefix /a")]);
    assert_eq!(router.routes().len(), 2);
}

#[test]
fn an_explanation_leaves_no_mark_on_the_request() {
    let router = router(&[Route::path_prefix("/a")]).expect("a route");
    let mut head = head(Method::GET, "/a//b", &[(header::HOST.as_str(), "a.example")]);
    arrive_by(&mut head, "in");
    assert!(router.explain(&head).route().is_some());
    assert_eq!(head.uri, "/a//b");
    let record = RequestRecord::of(&head.extensions).expect("the record");
    assert!(record.with(|summary| summary.route.is_none() && summary.rejection.is_none()));
}
