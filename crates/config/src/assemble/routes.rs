//! Routes, each with the stack that is its own.

use std::{sync::Arc, time::Duration};

use gatewright_core::Body;
use gatewright_proxy::{ProxyService, Retries};
use gatewright_router::{BuildError, ProblemKind, Route, RouterService};
use http::uri::Scheme;
use tower_layer::Layer;

use super::{
    auth::RouteAuth,
    limits::{self, Together},
    lists::Lists,
    nowhere::Nowhere,
    parts::Shared,
    reach, rewriting,
    stack::{Guards, MadeOf, Stack, Stacks},
};
use crate::{
    diagnostics::{Diagnostic, Span},
    read::Reader,
    settings::{
        self, Action, Defaults, Forwarding, Limit, PathMatch, RetryOn, Settings, UrlScheme, ValueMatch,
    },
};

/// What stands for no time limit: no connection lives that long.
const NEVER: Duration = Duration::from_secs(366 * 24 * 3600);

/// Builds every route's stack, or takes it over from `before`, and the router over them.
pub(super) fn build(
    settings: &Settings,
    shared: &mut Shared,
    before: Option<&Stacks>,
    reader: &mut Reader<'_>,
) -> Option<(RouterService<Body>, Stacks)> {
    let mut router = RouterService::builder();
    let mut stacks = Stacks::default();
    reach::check(settings, reader);
    for route in &settings.routes {
        let made_of = made_of(route, &settings.defaults, shared, reader);
        let stack = stacks.add(made_of, before, |made_of| stack(made_of, &mut shared.lists, reader));
        router = stack.add_to(router, matched(route));
    }
    match router.build() {
        Ok(router) => Some((router, stacks)),
        Err(error) => {
            report(&error, &settings.routes, reader);
            None
        }
    }
}

fn made_of(
    route: &Arc<settings::Route>,
    defaults: &Defaults,
    shared: &mut Shared,
    reader: &mut Reader<'_>,
) -> MadeOf {
    let (forwarding, upstream) = match &route.action {
        Action::Redirect(_) => (Forwarding::default(), None),
        Action::Forward(forward) => {
            (forward.forwarding.or(&defaults.forwarding), shared.upstreams.of(&forward.upstream, reader))
        }
    };
    let auth = shared.auth.of(route, defaults, reader);
    let guards = route.guards.or(&defaults.guards);
    let limits = shared.limits.of(guards.limits(), &route.matcher, reader);
    if auth.as_ref().is_some_and(RouteAuth::limits_some)
        && limits.len() == guards.limits().len()
        && !limits.iter().any(limits::Limit::gives_way)
        // What could not be read may have been such a limit.
        && !reader.has_errors()
    {
        let place = Some(reader.place(route.at.0));
        reader
            .report(Diagnostic::warning(place, "the limits of single API keys hold nobody on this route"))
            .help("they stand in the place of a rate by principal, so give the route one: `limit: 100/min`");
    }
    MadeOf { route: Arc::clone(route), forwarding, auth, guards, limits, upstream }
}

/// Builds a stack. One that cannot be built is reported and still takes its place, so that conflicts with its route are
/// found.
fn stack(made_of: &MadeOf, lists: &mut Lists, reader: &mut Reader<'_>) -> Stack {
    let MadeOf { route, forwarding, auth, upstream, .. } = made_of;
    let guards = guards(made_of, lists, reader);
    let stack = match &route.action {
        Action::Redirect(redirect) => {
            let layer = rewriting::redirect(redirect, &route.matcher, route.merge_slashes, reader);
            Stack::redirect(layer.layer(Nowhere), guards)
        }
        Action::Forward(forward) => {
            let rewrite =
                rewriting::policy(forward.rewrite.as_ref(), &route.matcher, route.merge_slashes, reader);
            let Some(upstream) = upstream else { return Stack::Nowhere(Nowhere) };
            let proxy = proxy(forwarding)
                .upstream(upstream.built.clone())
                .preserve_host(forward.preserve_host.unwrap_or(true))
                .pass_method_override(forward.pass_method_override);
            match proxy.build() {
                Ok(proxy) => Stack::forward(rewrite, proxy, guards),
                Err(error) => {
                    reader.error(route.at.0, error.to_string());
                    Stack::Nowhere(Nowhere)
                }
            }
        }
    };
    // Of whom it could not be said who may come, nobody may.
    if auth.is_some() { stack } else { Stack::Nowhere(Nowhere) }
}

fn guards(made_of: &MadeOf, lists: &mut Lists, reader: &mut Reader<'_>) -> Guards {
    let told = made_of.auth.as_ref().map_or(&[][..], RouteAuth::told);
    let mut together = Together::of(&made_of.limits, told);
    if together.concurrency.len() > 1 {
        reader
            .error(made_of.route.at.0, "several of this route's limits have `concurrent`")
            .help("a route has one bound of what is under way at once: keep it in one of its limits");
    }
    Guards {
        addresses: lists.filter(&made_of.guards, reader),
        before_auth: together.before_auth.take(),
        auth: made_of.auth.as_ref().and_then(RouteAuth::policy),
        after_auth: together.after_auth.take(),
        concurrency: together.concurrency.pop(),
    }
}

/// Which requests the route takes, in the router's terms.
fn matched(route: &settings::Route) -> Route {
    let matcher = &route.matcher;
    let mut matched = match &matcher.path.value {
        PathMatch::Exact(path) => Route::path(path),
        PathMatch::Prefix(prefix) => Route::path_prefix(prefix),
        PathMatch::Regex(regex) => Route::path_regex(regex),
    };
    if let Some(name) = &route.name {
        matched = matched.name(&name.value);
    }
    for host in &matcher.hosts {
        matched = matched.host(&host.value);
    }
    for listener in &matcher.listeners {
        matched = matched.listener(&listener.value);
    }
    if let Some(scheme) = matcher.scheme {
        matched = matched.scheme(match scheme {
            UrlScheme::Http => Scheme::HTTP,
            UrlScheme::Https => Scheme::HTTPS,
        });
    }
    for (name, value) in &matcher.values.headers {
        matched = match value {
            ValueMatch::Exact(value) => matched.header(name.as_str(), value),
            ValueMatch::Regex(regex) => matched.header_regex(name.as_str(), regex),
        };
    }
    for (name, value) in &matcher.values.query {
        matched = match value {
            ValueMatch::Exact(value) => matched.query(name, value),
            ValueMatch::Regex(regex) => matched.query_regex(name, regex),
        };
    }
    if let Some(priority) = route.priority {
        matched = matched.priority(priority);
    }
    if route.allow_encoded_slash {
        matched = matched.allow_encoded_slash();
    }
    if !route.merge_slashes {
        matched = matched.keep_empty_segments();
    }
    matched.methods(matcher.methods.iter().map(|method| method.value.clone()))
}

/// A proxy with a route's limits.
fn proxy(forwarding: &Forwarding) -> gatewright_proxy::ProxyBuilder {
    let limit = |limit: Limit| match limit {
        Limit::Off => NEVER,
        Limit::After(duration) => duration,
    };
    let mut proxy = ProxyService::builder();
    if let Some(timeout) = forwarding.timeout {
        proxy = proxy.timeout(limit(timeout));
    }
    if let Some(timeout) = forwarding.idle_timeout {
        proxy = proxy.idle_timeout(limit(timeout));
    }
    if let Some(retries) = &forwarding.retries {
        proxy = proxy.retries(on(retries));
    }
    proxy
}

fn on(retries: &settings::Retries) -> Retries {
    retries.on.iter().fold(Retries::new(retries.attempts), |retries, on| match on {
        // What never left is sent again in any case.
        RetryOn::Connect => retries,
        RetryOn::Reset => retries.on_reset(),
        RetryOn::Timeout => retries.on_timeout(),
        RetryOn::Status(status) => retries.on_status(*status),
    })
}

/// Reports what the router found, at the places of the routes.
fn report(error: &BuildError, routes: &[Arc<settings::Route>], reader: &mut Reader<'_>) {
    let place = |index: usize| routes.get(index).map(|route| route.matcher.path.span);
    for problem in error.problems() {
        let text = problem.to_string();
        let route = routes.get(problem.route_index());
        // That was told when the route was read.
        let is_told =
            problem.kind() == ProblemKind::Invalid && route.is_some_and(|route| is_of_host(route, &text));
        if is_told {
            continue;
        }
        let span = place(problem.route_index()).unwrap_or(Span::new(0, 0));
        let other = problem.other_index().and_then(place).map(|span| reader.place(span));
        // Its last part says how to mend it.
        let (message, help) = match problem.kind() {
            ProblemKind::Conflict | ProblemKind::Unreachable => text.rsplit_once(": ").unwrap_or((&text, "")),
            _ => (text.as_str(), ""),
        };
        let report = reader.error(span, message);
        if let Some(other) = other {
            report.related(other, "the other route is here");
        }
        if !help.is_empty() {
            report.help(help);
        }
    }
}

/// Whether a problem of a route is about one of its hosts.
fn is_of_host(route: &settings::Route, text: &str) -> bool {
    route.matcher.hosts.iter().any(|host| {
        Route::check_host(&host.value)
            .is_err_and(|hint| text.ends_with(&format!("host `{}`: {hint}", host.value)))
    })
}
