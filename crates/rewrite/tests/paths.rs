//! Whatever a client sends, what goes on is canonical and where the rule sends it.

use std::{convert::Infallible, sync::mpsc};

use gatewright_core::{
    Body,
    path::{EncodedSlash, canonical},
};
use gatewright_rewrite::RewriteLayer;
use http::{Request, Response, StatusCode, Uri};
use proptest::prelude::*;
use tower::{Layer, ServiceExt, service_fn};

/// Sends a request; gives the status, and the URI that the service saw.
fn send(layer: &RewriteLayer, uri: Uri) -> (StatusCode, Option<Uri>) {
    let (saw, seen) = mpsc::channel();
    let inner = service_fn(move |request: Request<Body>| {
        let sent = saw.send(request.uri().clone());
        async move { Ok::<_, Infallible>(Response::new(sent.map_or(Body::empty(), |()| Body::empty()))) }
    });
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = uri;
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let response = runtime.block_on(layer.layer(inner).oneshot(request)).unwrap_or_else(|never| match never {});
    (response.status(), seen.try_recv().ok())
}

fn targets() -> impl Strategy<Value = Uri> {
    let pieces = prop::sample::select(vec![
        "/", "//", ".", "..", "%2e", "%2f", "%2F", "%5c", "\\", ";", "%3b", "%25", "%00", "a", "b.", "%41",
        "é", "%c3", "%", "%2", "e", "$1", "{id}",
    ]);
    let path = prop::collection::vec(pieces, 0..10).prop_map(|pieces| pieces.concat());
    let query = prop::option::of("[a-z=&%/.?]{0,8}");
    (prop::sample::select(vec!["/in", "/in/", "/"]), path, query).prop_filter_map(
        "no URI",
        |(start, path, query)| {
            let query = query.map_or(String::new(), |query| format!("?{query}"));
            format!("{start}{path}{query}").parse().ok()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500 * ProptestConfig::default().cases / 256, ..ProptestConfig::default() })]

    #[test]
    fn no_client_chooses_where_a_rewrite_leads(target in targets()) {
        let layers = [
            RewriteLayer::new().replace_prefix("/in", "/out/deep"),
            RewriteLayer::new().path_pattern("/in/{*rest}", "/out/deep/{rest}").expect("a pattern"),
            RewriteLayer::new().path_pattern("/in/{a}/{b}", "/out/deep/{a}{b}").expect("a pattern"),
            RewriteLayer::new().replace_regex("/in/(.?)(.?)(.*)", "/out/deep/$3$2$1").expect("a regex"),
            RewriteLayer::new().replace_regex("/in/(.*)", "/out/deep/.%$1").expect("a regex"),
        ];
        for layer in layers {
            let (status, seen) = send(&layer, target.clone());
            let Some(seen) = seen else {
                prop_assert_eq!(status, StatusCode::BAD_REQUEST);
                continue;
            };
            let path = canonical(seen.path(), EncodedSlash::Keep);
            prop_assert_eq!(path.as_deref(), Ok(seen.path()));
            prop_assert_eq!(seen.query(), target.query());
            let before = canonical(target.path(), EncodedSlash::Keep).expect("what is forwarded was canonical");
            prop_assert!(seen.path() == before || seen.path().starts_with("/out/deep"), "{} to {}", target, seen);
        }
    }
}
