//! Routes, each with the stack that is its own.

use std::{sync::Arc, time::Duration};

use gatewright_core::{Body, Label, LabelKind};
use gatewright_proxy::{ProxyService, Retries};
use gatewright_router::{BuildError, ProblemKind, Route, RouterService};
use http::uri::Scheme;
use tower_layer::Layer;

use super::{
    Assembly, RouteStack,
    auth::RouteAuth,
    keeper::Kept,
    layers::{self, Site},
    limits,
    lists::Lists,
    made_of::MadeOf,
    reach, rewriting,
    shared::Shared,
    stack::{Stack, Stacks},
    terminal::{NoUpstream, Terminal},
};
use crate::{
    diagnostics::{Diagnostic, Span},
    read::Reader,
    settings::{self, Action, Defaults, Forwarding, PathMatch, RetryOn, Settings, UrlScheme, ValueMatch},
};

/// What stands for no time limit: no connection lives that long.
const NEVER: Duration = Duration::from_secs(366 * 24 * 3600);

/// The routes of a file, ready to be served.
pub(super) struct Routes {
    pub(super) router: RouterService<Body>,
    pub(super) stacks: Stacks,
    /// The stack of each route in the order of the file, to be looked at.
    pub(super) seen: Arc<[RouteStack]>,
}

/// Builds every route's stack, or takes it over from `before`, and the router over them.
pub(super) fn build(
    settings: &Settings,
    shared: &mut Shared,
    before: Option<&Stacks>,
    assembly: &Assembly,
    reader: &mut Reader<'_>,
) -> Option<Routes> {
    let mut router = RouterService::builder();
    let mut seen = Vec::with_capacity(settings.routes.len());
    let mut stacks = Stacks::following(before);
    reach::check(settings, reader);
    for route in &settings.routes {
        let made_of = made_of(route, &settings.defaults, shared, reader);
        let matched = matched(route);
        let stack = stacks.get(made_of, |made_of| Some(stack(made_of, &mut shared.lists, assembly, reader)));
        if let Some(Kept { identity, built }) = stack {
            seen.push(RouteStack {
                name: Label::new(LabelKind::Route, &matched.label()),
                layers: Arc::clone(built.names()),
                upstream: identity.upstream.as_ref().map(|upstream| upstream.built.name().clone()),
            });
            router = built.add_to(router, matched);
        }
    }
    // The stacks of before hold their upstreams, whose connections have to close when no route uses them.
    stacks.settle();
    match router.build() {
        Ok(router) => Some(Routes { router, stacks, seen: seen.into() }),
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
fn stack(made_of: &MadeOf, lists: &mut Lists, assembly: &Assembly, reader: &mut Reader<'_>) -> Stack {
    let layers = layers::of_route(&mut Site::new(made_of, lists, reader));
    match terminal(made_of, assembly, reader) {
        // A route of which nobody can say who may come lets nobody in.
        Some(terminal) if made_of.auth.is_some() => Stack::new(layers, terminal),
        _ => Stack::new(Vec::new(), Terminal::NoUpstream(NoUpstream)),
    }
}

/// What answers the requests of a route; `None` when it was reported.
fn terminal(made_of: &MadeOf, assembly: &Assembly, reader: &mut Reader<'_>) -> Option<Terminal> {
    let MadeOf { route, forwarding, upstream, .. } = made_of;
    match &route.action {
        Action::Redirect(redirect) => {
            let layer = rewriting::redirect(redirect, &route.matcher, route.merge_slashes, reader);
            Some(Terminal::Redirect(layer.layer(NoUpstream)))
        }
        Action::Forward(forward) => {
            let upstream = &upstream.as_ref()?.built;
            if let Some(service) = assembly.in_place_of(upstream.name()) {
                return Some(Terminal::Other(service));
            }
            let proxy = proxy(forwarding)
                .upstream(upstream.clone())
                .preserve_host(forward.preserve_host.unwrap_or(true))
                .pass_method_override(forward.pass_method_override);
            match proxy.build() {
                Ok(proxy) => Some(Terminal::Proxy(proxy)),
                Err(error) => {
                    reader.error(route.at.0, error.to_string());
                    None
                }
            }
        }
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
    let mut proxy = ProxyService::builder();
    if let Some(timeout) = forwarding.timeout {
        proxy = proxy.timeout(timeout.unwrap_or(NEVER));
    }
    if let Some(timeout) = forwarding.idle_timeout {
        proxy = proxy.idle_timeout(timeout.unwrap_or(NEVER));
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
