//! The layers that a route of a file may have, and their order.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use gatewright_auth::{Auth, Authenticator};
use gatewright_core::{
    Body, BodyPolicy, BodyPolicyLayer, Decision, Lease, Policy, Rejection, RequestBody, TakeReady,
};
use gatewright_guard::{BodyLimitLayer, IpFilter};
use gatewright_rate_limit::{ConcurrencyLimit, RateLimit};
use gatewright_rewrite::Rewrite;
use http::{Request, request, response};
use pin_project_lite::pin_project;
use tower::ServiceExt;
use tower_layer::Layer;

use super::{
    auth::RouteAuth,
    limits::Together,
    lists::Lists,
    made_of::MadeOf,
    rewriting,
    route_layers::route_layers,
    terminal::{RouteService, erase},
};
use crate::{read::Reader, settings::Action};

/// A layer of a route.
#[expect(clippy::large_enum_variant, reason = "a route has a few, which are made once")]
pub(super) enum RouteLayer {
    /// A policy. Policies that stand next to each other are asked in one list.
    Policy(RoutePolicy),
    /// A layer that changes the traffic, or that looks at bodies.
    Other(&'static str, Wrap),
}

/// Puts a layer around the rest of a route.
pub(super) type Wrap = Arc<dyn Fn(RouteService) -> RouteService + Send + Sync>;

/// A route whose layers are being built.
pub(super) struct Site<'a, 'r> {
    made_of: &'a MadeOf,
    limits: Together,
    lists: &'a mut Lists,
    reader: &'a mut Reader<'r>,
}

route_layers! {
    for Site<'_, '_>:
    // The cheapest goes first: a stranger costs one look at a table.
    Addresses: IpFilter = addresses;
    // Limits that need not know who calls hold off a flood before it costs the verification of credentials.
    LimitBeforeAuth: RateLimit = limit_before_auth;
    Auth: Auth<Authenticator> = auth;
    // Limits by principal need the authentication, and no refused request counts towards them.
    LimitAfterAuth: RateLimit = limit_after_auth;
    // Behind the authentication, so that strangers learn nothing; a body that is too large never counts as under way.
    BodyLimit = body_limit;
    // Only a request that nothing else has refused counts as under way.
    Concurrency: ConcurrencyLimit = concurrency;
    // Next to the proxy: all layers before it see the request as the client sent it.
    Rewrite: Rewrite = rewrite;
}

impl<'a, 'r> Site<'a, 'r> {
    pub(super) fn new(made_of: &'a MadeOf, lists: &'a mut Lists, reader: &'a mut Reader<'r>) -> Self {
        let told = made_of.auth.as_ref().map_or(&[][..], RouteAuth::told);
        let limits = Together::of(&made_of.limits, told);
        Self { made_of, limits, lists, reader }
    }
}

fn addresses(site: &mut Site<'_, '_>) -> Option<IpFilter> {
    site.lists.filter(&site.made_of.guards, site.reader)
}

fn limit_before_auth(site: &mut Site<'_, '_>) -> Option<RateLimit> {
    site.limits.before_auth.take()
}

fn auth(site: &mut Site<'_, '_>) -> Option<Auth<Authenticator>> {
    site.made_of.auth.as_ref()?.policy()
}

fn limit_after_auth(site: &mut Site<'_, '_>) -> Option<RateLimit> {
    site.limits.after_auth.take()
}

fn body_limit(site: &mut Site<'_, '_>) -> Option<RouteLayer> {
    Some(body_policy(BodyLimitLayer::new(site.made_of.guards.max_body()?).into_policy()))
}

/// The layer of a policy that looks at bodies.
fn body_policy<P: BodyPolicy>(policy: P) -> RouteLayer {
    let name = policy.name();
    let layer = BodyPolicyLayer::new(policy);
    let wrap = move |rest: RouteService| {
        let rest = rest.map_request(|request: Request<RequestBody<Body>>| request.map(Body::new));
        erase(layer.layer(rest))
    };
    RouteLayer::Other(name, Arc::new(wrap))
}

fn concurrency(site: &mut Site<'_, '_>) -> Option<ConcurrencyLimit> {
    if site.limits.concurrency.len() > 1 {
        site.reader
            .error(site.made_of.route.at.0, "several of this route's limits have `concurrent`")
            .help("a route has one bound on the requests under way at once: keep it in one of its limits");
    }
    Some(site.limits.concurrency.pop()?.into_policy())
}

fn rewrite(site: &mut Site<'_, '_>) -> Option<Rewrite> {
    let route = &site.made_of.route;
    match &route.action {
        Action::Forward(forward) => {
            rewriting::policy(forward.rewrite.as_ref(), &route.matcher, route.merge_slashes, site.reader)
        }
        // A redirect answers by itself.
        Action::Redirect(_) => None,
    }
}
