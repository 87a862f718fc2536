use super::{
    Forwarding, Guards, Matcher, Redirect, Rewrite, RouteLog, UpstreamRef, captures,
    matching::{ONE_PATH, PathMatch},
};
use crate::{
    diagnostics::{At, Spanned},
    read::{AtKey, Fields, Keys, Map, Number, Reader, Value},
    syntax::Node,
    vocabulary::{Relation, Rule, Shape, Table, choice, group, long_form},
};

long_form! {
    /// Which requests a route takes, and what becomes of them.
    ///
    /// The order of routes does not matter. A route that names the request's host goes before a route with a wildcard, and that one
    /// before a route without a host, whatever their paths. So a route without `host` does not guard its paths on a host that has
    /// routes of its own for them. Then an exact path goes before a longer prefix or pattern, that before a shorter one, and those
    /// before a regular expression; then a route with a `listener` before one without, then one with a `scheme`, then one with
    /// methods, then the one with more headers, then with more query parameters. Two routes that can both take a request, and that
    /// none of this ranks, are an error until one has a `priority`. So is a route that no request can reach.
    #[derive(Debug, PartialEq, Eq, Hash)]
    pub(crate) struct Route {
        title: "a route";
        name: "route";
        smallest: "{path_prefix: /v1/orders, upstream: orders:8080}";
        rules: [
            ONE_PATH,
            Rule::new(Relation::ExactlyOne(&["upstream", "redirect"]))
                .missing("add `upstream:` with a name of `upstreams:` or a `host:port`, or `redirect:`")
                .surplus("a redirect is answered by the gateway itself: keep one of them"),
            Rule::new(Relation::Excludes(
                "redirect",
                &["rewrite", "timeout", "idle_timeout", "retries", "preserve_host", "method_override"],
            ))
            .surplus("remove it; what the redirect changes stands in `redirect:`"),
        ];
        later: ["compose", "soap", "cors", "waf", "bots", "grpc_json", "grpc_web", "contract"];
        also { at: At }
        first { matcher: Matcher }
        groups { action: Action, guards: Guards, access: Access }

        /// A name for logs and metrics.
        name: lenient Option<Spanned<String>>, "orders", absent "its path";
        /// The rank of the route where nothing else ranks it; the higher number goes first.
        priority: optional Number<i32, { i32::MIN as i64 }, { i32::MAX as i64 }>, "10", absent "0";
        /// Which requests of the route leave a line in the access log. Of a share, such as `10%`, requests that were refused, that
        /// failed, whose client left, or that have a status of 400 or more leave their line in any case. `off` silences them too.
        access_log: default RouteLog, "10%", absent "all";
        /// Whether the route takes paths with `%2F`, which stays as it is.
        allow_encoded_slash: default bool, "on", absent "`off`: 400";
        /// Whether repeated slashes in a path become one. `off` leaves them for image proxies (`/plain/https://host/a.jpg`) and
        /// object stores (`/bucket//key`), and changes nothing else. Routes are always chosen with slashes merged, so that
        /// repeated slashes lead past no route; with `off`, this route then has to match the path as it stands too, or the
        /// answer is 404.
        merge_slashes: default bool = true, "off", absent "`on`";
    }
}

group! {
    /// Which callers may come to a route, of those who have said who they are.
    #[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
    pub(crate) struct Access {
        /// Scopes that a caller has to have, all of them; others get 403.
        scopes: lenient Option<AtKey<Vec<super::auth::Scope>>>, "[payments:write]", absent "none", alias ["scope"];
        /// Roles of which a caller has to have one; others get 403. Only tokens have roles: see `roles_claim`.
        roles: lenient Option<AtKey<Vec<String>>>, "[clerk, admin]", absent "none", alias ["role"];
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    Forward(Box<Forward>),
    Redirect(Box<Redirect>),
}

group! {
    /// The keys of a route that say what becomes of its requests.
    #[derive(Debug)]
    pub(crate) struct Actions {
        first { forward: Forward }

        /// The answer of the gateway itself, in place of an upstream.
        redirect: lenient Option<Redirect>, "{scheme: https}";
    }
}

group! {
    /// How a route sends its requests to an upstream.
    #[derive(Debug, Default, PartialEq, Eq, Hash)]
    pub(crate) struct Forward {
        groups { forwarding: Forwarding }

        /// Where the requests of the route go.
        upstream: lenient UpstreamRef, "order-service:8080",
            alias ["uri", "url", "service", "backend", "cluster", "proxy_pass", "target", "to"];
        /// How requests and responses are changed.
        rewrite: lenient Option<Rewrite>, "{prefix: /internal/orders}";
        /// Whether the upstream sees the `Host` that the client asked for, and not the target's own. A `host` in `rewrite` goes
        /// before it.
        preserve_host: lenient Option<bool>, "off", absent "`on`";
        /// Whether the upstream sees `X-HTTP-Method-Override`, `X-HTTP-Method` and `X-Method-Override`. By them a service may act
        /// with another method than the one that `methods` and limits have judged. Query parameters such as `_method` pass in any
        /// case: a service that takes its method from them has to judge it too.
        pass_method_override("method_override"): lenient MethodOverride, "pass", absent "`remove`";
    }
}

choice! {
    /// Whether fields that override the method pass.
    pub(crate) struct MethodOverride, "what becomes of fields that override the method": bool { "remove" => false, "pass" => true }
}

impl Value for Route {
    type Kept = Self;
    const SHAPE: Shape = Shape::Map(Self::SECTION);

    /// Which requests the route takes has to be known, or else it would seem to stand against other routes. What is wrong in the
    /// rest is left out, so that what is right is looked at further.
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let fields = Fields::read(node, Self::SECTION, reader)?;
        let mut route = Self::of(&fields, reader);
        let path = route.as_ref().map(|route| &route.matcher.path.value);
        if let (Some(path), Some(rewrite)) = (path, fields.get("rewrite")) {
            captures::warn(rewrite, path, reader);
        }
        // A path that was written wrong may have been a prefix as well as not.
        let has_prefix = fields.get("path_prefix").is_some() && path.is_none_or(PathMatch::is_prefix);
        if !has_prefix && report_prefix(&fields, reader) {
            route.iter_mut().for_each(|route| route.action.forget_path());
        }
        route
    }
}

/// Reports new prefixes in a route that has no prefix of its own.
fn report_prefix(fields: &Fields<'_>, reader: &mut Reader<'_>) -> bool {
    let changes = ["rewrite", "redirect"].iter().filter_map(|key| fields.get(key));
    let changes = changes.filter(|change| change.value("path").is_none());
    let prefixes = changes.flat_map(Node::entries).filter(|entry| entry.key == "prefix");
    let spans: Vec<_> = prefixes.map(|entry| entry.key_span).collect();
    for span in &spans {
        reader
            .error(*span, "`prefix` without a `path_prefix` in the route")
            .help("it replaces what `path_prefix` matched; here write `path:`, which replaces the whole path");
    }
    !spans.is_empty()
}

impl Keys for Action {
    const TABLE: &'static Table = Actions::TABLE;

    fn of(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let Actions { forward, redirect } = Actions::of(fields, reader)?;
        Some(match redirect {
            Some(redirect) if fields.get("upstream").is_none() => Self::Redirect(Box::new(redirect)),
            _ => Self::Forward(Box::new(forward)),
        })
    }
}

impl Action {
    /// Leaves out a change of the path that was reported.
    fn forget_path(&mut self) {
        match self {
            Self::Forward(forward) => forward.rewrite.iter_mut().for_each(|rewrite| rewrite.prefix = None),
            Self::Redirect(_) => *self = Self::Forward(Box::default()),
        }
    }
}
