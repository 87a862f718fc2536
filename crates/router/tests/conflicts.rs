//! Routes that cannot stand are found when the router is built, all of them, by name.

use std::convert::Infallible;

use gatewright_core::Body;
use gatewright_router::{BuildError, ProblemKind, Route, RouterService};
use http::{Method, Request, Response};
use tower::service_fn;

fn build(routes: Vec<Route>) -> Result<RouterService, BuildError> {
    let service = service_fn(|_: Request<Body>| async { Ok::<_, Infallible>(Response::new(Body::empty())) });
    routes.into_iter().fold(RouterService::builder(), |builder, route| builder.route(route, service)).build()
}

/// Each problem as its kind, the route's name and the other's.
fn problems(routes: Vec<Route>) -> Vec<(ProblemKind, String, String)> {
    let Err(error) = build(routes) else { return Vec::new() };
    let named = |problem: &gatewright_router::RouteProblem| {
        (problem.kind(), problem.route().to_owned(), problem.other().unwrap_or_default().to_owned())
    };
    error.problems().iter().map(named).collect()
}

fn a(route: Route) -> Route {
    route.name("a")
}

fn b(route: Route) -> Route {
    route.name("b")
}

#[test]
fn routes_that_nothing_ranks_conflict() {
    let table = [
        (Route::path("/x"), Route::path("/x")),
        (Route::path_prefix("/x"), Route::path_prefix("/x/")),
        (Route::path("/x/{a}"), Route::path("/x/{b}")),
        (Route::path("/x/{*a}"), Route::path("/x/{*b}")),
        (Route::path("/caf%c3%a9"), Route::path("/café")),
        (Route::path("/x").host("h.test"), Route::path("/x").host("H.TEST.")),
        (Route::path("/x").host("*.h.test"), Route::path("/x").host("o.test").host("*.h.test")),
        (Route::path("/x").methods([Method::GET, Method::PUT]), Route::path("/x").methods([Method::PUT])),
        (Route::path("/x").header("h", "1"), Route::path("/x").header("i", "1")),
        (Route::path("/x").header("h", "1"), Route::path("/x").header_regex("h", "[0-9]")),
        (Route::path("/x").header_regex("h", "a.*"), Route::path("/x").header_regex("h", ".*b")),
        (Route::path("/x").query("q", "1"), Route::path("/x").query("r", "1")),
        (Route::path("/x").priority(3), Route::path("/x").priority(3)),
        (Route::path_regex("/x/.*"), Route::path_regex("/x/y.*")),
        (Route::path_regex(r"^/x/(\d+)$"), Route::path_regex(r"/x/\d+")),
        (Route::path_regex("/x|/y"), Route::path_regex("/z")),
        (Route::path_regex("(?i)/x"), Route::path_regex("/z")),
    ];
    for (one, other) in table {
        let text = format!("{one} | {other}");
        let expected = vec![(ProblemKind::Conflict, "b".to_owned(), "a".to_owned())];
        assert_eq!(problems(vec![a(one), b(other)]), expected, "{text}");
    }
}

#[test]
fn routes_that_something_tells_apart_stand_together() {
    let table = [
        (Route::path("/x"), Route::path("/x/")),
        (Route::path("/x"), Route::path_prefix("/x")),
        (Route::path("/x/{a}"), Route::path("/x/{*a}")),
        (Route::path("/x/{a}"), Route::path_prefix("/x/{a}")),
        (Route::path("/x").host("h.test"), Route::path("/x").host("*.h.test")),
        (Route::path("/x").host("h.test"), Route::path("/x")),
        (Route::path("/x").methods([Method::GET]), Route::path("/x").methods([Method::PUT])),
        (Route::path("/x").methods([Method::GET]), Route::path("/x").methods([Method::HEAD])),
        (Route::path("/x").methods([Method::GET]), Route::path("/x")),
        (Route::path("/x").header("h", "1"), Route::path("/x").header("H", "2")),
        (Route::path("/x").header("h", "x"), Route::path("/x").header_regex("h", "[0-9]")),
        (Route::path("/x").header("h", "1"), Route::path("/x").header("h", "1").header("i", "1")),
        (Route::path("/x").query("q", "1"), Route::path("/x").query("q", "2")),
        (Route::path("/x").query("q", "1"), Route::path("/x").query("q", "1").priority(1).query("r", "1")),
        (Route::path("/x").header("h", "1"), Route::path("/x").header("i", "1").priority(1)),
        (Route::path_regex(r"/x/(\d+)"), Route::path_regex(r"^/y/(\d+)$")),
        (Route::path_regex(r"/x/(\d+)"), Route::path_regex(r"/x/[a-z]+").priority(-1)),
        (Route::path_regex(r"/x/.*"), Route::path_regex(r"/x/.*").methods([Method::GET])),
        (Route::path_regex(r"/x/.*").host("h.test"), Route::path_regex(r"/x/.*")),
        (Route::path_prefix("/x/y"), Route::path_regex("/x/.*")),
        (Route::path_prefix("/x").methods([Method::GET]), Route::path_regex("/x/.*")),
        (Route::path_prefix("/").host("h.test"), Route::path_regex("/x/.*")),
    ];
    for (one, other) in table {
        let text = format!("{one} | {other}");
        assert_eq!(problems(vec![a(one), b(other)]), [], "{text}");
    }
}

#[test]
fn a_route_that_can_never_match_is_an_error() {
    let table = [
        (Route::path("/x").priority(1), Route::path("/x")),
        (Route::path_prefix("/x").priority(1), Route::path_prefix("/x")),
        (
            Route::path("/x").methods([Method::GET, Method::PUT]).priority(1),
            Route::path("/x").methods([Method::PUT, Method::HEAD]),
        ),
        (Route::path("/x").header_regex("h", "[0-9]").priority(1), Route::path("/x").header("h", "7")),
        (Route::path_prefix("/x/{a}"), Route::path("/x/{*rest}")),
        (Route::path_regex("/x/.*").priority(1), Route::path_regex("/x/.*")),
        (Route::path_prefix("/"), Route::path_regex("/x/.*")),
        (Route::path_prefix("/x"), Route::path_regex(r"^/x/(\d+)$").header("h", "1")),
        (Route::path_prefix("/{any}"), Route::path_regex(r"^/x/(\d+)$")),
        (Route::path("/{*all}"), Route::path_regex(r"^/x/(\d+)$")),
        (
            Route::path("/x").host("h.test").host("i.test").priority(1),
            Route::path("/x").host("h.test").host("i.test"),
        ),
    ];
    for (one, other) in table {
        let text = format!("{one} | {other}");
        let expected = vec![(ProblemKind::Unreachable, "b".to_owned(), "a".to_owned())];
        assert_eq!(problems(vec![a(one), b(other)]), expected, "{text}");
    }
}

#[test]
fn several_routes_together_can_hide_one() {
    let routes = || {
        vec![
            Route::path("/x").methods([Method::GET]).priority(2).name("get"),
            Route::path("/x").methods([Method::PUT]).priority(1).name("put"),
            Route::path("/x").methods([Method::GET, Method::PUT]).name("both"),
        ]
    };
    assert_eq!(problems(routes()), [(ProblemKind::Unreachable, "both".to_owned(), "get".to_owned())]);
    assert_eq!(problems(routes().into_iter().skip(1).collect()), []);
}

#[test]
fn a_route_that_one_of_its_hosts_still_reaches_is_no_error() {
    let routes = vec![
        Route::path("/x").host("h.test").priority(1),
        Route::path("/x").host("h.test").host("i.test").name("both"),
    ];
    assert_eq!(problems(routes), []);
}

#[test]
fn a_route_that_cannot_be_read_says_how_to_mend_it() {
    let table = [
        (Route::path("x"), "start it with `/`"),
        (Route::path("/x//y"), "remove the second slash"),
        (Route::path("/x/{}"), "write a name"),
        (Route::path("/x/{*rest}/y"), "make it the last segment"),
        (Route::path_prefix("/x/{*rest}"), "end it before"),
        (Route::path("/x?y=1"), "match the query apart"),
        (Route::path("/x%2fy"), "allow encoded slashes"),
        (Route::path_regex("/x%2Fy/.*"), "allow encoded slashes"),
        (Route::path_regex("/x("), "unclosed group"),
        (Route::path_regex("/a)|(/b"), "unopened group"),
        (Route::path_regex("x/.*"), "starts with `/`"),
        (Route::path_regex("/x//y/.*"), "begin it with `/x/y/`"),
        (Route::path_regex("/x%7e/.*"), "begin it with `/x~/`"),
        (Route::path_regex("/é.*"), "canonical form"),
        (Route::path_regex(r"/x\\y/.*"), "canonical form"),
        (Route::path("/x").host(""), "write a host name"),
        (Route::path("/x").host("*"), "leave the host out"),
        (Route::path("/x").host("a.*.test"), "the first labels only"),
        (Route::path("/x").host("h.test:80"), "leave the port out"),
        (Route::path("/x").host("a..test"), "write a host name"),
        (Route::path("/x").host("http://h.test/"), "leave the scheme and the path out"),
        (Route::path("/x").host("bücher.test"), "ASCII"),
        (Route::path("/x").header("a b", "1"), "no header name"),
        (Route::path("/x").header("h", "1").header("H", "2"), "once"),
        (Route::path("/x").query("q", "1").query("q", "1"), "once"),
        (Route::path("/x").header_regex("h", "["), "unclosed"),
        (Route::path("/x").query_regex("q", "*"), "repetition"),
    ];
    for (route, hint) in table {
        let text = route.to_string();
        let error = build(vec![route.name("it")]).expect_err(&text).to_string();
        assert!(error.contains(hint) && error.contains("`it: "), "{text}: {error}");
    }
}

#[test]
fn all_problems_are_told_at_once_with_their_places() {
    let routes = vec![
        Route::path("/ok"),
        Route::path("bad").host("*"),
        Route::path("/twice").name("first"),
        Route::path("/twice").name("second"),
        Route::path_prefix("/shop"),
        Route::path_regex("/shop/[0-9]+").name("item"),
    ];
    let error = build(routes).expect_err("problems");
    let found: Vec<_> = error
        .problems()
        .iter()
        .map(|problem| (problem.kind(), problem.route_index(), problem.other_index()))
        .collect();
    let expected = [
        (ProblemKind::Invalid, 1, None),
        (ProblemKind::Invalid, 1, None),
        (ProblemKind::Conflict, 3, Some(2)),
        (ProblemKind::Unreachable, 5, Some(4)),
    ];
    assert_eq!(found, expected);
    let text = error.to_string();
    assert!(text.starts_with("4 problems with the routes:\n- route `path bad, host *`: "), "{text}");
    assert!(text.contains("`first: path /twice` and `second: path /twice`"), "{text}");
    assert!(text.contains("a prefix goes before a regex"), "{text}");
}
