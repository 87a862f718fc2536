//! The tree against the rules as they are written: any routes, any path, the same choice as by comparing them all.

use std::{cmp::Reverse, collections::BTreeSet, convert::Infallible};

use gatewright_core::{Body, pattern::PathPattern};
use gatewright_router::{Route, RouterService};
use http::{HeaderValue, Request, Response};
use proptest::prelude::*;
use tower::{ServiceExt, service_fn};

/// A path as a route has it: segments, `{}` for a name, and what follows them.
type Path = (Vec<&'static str>, End);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Whole,
    Rest,
    Prefix,
}

fn text((segments, end): &Path) -> String {
    let mut text = String::new();
    for (index, segment) in segments.iter().enumerate() {
        match *segment {
            "{}" => text.push_str(&format!("/{{n{index}}}")),
            literal => text.push_str(&format!("/{literal}")),
        }
    }
    match end {
        End::Rest => text + "/{*rest}",
        _ if text.is_empty() => "/".to_owned(),
        _ => text,
    }
}

/// Where a route stands for this path, the least first; `None` when it does not take it.
fn rank(route: &Path, path: &str) -> Option<impl Ord> {
    let (segments, end) = route;
    let pattern = PathPattern::parse(&text(route)).expect("a pattern");
    let fits = match end {
        End::Whole | End::Rest => pattern.matches(path).is_some(),
        // A prefix takes what it takes as a whole, and what begins with that and a slash.
        End::Prefix if segments.is_empty() => true,
        End::Prefix => {
            let ends = path.match_indices('/').map(|(slash, _)| slash).chain([path.len()]);
            ends.skip(1).any(|end| pattern.matches(&path[..end]).is_some())
        }
    };
    let literal_first: Vec<bool> = segments.iter().map(|segment| *segment == "{}").collect();
    fits.then_some((Reverse(segments.len()), literal_first, *end))
}

fn routes() -> impl Strategy<Value = BTreeSet<Path>> {
    let segment = prop::sample::select(vec!["a", "b", "{}"]);
    let end = prop::sample::select(vec![End::Whole, End::Rest, End::Prefix]);
    let path = (prop::collection::vec(segment, 0..4), end);
    prop::collection::btree_set(path, 1..12)
}

fn router(routes: &[Path]) -> Result<RouterService, Vec<usize>> {
    let builder = (0..).zip(routes).fold(RouterService::builder(), |builder, (index, route)| {
        let service = service_fn(move |_: Request<Body>| async move {
            let mut response = Response::new(Body::empty());
            response.headers_mut().insert("route", HeaderValue::from(index));
            Ok::<_, Infallible>(response)
        });
        let text = text(route);
        builder
            .route(if route.1 == End::Prefix { Route::path_prefix(text) } else { Route::path(text) }, service)
    });
    builder.build().map_err(|error| error.problems().iter().map(|problem| problem.route_index()).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500 * ProptestConfig::default().cases / 256, ..ProptestConfig::default() })]

    #[test]
    fn the_tree_chooses_what_the_rules_say(
        routes in routes(),
        paths in prop::collection::vec("(/[abc]){1,4}/?|/", 1..8),
    ) {
        let mut routes: Vec<Path> = routes.into_iter().collect();
        // `{*rest}` under a prefix of one more name can never match, and is all that a set of paths can have wrong.
        if let Err(wrong) = router(&routes) {
            for index in wrong.into_iter().rev() {
                prop_assert_eq!(routes.remove(index).1, End::Rest);
            }
        }
        let router = router(&routes).expect("routes that can stand together");
        for path in paths {
            let ranked = routes.iter().enumerate().filter_map(|(index, route)| Some((rank(route, &path)?, index)));
            let expected = ranked.min().map(|(_, index)| index.to_string());
            let request = Request::get(&path).body(Body::empty()).expect("a request");
            let mut response = block_on(router.clone().oneshot(request));
            let found = response.headers_mut().remove("route").map(|route| route.to_str().expect("text").to_owned());
            prop_assert_eq!(found, expected, "{} among {:?}", path, routes);
        }
    }
}

fn block_on<T>(future: impl Future<Output = Result<T, Infallible>>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(future).unwrap_or_else(|never| match never {})
}
