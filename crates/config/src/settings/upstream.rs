use std::{num::NonZeroUsize, time::Duration};

use super::{
    optional,
    upstream_tls::{UPSTREAM_TLS, UpstreamTls},
};
use crate::{
    diagnostics::{At, Diagnostic, Spanned},
    read::{Fields, Item, Reader, Target, Usual},
    syntax::{Kind, Node},
    vocabulary::{Key, Rule, Section, Shape},
};

/// A service behind the gateway.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Upstream {
    /// The name that logs and metrics give it.
    pub(crate) name: String,
    pub(crate) at: At,
    pub(crate) targets: Vec<WeightedTarget>,
    pub(crate) protocol: Protocol,
    pub(crate) tls: Option<UpstreamTls>,
    /// Until there is a connection, its TLS handshake included.
    pub(crate) connect_timeout: Option<Duration>,
    /// How long an idle connection is kept.
    pub(crate) keep_alive: Option<Duration>,
    /// To each target.
    pub(crate) max_connections: Option<NonZeroUsize>,
    pub(crate) responses: ResponseLimits,
}

/// What a response's head may be. What is left out is as the client has it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct ResponseLimits {
    /// Bytes.
    pub(crate) max_head: Option<usize>,
    /// Field lines.
    pub(crate) max_headers: Option<u16>,
}

/// A target, and how many turns it takes where others take one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct WeightedTarget {
    pub(crate) target: Spanned<Target>,
    pub(crate) weight: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Protocol {
    Auto,
    Http1,
    Http2,
}

/// How a route names its upstream.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) enum UpstreamRef {
    /// One of `upstreams:`.
    Named(Spanned<String>),
    /// `host:port`, by which all routes that write the same mean the same.
    Address(Upstream),
    /// A whole upstream, written in the route.
    Inline(Upstream),
    /// One that could not be read, or is not there: it was reported.
    Unread,
}

static UPSTREAM: Section = Section {
    title: "an upstream",
    name: "upstream",
    about: "A service behind the gateway. `host:port` alone stands for one target with nothing else said. Routes that write the \
            same upstream share it, and a reload that leaves it as it is keeps its connections. A name that does not resolve is a \
            warning when the gateway starts, and its routes answer 502 until it does.",
    keys: &[
        Key::new(
            "targets",
            Shape::List(&TARGET_VALUE),
            "Where the service listens; each takes its turn.",
            "[10.0.1.4:8080, {address: 10.0.1.5:8080, weight: 2}]",
        ),
        Key::new("target", TARGET_VALUE, "The same, for one.", "orders:8080"),
        Key::new(
            "protocol",
            Shape::Word(&["auto", "http1", "http2"]),
            "What is spoken. `auto` is HTTP/1.1 on cleartext, and what ALPN settles under TLS.",
            "http2",
        )
        .absent("`auto`"),
        Key::new(
            "tls",
            Shape::Any(&[Shape::On, Shape::Off, Shape::Map(&UPSTREAM_TLS)]),
            "Speaks TLS; `on` trusts the system's authorities.",
            "{ca: internal.pem, server_name: orders.internal}",
        )
        .absent("`off`"),
        Key::new("balance", Shape::Word(&["round_robin"]), "Whose turn it is.", "round_robin")
            .absent("`round_robin`"),
        Key::new(
            "connect_timeout",
            Shape::Duration,
            "For resolving, connecting and the TLS handshake together.",
            "1s",
        )
        .absent("as in `defaults`, or else 5s"),
        Key::new(
            "keep_alive",
            Shape::Duration,
            "How long an idle connection is kept: less long than the service itself keeps it.",
            "20s",
        )
        .absent("4s"),
        Key::new(
            "max_connections",
            Shape::Number(1, MOST_CONNECTIONS),
            "To each target; more requests wait for one, within `connect_timeout`.",
            "200",
        )
        .absent("no bound"),
        MAX_RESPONSE_HEAD.absent("as in `defaults`, or else 64KiB"),
        MAX_RESPONSE_HEADERS.absent("as in `defaults`, or else 256"),
    ],
    rules: &[Rule::ExactlyOne(&["target", "targets"])],
    smallest: "{target: orders:8080}",
    later: &["health", "function", "discovery"],
    aliases: &[
        ("servers", "targets"),
        ("endpoints", "targets"),
        ("hosts", "targets"),
        ("url", "target"),
        ("address", "target"),
        ("server", "target"),
        ("load_balancing", "balance"),
        ("max_response_headers_kb", "max_response_head"),
        ("max_response_headers_count", "max_response_headers"),
        ("proxy_buffer_size", "max_response_head"),
        ("health_check", "health"),
        ("health_checks", "health"),
        ("healthcheck", "health"),
    ],
};

const TARGET_VALUE: Shape = Shape::Any(&[Shape::Target, Shape::Map(&TARGET)]);

/// An upstream in its short form or its long one.
pub(super) static UPSTREAM_VALUE: Shape = Shape::Any(&[Shape::Target, Shape::Map(&UPSTREAM)]);

const MOST_CONNECTIONS: i64 = 1_000_000;
const MOST_HEADERS: i64 = 10_000;

pub(super) const MAX_RESPONSE_HEAD: Key = Key::new(
    "max_response_head",
    Shape::Size,
    "Of a response's head; a larger one is answered with 502.",
    "128KiB",
);

pub(super) const MAX_RESPONSE_HEADERS: Key = Key::new(
    "max_response_headers",
    Shape::Number(1, MOST_HEADERS),
    "Lines of a response's head; one with more is answered with 502.",
    "500",
);

static TARGET: Section = Section {
    title: "a target",
    name: "target",
    about: "A target that takes more turns than others.",
    keys: &[
        Key::new("address", Shape::Target, "Where it listens.", "10.0.1.5:8080"),
        Key::new("weight", Shape::Number(1, 100), "How many turns it takes where others take one.", "2")
            .absent("1"),
    ],
    rules: &[Rule::Required("address")],
    smallest: "{address: 10.0.1.5:8080}",
    later: &[],
    aliases: &[("host", "address")],
};

impl Upstream {
    /// Reads an upstream: a target alone, or a map.
    pub(crate) fn read(name: &str, node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        if let Kind::Scalar(_) = &node.kind {
            let target = reader.upstream(node)?;
            warn_of_https([&target], reader);
            return Some(Self::of_target(name, target));
        }
        if let Kind::List(nodes) = &node.kind {
            reader
                .error(node.span, "expected a map for an upstream, found a list")
                .help(format!("write `{{targets: {}}}`", node.on_one_line()));
            nodes.iter().for_each(|node| drop(WeightedTarget::read(node, reader)));
            return None;
        }
        let fields = Fields::read(node, &UPSTREAM, reader)?;
        let targets = targets(&fields, reader);
        let protocol = fields.get("protocol").map_or(Some(Protocol::Auto), |node| protocol(node, reader));
        let balance = fields.get("balance").map_or(Some(()), |node| balance(node, reader));
        let tls = fields.get("tls").map_or(Some(None), |node| UpstreamTls::read(node, reader));
        let connect_timeout = fields.get("connect_timeout").map(|node| reader.duration(node));
        let keep_alive = fields.get("keep_alive").map(|node| reader.duration(node));
        let max_connections = fields.get("max_connections").map(|node| reader.count(node, MOST_CONNECTIONS));
        let responses = ResponseLimits::read(&fields, reader);
        // `off` says that it is meant.
        if fields.get("tls").is_none() {
            warn_of_https(targets.iter().flatten().map(|target| &target.target), reader);
        }
        balance?;
        Some(Self {
            name: name.to_owned(),
            at: At(fields.span()),
            targets: targets?,
            protocol: protocol?,
            tls: tls?,
            connect_timeout: optional(connect_timeout)?,
            keep_alive: optional(keep_alive)?,
            max_connections: optional(max_connections)?,
            responses: responses?,
        })
    }

    fn of_target(name: &str, target: Spanned<Target>) -> Self {
        Self {
            name: name.to_owned(),
            at: At(target.span),
            targets: vec![WeightedTarget { target, weight: 1 }],
            protocol: Protocol::Auto,
            tls: None,
            connect_timeout: None,
            keep_alive: None,
            max_connections: None,
            responses: ResponseLimits::default(),
        }
    }
}

const USUAL_RESPONSE_HEAD: Usual = Usual {
    least: 1 << 10,
    most: 16 << 20,
    if_less: "the head of a usual response is larger, and is answered with 502",
    if_more: "each response can make the gateway hold so much",
};

impl ResponseLimits {
    pub(super) fn read(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let max_head = fields.get("max_response_head").map(|node| reader.bound(node, &USUAL_RESPONSE_HEAD));
        let max_headers = fields.get("max_response_headers").map(|node| reader.number(node, 1..=MOST_HEADERS));
        Some(Self {
            max_head: optional(max_head)?,
            max_headers: optional(max_headers)?.and_then(|number| u16::try_from(number).ok()),
        })
    }

    /// What these say, and where they say nothing, the others.
    pub(crate) fn or(self, others: Self) -> Self {
        Self {
            max_head: self.max_head.or(others.max_head),
            max_headers: self.max_headers.or(others.max_headers),
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

fn targets(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Option<Vec<WeightedTarget>> {
    let nodes = match (fields.entry("targets"), fields.entry("target")) {
        (Some(_), Some(single)) => {
            reader
                .error(single.key_span, "both `target` and `targets`")
                .help("put every target into `targets`");
            return None;
        }
        (Some(several), None) => reader.items(several, "a list of targets", &TARGET),
        (None, Some(single)) => vec![Item::of(&single.value)],
        (None, None) if fields.is_meant(&["target", "targets"]) => return None,
        (None, None) => {
            reader
                .error(fields.span(), "an upstream without a target")
                .help("say where the service listens: `target: orders:8080`, or `targets: [a:8080, b:8080]`");
            return None;
        }
    };
    let targets: Vec<_> = nodes.iter().map(|item| WeightedTarget::read(item.node, reader)).collect();
    let targets: Option<Vec<_>> = targets.into_iter().collect();
    targets.filter(|targets| !targets.is_empty())
}

impl WeightedTarget {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let Kind::Map(_) = &node.kind else {
            return reader.target(node).map(|target| Self { target, weight: 1 });
        };
        let fields = Fields::read(node, &TARGET, reader)?;
        let target = fields.required("address", reader).and_then(|node| reader.target(node));
        let weight = fields
            .get("weight")
            .map_or(Some(1), |node| reader.number(node, 1..=100).and_then(|weight| u32::try_from(weight).ok()));
        Some(Self { target: target?, weight: weight? })
    }
}

fn protocol(node: &Node, reader: &mut Reader<'_>) -> Option<Protocol> {
    let choices = [("auto", Protocol::Auto), ("http1", Protocol::Http1), ("http2", Protocol::Http2)];
    reader.choice(node, "a protocol", &choices)
}

fn balance(node: &Node, reader: &mut Reader<'_>) -> Option<()> {
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

impl UpstreamRef {
    /// What was written in the route itself.
    pub(crate) fn own(&self) -> Option<&Upstream> {
        match self {
            Self::Named(_) | Self::Unread => None,
            Self::Address(upstream) | Self::Inline(upstream) => Some(upstream),
        }
    }

    pub(crate) fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match &node.kind {
            Kind::Scalar(_) => {
                let text = reader.text(node, "an upstream")?;
                // A name holds no colon and an address always does; a scheme or a path is an address gone wrong.
                if !text.contains([':', '/', '@']) {
                    reader.use_upstream(text, node.span);
                    return Some(Self::Named(Spanned::new(text.to_owned(), node.span)));
                }
                let target = reader.upstream(node)?;
                warn_of_https([&target], reader);
                let name = target.value.to_string();
                Some(Self::Address(Upstream::of_target(&name, target)))
            }
            _ => {
                let mut upstream = Upstream::read("", node, reader)?;
                let targets: Vec<_> =
                    upstream.targets.iter().map(|target| target.target.value.to_string()).collect();
                upstream.name = targets.join(",");
                Some(Self::Inline(upstream))
            }
        }
    }
}
