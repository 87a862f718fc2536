//! The sections of the file, each a type with its own reading.
//!
//! A setting is what was written, with its place where a later step can still find it wrong: files are read,
//! patterns compiled and names resolved by `assemble`.

mod addresses;
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
mod told;
mod upstream;
mod upstream_tls;

use std::{num::NonZeroUsize, sync::Arc};

use gatewright_core::IpNetwork;

pub(crate) use addresses::Addresses;
pub(crate) use auth::{
    Access, ApiKey, AuthKind, Authenticator, Basic, Claims, ForwardCertificate, Introspect, Issuer, Jwt,
    KeySource, Mtls, Provider, TokenPlaces, Who,
};
pub(crate) use forwarding::{Defaults, Forwarding, Limit, Retries, RetryOn};
pub(crate) use guards::Guards;
pub(crate) use headers::HeaderEdits;
pub(crate) use limit::{CallerLimit, KeyPart, LimitHeaders, LimitRef, Missing};
pub(crate) use limit_store::RedisSettings;
pub(crate) use listener::{Certificate, ClientAuth, HttpsPort, Listener, ListenerTls};
pub(crate) use matching::{Matcher, PathMatch, UrlScheme, ValueMatch};
pub(crate) use rewriting::{PathRewrite, Redirect, Rewrite};
pub(crate) use route::{Action, Route};
pub(crate) use serving::{AccessLog, ClientLimits, Timeouts};
pub(crate) use upstream::{Protocol, ResponseLimits, Upstream, UpstreamRef, WeightedTarget};
pub(crate) use upstream_tls::UpstreamTls;

use crate::{
    diagnostics::{Diagnostic, Span},
    read::{Fields, Item, Reader, listed, nearest},
    syntax::{Kind, Node, shorten},
    vocabulary::{Key, Rule, Section, Shape},
};

/// All that a file says.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) keys: Keys,
    pub(crate) listeners: Vec<Listener>,
    pub(crate) workers: Option<NonZeroUsize>,
    pub(crate) trusted_proxies: Vec<IpNetwork>,
    pub(crate) access_log: AccessLog,
    pub(crate) timeouts: Timeouts,
    pub(crate) client_limits: ClientLimits,
    pub(crate) upstreams: Vec<Upstream>,
    pub(crate) limits: Vec<CallerLimit>,
    /// `None` when there is no `auth:`, so that all may come.
    pub(crate) auth: Option<Vec<Authenticator>>,
    pub(crate) defaults: Defaults,
    pub(crate) routes: Vec<Arc<Route>>,
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

pub(crate) static GATEWAY: Section = Section {
    title: "the file",
    name: "file",
    about: "The keys at the start of a line.",
    keys: &[
        Key::new("listen", Shape::Address, "The address of one listener without TLS.", "0.0.0.0:8080")
            .absent("`127.0.0.1:8080`, when there are no `listeners` either"),
        Key::new(
            "listeners",
            Shape::List(&Shape::Any(&[Shape::Address, Shape::Map(&listener::LISTENER)])),
            "The listeners, in place of `listen`.",
            "[{address: 0.0.0.0:8443, tls: {cert: api.pem, key: api.key}}]",
        ),
        Key::new(
            "workers",
            Shape::Number(1, MOST_WORKERS),
            "How many threads serve, each with a runtime, sockets and connections to upstreams of its own.",
            "2",
        )
        .absent("one a core"),
        Key::new(
            "trusted_proxies",
            Shape::List(&Shape::Network),
            "Peers that are believed when they say who the client is, and which `x-request-id` it has.",
            "[10.0.0.0/8]",
        )
        .absent("none: the peer is the client"),
        Key::new(
            "access_log",
            Shape::Any(&[Shape::Word(&["stdout"]), Shape::Off, Shape::Map(&serving::ACCESS_LOG)]),
            "Where each request leaves its line, one JSON object.",
            "{file: access.log}",
        )
        .absent("`stdout`"),
        Key::new(
            "timeouts",
            Shape::Map(&serving::TIMEOUTS),
            "How long clients may take.",
            "{head: 5s, idle: 2m}",
        ),
        Key::new(
            "client_limits",
            Shape::Map(&serving::CLIENT_LIMITS),
            "How much clients may send.",
            "{max_head: 32KiB, max_connections: 10000}",
        ),
        Key::new(
            "upstreams",
            Shape::Named(&Shape::Upstream, &upstream::UPSTREAM_VALUE),
            "Services behind the gateway, by names that routes use. A name holds no colon and no slash.",
            "{orders: {targets: [10.0.1.4:8080, 10.0.1.5:8080]}}",
        ),
        Key::new(
            "auth",
            auth::AUTHENTICATORS,
            "Ways to know who calls, by names that routes use. Once this section is there, each route says whom it asks, or `defaults` does.",
            "{app: {jwt: {oidc: \"https://id.example.com/\", audiences: [api]}}, partner: {api_key: {keys_file: keys.yaml}}}",
        )
        .absent("every route is served openly"),
        Key::new(
            "limits",
            Shape::Named(&Shape::Limit, &limit::LIMIT_VALUE),
            "How often callers may come, by names that routes use. All routes that use one share its counts. A name holds no slash.",
            "{per_user: {rate: 100/min, burst: 20}, per_address: {rate: 1000/min, key: client_ip}}",
        ),
        Key::new(
            "defaults",
            Shape::Map(&forwarding::DEFAULTS),
            "What holds for routes and upstreams that do not say it themselves.",
            "{timeout: 10s, retries: 1}",
        ),
        Key::new(
            "routes",
            Shape::Items(&Shape::Map(&route::ROUTE)),
            "Which requests go where. The order does not matter.",
            "[{path_prefix: /v1/orders, upstream: order-service:8080}]",
        ),
    ],
    rules: &[Rule::Required("routes"), Rule::AtMostOne(&["listen", "listeners"])],
    smallest: "{routes: [{path_prefix: /, upstream: localhost:3000}]}",
    later: &["admin", "audit", "telemetry", "tests"],
    aliases: &[
        ("bind", "listen"),
        ("services", "upstreams"),
        ("backends", "upstreams"),
        ("clusters", "upstreams"),
        ("servers", "upstreams"),
        ("rate_limits", "limits"),
        ("authentication", "auth"),
        ("authenticators", "auth"),
        ("rules", "routes"),
        ("log", "access_log"),
        ("metrics", "admin"),
        ("prometheus", "admin"),
        ("health", "admin"),
        ("status", "admin"),
    ],
};

/// The most workers: more than any machine has cores.
const MOST_WORKERS: i64 = 1024;

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
        let fields = Fields::read(root, &GATEWAY, reader)?;
        let upstreams = fields.get("upstreams").map(|node| upstreams(node, reader)).unwrap_or_default();
        let limits = fields.get("limits").map(|node| limits(node, reader)).unwrap_or_default();
        let auth = fields.get("auth").map(|node| Authenticator::read_all(node, reader));
        let defaults = fields.get("defaults").map(|node| {
            Defaults::read(node, reader)
                .unwrap_or_else(|| Defaults { auth: Some(Who::UNREAD), ..Defaults::default() })
        });
        let routes = routes(&fields, reader);
        reader.warn_of_what_is_unused();
        let settings = Self {
            keys: Keys(fields.keys().map(|(key, span)| (key.to_owned(), span)).collect()),
            listeners: listeners::read(&fields, reader),
            workers: fields.get("workers").and_then(|node| workers(node, reader)),
            trusted_proxies: fields
                .get("trusted_proxies")
                .map(|node| trusted_proxies(node, reader))
                .unwrap_or_default(),
            access_log: fields
                .get("access_log")
                .and_then(|node| AccessLog::read(node, reader))
                .unwrap_or(AccessLog::Stdout),
            timeouts: fields.get("timeouts").and_then(|node| Timeouts::read(node, reader)).unwrap_or_default(),
            client_limits: fields
                .get("client_limits")
                .and_then(|node| ClientLimits::read(node, reader))
                .unwrap_or_default(),
            upstreams,
            limits,
            auth,
            defaults: defaults.unwrap_or_default(),
            routes,
        };
        told::check(&settings, reader);
        settings.check_listener_names(reader);
        loops::check(&settings, reader);
        Some(settings)
    }
}

impl Settings {
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

/// Networks whose word is taken for who the client is.
fn trusted_proxies(node: &Node, reader: &mut Reader<'_>) -> Vec<IpNetwork> {
    let networks = reader.networks(node);
    if networks.iter().any(|network| network.prefix_len() == 0) {
        let place = Some(reader.place(node.span));
        reader
            .report(Diagnostic::warning(place, "every client is trusted to say itself which address it has"))
            .help("name the networks of the proxies alone; address lists and limits by `client_ip` hold nobody otherwise");
    }
    networks
}

/// Reads `upstreams:`, and tells the reader their names.
fn upstreams(node: &Node, reader: &mut Reader<'_>) -> Vec<Upstream> {
    let entries = match &node.kind {
        Kind::Map(entries) => entries.as_slice(),
        Kind::Invalid => &[],
        _ => {
            reader
                .error(node.span, format!("expected upstreams by their names, found {}", node.describe()))
                .help("write a map: `orders: {target: \"orders:8080\"}`");
            &[]
        }
    };
    let mut upstreams = Vec::with_capacity(entries.len());
    for entry in entries {
        reader.know_upstream(&entry.key, entry.key_span);
        if entry.key.contains([':', '/']) || entry.key.trim() != entry.key {
            reader
                .error(entry.key_span, format!("`{}` cannot name an upstream", shorten(&entry.key)))
                .help("a name holds no colon and no slash, so that a route can tell it from `host:port`");
        }
        upstreams.extend(Upstream::read(&entry.key, &entry.value, reader));
    }
    upstreams
}

/// Reads `limits:`, and tells the reader their names.
fn limits(node: &Node, reader: &mut Reader<'_>) -> Vec<CallerLimit> {
    let entries = match &node.kind {
        Kind::Map(entries) => entries.as_slice(),
        Kind::Invalid => &[],
        _ => {
            reader
                .error(node.span, format!("expected limits by their names, found {}", node.describe()))
                .help("write a map: `per_user: {rate: 100/min}`");
            &[]
        }
    };
    let mut limits = Vec::with_capacity(entries.len());
    for entry in entries {
        reader.know_limit(&entry.key, entry.key_span);
        let key = entry.key.as_str();
        if key.contains('/') || key.trim() != key || matches!(key, "" | "off" | "no" | "false") {
            reader.error(entry.key_span, format!("`{}` cannot name a limit", shorten(key))).help(
                "a name holds no slash, so that a route can tell it from a rate, and `off` stands for none",
            );
        }
        limits.extend(CallerLimit::read(key, &entry.value, reader));
    }
    limits
}

fn routes(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Vec<Arc<Route>> {
    let Some(entry) = fields.entry("routes") else {
        if !fields.is_meant(&["routes"]) {
            reader
                .error(fields.span(), "there are no routes")
                .help("add `routes:` with one item at least: `- {path_prefix: /, upstream: localhost:3000}`");
        }
        return Vec::new();
    };
    let items = reader.items(entry, "a list of routes", &route::ROUTE);
    if let [Item { node, name: None }] = &*items
        && std::ptr::eq(*node, &entry.value)
        && let Kind::Map(_) = node.kind
    {
        reader
            .error(node.span, "expected a list of routes, found a map")
            .help("each route begins with a dash: `- path_prefix: /v1/orders`");
    }
    items.iter().filter_map(|item| Route::read(item.node, reader)).map(Arc::new).collect()
}

/// How many threads serve.
fn workers(node: &Node, reader: &mut Reader<'_>) -> Option<NonZeroUsize> {
    if reader.text(node, "a whole number")?.parse::<i64>().is_ok() {
        return reader.count(node, MOST_WORKERS);
    }
    reader
        .error(node.span, format!("{} is not a whole number from 1 to {MOST_WORKERS}", node.describe()))
        .help("leave `workers` out for one a core");
    None
}
