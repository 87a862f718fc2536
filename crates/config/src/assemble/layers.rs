//! The layers that a route of a file may have, and their order.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use gatewright_auth::{Auth, Authenticator};
use gatewright_core::{Decision, Lease, Policy, Rejection, TakeReady};
use gatewright_guard::IpFilter;
use gatewright_rate_limit::{ConcurrencyLimit, RateLimit};
use gatewright_rewrite::Rewrite;
use http::{request, response};
use pin_project_lite::pin_project;

use super::{
    auth::RouteAuth, limits::Together, lists::Lists, rewriting, route_layers::route_layers, stack::MadeOf,
    terminal::RouteService,
};
use crate::{read::Reader, settings::Action};

/// A layer of a route.
pub(super) enum RouteLayer {
    /// A policy. Policies that stand next to each other are asked in one list.
    Policy(RoutePolicy),
    /// A layer that changes the traffic, or that looks at bodies.
    #[expect(dead_code, reason = "the first one is on its way")]
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
