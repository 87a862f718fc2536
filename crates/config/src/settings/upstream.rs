use std::{num::NonZeroUsize, time::Duration};

use super::UpstreamTls;
use crate::{
    diagnostics::{At, Diagnostic, Spanned},
    read::{Fields, Keys, Map, Number, Reader, Referent, Target, Usual, Value, value},
    syntax::{Entry, Kind, Node},
    vocabulary::{Relation, Rule, Shape, Table, choice, group, long_form, settings},
};

long_form! {
    /// A service behind the gateway. `host:port` alone stands for one target with nothing else said. Routes that write the same
    /// upstream share it, and a reload that does not change it keeps its connections. A name that does not resolve is a warning when
    /// the gateway starts, and its routes answer 502 until it does.
    #[derive(Debug, Clone, PartialEq, Eq, Hash)]
    pub(crate) struct Upstream {
        title: "an upstream";
        name: "upstream";
        smallest: "{target: orders:8080}";
        rules: [
            Rule::new(Relation::ExactlyOne(&["targets", "target"]))
                .missing("say where the service listens: `target: orders:8080`, or `targets: [a:8080, b:8080]`")
                .surplus("put every target into `targets`"),
        ];
        later: ["health", "function", "discovery"];
        aliases: [("health_check", "health"), ("health_checks", "health"), ("healthcheck", "health")];
        // The name is for logs and metrics.
        also { at: At, name: String }
        first { targets: Vec<WeightedTarget> }
        groups { bounds: UpstreamBounds }

        /// The protocol towards the service. `auto` is HTTP/1.1 on cleartext, and what ALPN settles under TLS.
        protocol: default Protocol = Protocol::Auto, "http2", absent "`auto`";
        /// TLS towards the service; `on` trusts the system's authorities.
        tls: default UpstreamTls, "{ca: internal.pem, server_name: orders.internal}", absent "`off`";
        /// How the next target is chosen.
        balance: default Balance, "round_robin", absent "`round_robin`", alias ["load_balancing"];
        /// How long an idle connection is kept. Choose less than the service itself keeps it.
        keep_alive: optional Duration, "20s", absent "4s";
        /// Connections to each target; more requests wait for one, within `connect_timeout`.
        max_connections: optional Number<NonZeroUsize, 1, 1_000_000>, "200", absent "no bound";
    }
}

settings! {
    /// Bounds of the connections to a service and of its responses.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
    pub(crate) struct UpstreamBounds {
        /// The time for resolving, connecting and the TLS handshake together.
        connect_timeout: Duration, "2s", absent "5s";
        /// The size of a response's head; a larger one is answered with 502.
        max_response_head: ResponseHead, "128KiB", absent "64KiB", alias ["max_response_headers_kb", "proxy_buffer_size"];
        /// Lines of a response's head; a response with more is answered with 502.
        max_response_headers: Number<u16, 1, 10_000>, "500", absent "256", alias ["max_response_headers_count"];
    }
}

/// The size of a response's head.
pub(crate) struct ResponseHead;

value! {
    ResponseHead: usize = Shape::Size, |node, reader| reader.bound(node, &USUAL_RESPONSE_HEAD);
}

const USUAL_RESPONSE_HEAD: Usual = Usual {
    least: 1 << 10,
    most: 16 << 20,
    if_less: "the head of a usual response is larger, and is answered with 502",
    if_more: "each response can make the gateway hold so much",
};

group! {
    /// One target, or several.
    #[derive(Debug)]
    pub(crate) struct Targets {
        /// Where the service listens; each target takes its turn.
        targets: default Vec<WeightedTarget>, "[10.0.1.4:8080, {address: 10.0.1.5:8080, weight: 2}]",
            alias ["servers", "endpoints", "hosts"];
        /// The same, for one target.
        target: optional WeightedTarget, "orders:8080", alias ["url", "address", "server"];
    }
}

impl Keys for Vec<WeightedTarget> {
    const TABLE: &'static Table = Targets::TABLE;

    fn of(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let Targets { mut targets, target } = Targets::of(fields, reader)?;
        targets.extend(target);
        // `off` says that it is meant.
        if fields.get("tls").is_none() {
            warn_of_https(targets.iter().map(|target| &target.target), reader);
        }
        Some(targets)
    }
}

long_form! {
    /// A target that takes more turns than others.
    #[derive(Debug, Clone, PartialEq, Eq, Hash)]
    pub(crate) struct WeightedTarget {
        title: "a target";
        name: "target";
        smallest: "{address: 10.0.1.5:8080}";

        /// Where the target listens.
        target("address"): required Target, "10.0.1.5:8080", alias ["host"];
        /// How many turns the target takes where others take one.
        weight: default Number<u32, 1, 100> = 1, "2", absent "1";
    }
}

impl Value for WeightedTarget {
    type Kept = Self;
    const SHAPE: Shape = Shape::Any(&[Shape::Target, Shape::Map(Self::SECTION)]);

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match &node.kind {
            Kind::Map(_) => Self::read_long(node, reader),
            _ => reader.target(node).map(|target| Self { target, weight: 1 }),
        }
    }
}

choice! {
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub(crate) enum Protocol, "a protocol" {
        Auto = "auto",
        Http1 = "http1",
        Http2 = "http2",
    }
}

/// How the next target is chosen: in one way so far.
pub(crate) struct Balance;

impl Value for Balance {
    type Kept = ();
    const SHAPE: Shape = Shape::Word(&["round_robin"]);

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<()> {
        let choices = [("round_robin", true), ("least_request", false), ("peak_ewma", false), ("hash", false)];
        if reader.choice(node, "a way to balance", &choices)? {
            return Some(());
        }
        let written = node.describe();
        reader
            .error(node.span, format!("{written} is not supported by this version of gatewright"))
            .help("write `balance: round_robin`, or leave it out");
        None
    }
}

/// How a route names its upstream.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum UpstreamRef {
    /// One of `upstreams:`.
    Named(Spanned<String>),
    /// `host:port`, by which all routes that write the same mean the same.
    Address(Upstream),
    /// A whole upstream, written in the route.
    Inline(Upstream),
    /// An upstream that could not be read, or is not there: it was reported.
    #[default]
    Unread,
}

impl Value for Upstream {
    type Kept = Self;
    const SHAPE: Shape = Shape::Any(&[Shape::Target, Shape::Map(Self::SECTION)]);

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match &node.kind {
            Kind::Scalar(_) => {
                let target = reader.upstream(node)?;
                warn_of_https([&target], reader);
                Some(Self::of_target("", target))
            }
            Kind::List(nodes) => {
                reader
                    .error(node.span, "expected a map for an upstream, found a list")
                    .help(format!("write `{{targets: {}}}`", node.on_one_line()));
                nodes.iter().for_each(|node| drop(WeightedTarget::read(node, reader)));
                None
            }
            _ => Self::read_long(node, reader),
        }
    }
}

impl Upstream {
    /// Reads an upstream of `upstreams:`.
    pub(super) fn read_named(entry: &Entry, reader: &mut Reader<'_>) -> Option<Self> {
        let is_name = !entry.key.contains([':', '/']) && entry.key.trim() == entry.key;
        let help = "a name holds no colon and no slash, so that a route can tell it from `host:port`";
        reader.define(Referent::Upstream, entry, is_name, help);
        Self::read(&entry.value, reader).map(|upstream| Self { name: entry.key.clone(), ..upstream })
    }

    fn of_target(name: &str, target: Spanned<Target>) -> Self {
        Self {
            name: name.to_owned(),
            at: At(target.span),
            targets: vec![WeightedTarget { target, weight: 1 }],
            protocol: Protocol::Auto,
            tls: None,
            balance: (),
            keep_alive: None,
            max_connections: None,
            bounds: UpstreamBounds::default(),
        }
    }
}

/// Warns of targets on the port of HTTPS where nothing is said of TLS.
fn warn_of_https<'a>(targets: impl IntoIterator<Item = &'a Spanned<Target>>, reader: &mut Reader<'_>) {
    for target in targets.into_iter().filter(|target| target.value.port() == 443) {
        let place = Some(reader.place(target.span));
        reader
            .report(Diagnostic::warning(
                place,
                format!("`{}` without TLS: services speak HTTPS there", target.value),
            ))
            .help(format!(
                "write `{{target: \"{}\", tls: on}}`; or `tls: off`, if it is cleartext indeed",
                target.value
            ));
    }
}

impl UpstreamRef {
    /// What was written in the route itself.
    pub(crate) fn own(&self) -> Option<&Upstream> {
        match self {
            Self::Named(_) | Self::Unread => None,
            Self::Address(upstream) | Self::Inline(upstream) => Some(upstream),
        }
    }
}

impl Value for UpstreamRef {
    type Kept = Self;
    const SHAPE: Shape = Shape::Any(&[Shape::Upstream, Upstream::SHAPE]);

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match &node.kind {
            Kind::Scalar(_) => {
                let text = reader.text(node, "an upstream")?;
                // A name holds no colon and an address always does; a scheme or a path is an address gone wrong.
                if !text.contains([':', '/', '@']) {
                    reader.refer(Referent::Upstream, text, node.span);
                    return Some(Self::Named(Spanned::new(text.to_owned(), node.span)));
                }
                let target = reader.upstream(node)?;
                warn_of_https([&target], reader);
                let name = target.value.to_string();
                Some(Self::Address(Upstream::of_target(&name, target)))
            }
            _ => {
                let mut upstream = Upstream::read(node, reader)?;
                let targets: Vec<_> =
                    upstream.targets.iter().map(|target| target.target.value.to_string()).collect();
                upstream.name = targets.join(",");
                Some(Self::Inline(upstream))
            }
        }
    }
}
