//! The sections of the file, each a type with its own reading.
//!
//! A setting is what was written, with its place where a later step can still find it wrong: files are read,
//! patterns compiled and names resolved by `assemble`.

mod access_log;
mod addresses;
mod admin;
mod audit;
mod auth;
mod captures;
mod forwarding;
mod guards;
mod headers;
mod limit;
mod limit_store;
mod listener;
mod listeners;
mod location;
mod loops;
mod matching;
mod rewriting;
mod route;
mod serving;
mod shared_ports;
mod telemetry;
mod told;
mod upstream;
mod upstream_tls;

use std::{num::NonZeroUsize, sync::Arc};

use gatewright_core::IpNetwork;

pub(crate) use access_log::{AccessLog, LogSettings, RouteLog};
pub(crate) use addresses::Addresses;
pub(crate) use admin::Admin;
pub(crate) use audit::{Admitted, Audit};
pub(crate) use auth::{
    ApiKey, AuthKind, Authenticator, Basic, Claims, ForwardCertificate, Introspect, Issuer, Jwt, KeySource,
    Mtls, Provider, TokenPlaces, Who,
};
pub(crate) use forwarding::{Defaults, Forwarding, Retries, RetryOn};
pub(crate) use guards::Guards;
pub(crate) use headers::HeaderEdits;
pub(crate) use limit::{CallerLimit, KeyPart, LimitHeaders, LimitRef, Missing};
pub(crate) use limit_store::RedisSettings;
pub(crate) use listener::{Certificate, ClientAuth, HttpsPort, Listener, ListenerTls};
pub(crate) use matching::{Matcher, PathMatch, UrlScheme, ValueMatch};
pub(crate) use rewriting::{PathRewrite, Redirect, Rewrite};
pub(crate) use route::{Action, Route};
pub(crate) use serving::{ClientLimits, Timeouts};
pub(crate) use telemetry::Telemetry;
pub(crate) use upstream::{Protocol, Upstream, UpstreamBounds, UpstreamRef, WeightedTarget};
pub(crate) use upstream_tls::UpstreamTls;

use crate::{
    diagnostics::{Diagnostic, Span},
    read::{Extra, Fields, Item, Keys as _, Map, Number, Readable, Reader, Value, listed, nearest, value},
    syntax::{Entry, Kind, Node, shorten},
    vocabulary::{Relation, Rule, Section, Shape, long_form},
};

/// The whole file, and the keys that `defaults` gives to others.
pub(crate) const GATEWAY: &Section = Settings::SECTION;
pub(crate) const DEFAULTS: &Section = Defaults::SECTION;

long_form! {
    /// The keys at the start of a line.
    #[derive(Debug)]
    pub(crate) struct Settings {
        title: "the file";
        name: "file";
        smallest: "{routes: [{path_prefix: /, upstream: localhost:3000}]}";
        rules: [
            Rule::new(Relation::AtLeastOne(&["routes"]))
                .missing("add `routes:` with one item at least: `- {path_prefix: /, upstream: localhost:3000}`"),
            Rule::new(Relation::AtMostOne(&["listeners", "listen"]))
                .surplus("put every address into `listeners`: `- address: 0.0.0.0:8080`"),
        ];
        later: ["tests"];
        also { keys: Keys }
        first { listeners: Vec<Listener> }

        /// How many threads serve. Each has a runtime, sockets and connections to upstreams of its own.
        workers: lenient Option<Workers>, "2", absent "one a core";
        /// Peers that are believed when they say who the client is, and which `x-request-id` it has.
        trusted_proxies: lenient TrustedProxies, "[10.0.0.0/8]", absent "none: the peer is the client";
        /// Where each request leaves its line, and what the line holds: one JSON object, unless a `format` is given.
        access_log: lenient AccessLog, "{file: access.log}", absent "`stdout`", alias ["log"];
        /// Health, readiness and the status page. A reload cannot change it. See [the status page](../guide/status-page.md).
        admin: lenient Admin, "127.0.0.1:9901", absent "`off`", alias ["metrics", "prometheus", "health", "status"];
        /// Where each decision of a policy leaves a record, for auditors.
        audit: lenient audit::AuditOrOff, "{file: audit.log}", absent "`off`", alias ["audit_log"];
        /// Traces: where spans go, and which traces are recorded.
        telemetry: lenient Telemetry, "{otlp: \"http://127.0.0.1:4317\", sample: 1%, service: api-gateway}",
            alias ["tracing", "opentelemetry", "otel"];
        /// How long clients may take.
        timeouts: lenient Timeouts, "{head: 5s, idle: 2m}";
        /// How much clients may send.
        client_limits: lenient ClientLimits, "{max_head: 32KiB, max_connections: 10000}";
        /// Services behind the gateway, by names that routes use. A name holds no colon and no slash.
        upstreams: lenient Upstreams, "{orders: {targets: [10.0.1.4:8080, 10.0.1.5:8080]}}",
            alias ["services", "backends", "clusters", "servers"];
        /// How often callers may come, by names that routes use. All routes that use one limit share its counts. A name holds no
        /// slash.
        limits: lenient CallerLimits, "{per_user: {rate: 100/min, burst: 20}, per_address: {rate: 1000/min, key: client_ip}}",
            alias ["rate_limits"];
        /// Ways to know who calls, by names that routes use. Once the file has this section, each route names its authenticators,
        /// or `defaults` does.
        auth: lenient Authenticators, "{app: {jwt: {oidc: \"https://id.example.com/\", audiences: [api]}}, partner: {api_key: {keys_file: keys.yaml}}}", absent "every route is served openly",
            alias ["authentication", "authenticators"];
        /// What holds for routes and upstreams that do not say it themselves.
        defaults: lenient FileDefaults, "{timeout: 10s, retries: 1}";
        /// Which requests go where. The order does not matter.
        routes: lenient Routes, "[{path_prefix: /v1/orders, upstream: order-service:8080}]", alias ["rules"];
    }
}

/// Where the keys at the top of the file stand.
#[derive(Debug)]
pub(crate) struct Keys(Vec<(String, Span)>);

impl Keys {
    /// Where a key stands, when it was written.
    pub(crate) fn place(&self, key: &str) -> Option<Span> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, span)| *span)
    }
}

impl Extra for Keys {
    fn of(fields: &Fields<'_>) -> Self {
        Self(fields.keys().map(|(key, span)| (key.to_owned(), span)).collect())
    }
}

impl Settings {
    /// Reads the whole file. What was wrong is reported and left out, so that the rest can be looked at
    /// further; there are no settings when the file is none of a gateway.
    pub(crate) fn read(root: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        if let Kind::Null = root.kind {
            reader.report(Diagnostic::error(None, "the file is empty")).help(
                "the smallest file has one route: `routes: [{path_prefix: /, upstream: localhost:3000}]`",
            );
            return None;
        }
        if let Kind::Scalar(_) | Kind::List(_) = root.kind {
            reader
                .error(root.span, format!("the file is a map of settings, not {}", root.describe()))
                .help("begin with `listen: 127.0.0.1:8080` and `routes:`, each at the start of a line");
            return None;
        }
        let fields = Fields::read(root, GATEWAY, reader)?;
        let settings = Self::of(&fields, reader)?;
        reader.warn_of_unused_names();
        told::check(&settings, reader);
        settings.check_listener_names(reader);
        loops::check(&settings, reader);
        admin::check(settings.admin.as_ref(), &settings.listeners, reader);
        Some(settings)
    }

    /// The port of the first listener with TLS, where the file says it.
    pub(crate) fn https_port(&self) -> Option<u16> {
        let secure = self.listeners.iter().find(|listener| listener.tls.is_some())?;
        Some(secure.address.value.port()).filter(|port| *port != 0)
    }

    /// Reports names of listeners that are there twice, and routes for listeners that are not there.
    fn check_listener_names(&self, reader: &mut Reader<'_>) {
        let names: Vec<_> = self.listeners.iter().filter_map(|listener| listener.name.as_ref()).collect();
        for (index, name) in names.iter().enumerate() {
            if let Some(earlier) = names[..index].iter().find(|earlier| earlier.value == name.value) {
                let first = reader.place(earlier.span);
                reader
                    .error(name.span, format!("two listeners are called `{}`", shorten(&name.value)))
                    .related(first, "the first one is here");
            }
        }
        for listener in self.routes.iter().flat_map(|route| &route.matcher.listeners) {
            if self.listeners.iter().any(|it| it.called() == listener.value) {
                continue;
            }
            let message = format!("there is no listener called `{}`", shorten(&listener.value));
            let known: Vec<_> = self.listeners.iter().map(Listener::called).collect();
            let known = known.iter().map(|name| &**name);
            let help = match nearest(&listener.value, known.clone()) {
                Some(name) => format!("did you mean `{name}`?"),
                None if names.is_empty() => {
                    format!("give one of `listeners` this name: `name: {}`", shorten(&listener.value))
                }
                None => format!("the listeners are called {}", listed(known)),
            };
            reader.error(listener.span, message).help(help);
        }
    }
}

/// What was not written is fine; what was written and is wrong is not.
pub(crate) fn optional<T>(value: Option<Option<T>>) -> Option<Option<T>> {
    value.map_or(Some(None), |value| value.map(Some))
}

/// How many threads serve.
pub(crate) struct Workers;

/// The number of threads: more than any machine has cores is a mistake.
type Threads = Number<NonZeroUsize, 1, 1024>;

impl Value for Workers {
    type Kept = NonZeroUsize;
    const SHAPE: Shape = Threads::SHAPE;

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<NonZeroUsize> {
        if reader.text(node, "a whole number")?.parse::<i64>().is_ok() {
            return Threads::read(node, reader);
        }
        let message = format!("{} is not a whole number from 1 to 1024", node.describe());
        reader.error(node.span, message).help("leave `workers` out for one a core");
        None
    }
}

/// Networks that are trusted to say who the client is.
pub(crate) struct TrustedProxies;

impl Value for TrustedProxies {
    type Kept = Vec<IpNetwork>;
    const SHAPE: Shape = Readable::<IpNetwork>::SHAPE;

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Vec<IpNetwork>> {
        let networks = Readable::<IpNetwork>::read(node, reader)?;
        if networks.iter().any(|network| network.prefix_len() == 0) {
            let place = Some(reader.place(node.span));
            reader
                .report(Diagnostic::warning(place, "every client is trusted to say itself which address it has"))
                .help("name the networks of the proxies alone; address lists and limits by `client_ip` hold nobody otherwise");
        }
        Some(networks)
    }
}

/// Declares a map from names that routes use; wrong entries are left out.
macro_rules! by_name {
    ($($(#[$doc:meta])* $kind:ident: $name:ident to $shape:ty, $value:ty = $kept:ty, $kept_of:expr;)*) => {$(
        $(#[$doc])*
        pub(crate) struct $kind;

        impl Value for $kind {
            type Kept = $kept;
            const SHAPE: Shape = Shape::Named(&Shape::$name, &<$shape as Value>::SHAPE);

            fn read(node: &Node, reader: &mut Reader<'_>) -> Option<$kept> {
                let entries = reader.named(node, Self::SHAPE).unwrap_or_default();
                let values = entries.iter().filter_map(|entry| <$value>::read_named(entry, reader));
                Some($kept_of(values.collect()))
            }
        }
    )*};
}

by_name! {
    /// The upstreams of the file.
    Upstreams: Upstream to Upstream, Upstream = Vec<Upstream>, std::convert::identity;
    /// The limits of the file.
    CallerLimits: Limit to CallerLimit, CallerLimit = Vec<CallerLimit>, std::convert::identity;
    /// The authenticators of the file; `None` when there is no `auth:`, so that all may come.
    Authenticators: Auth to auth::Kinds, Authenticator = Option<Vec<Authenticator>>, Some;
}

/// What `defaults:` says. When it cannot be read, nobody may come.
pub(crate) struct FileDefaults;

value! {
    FileDefaults: Defaults = Defaults::SHAPE, |node, reader| {
        let unread = || Defaults { guards: Guards::unread(), ..Defaults::default() };
        Some(Defaults::read(node, reader).unwrap_or_else(unread))
    };
}

/// The routes of the file.
pub(crate) struct Routes;

impl Value for Routes {
    type Kept = Vec<Arc<Route>>;
    const SHAPE: Shape = Shape::Items(&Route::SHAPE);

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self::Kept> {
        let nodes = reader.list(node, "a list of routes");
        Some(nodes.iter().filter_map(|node| Route::read(node, reader)).map(Arc::new).collect())
    }

    fn read_entry(entry: &Entry, reader: &mut Reader<'_>) -> Option<Self::Kept> {
        let items = reader.items(entry, "a list of routes", Route::SECTION);
        if let [Item { node, name: None }] = &*items
            && std::ptr::eq(*node, &entry.value)
            && let Kind::Map(_) = node.kind
        {
            reader
                .error(node.span, "expected a list of routes, found a map")
                .help("each route begins with a dash: `- path_prefix: /v1/orders`");
        }
        Some(items.iter().filter_map(|item| Route::read(item.node, reader)).map(Arc::new).collect())
    }
}
