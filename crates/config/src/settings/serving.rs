use std::{num::NonZeroUsize, path::PathBuf, time::Duration};

use gatewright_server::Names;

use super::optional;
use crate::{
    diagnostics::Spanned,
    read::{Fields, Reader, Usual},
    syntax::{Kind, Node, shorten},
    vocabulary::{Key, Rule, Section, Shape},
};

/// Where the access log goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AccessLog {
    Off,
    Stdout,
    File(Spanned<PathBuf>),
}

/// How long clients may take. What is left out is as the server has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Timeouts {
    /// For a request's head, and before it for a PROXY header and a TLS handshake.
    pub(crate) head: Option<Duration>,
    /// Between requests.
    pub(crate) idle: Option<Duration>,
    /// Between bytes of a request's body.
    pub(crate) body: Option<Duration>,
    /// Between bytes of a response that the client takes.
    pub(crate) write: Option<Duration>,
    /// Between bytes of an upgraded connection, in either direction.
    pub(crate) stream: Option<Duration>,
    /// For a client that is still sending a request which has been answered.
    pub(crate) linger: Option<Duration>,
    /// Between bytes of it.
    pub(crate) linger_pause: Option<Duration>,
    /// For what is under way when the gateway is told to stop.
    pub(crate) drain: Option<Duration>,
}

/// How much clients may send. What is left out is as the server has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ClientLimits {
    pub(crate) max_head: Option<usize>,
    pub(crate) max_target: Option<usize>,
    pub(crate) max_headers: Option<u16>,
    pub(crate) max_connections: Option<NonZeroUsize>,
    pub(crate) max_streams: Option<u32>,
    /// Bytes of a request that nobody reads.
    pub(crate) max_discarded: Option<u64>,
    pub(crate) header_names: Option<Names>,
}

pub(super) static ACCESS_LOG: Section = Section {
    title: "`access_log`",
    name: "access_log",
    about: "An access log in a file. SIGHUP opens it anew, for when it was moved away.",
    keys: &[Key::new(
        "file",
        Shape::File,
        "Where the lines go, each at the end of what is there.",
        "access.log",
    )],
    rules: &[Rule::Required("file")],
    smallest: "{file: access.log}",
    later: &["format", "fields"],
    aliases: &[("path", "file")],
};

pub(super) static TIMEOUTS: Section = Section {
    title: "`timeouts`",
    name: "timeouts",
    about: "How long clients may take. How long upstreams may is said in routes, upstreams and `defaults`.",
    keys: &[
        Key::new(
            "head",
            Shape::Duration,
            "For a PROXY header and a TLS handshake, and for the head of a request from its first byte to its last.",
            "5s",
        )
        .absent("10s"),
        Key::new("idle", Shape::Duration, "For a connection without a request in flight.", "2m").absent("60s"),
        Key::new("body", Shape::Duration, "Between two parts of a request's body.", "10s").absent("30s"),
        Key::new("write", Shape::Duration, "For the client to take more of a response.", "10s").absent("30s"),
        Key::new(
            "stream",
            Shape::Duration,
            "Between bytes of an upgraded connection, in either direction.",
            "1h",
        )
        .absent("5m"),
        Key::new(
            "linger",
            Shape::Duration,
            "For a client that goes on sending a request which has been answered and which nobody reads, so that it gets \
             the answer when it reads only after it has sent all. What it sends is thrown away, up to \
             `client_limits.max_discarded`.",
            "10s",
        )
        .absent("30s"),
        Key::new("linger_pause", Shape::Duration, "Between two parts of such a request.", "1s").absent("5s"),
        Key::new(
            "drain",
            Shape::Duration,
            "For what is under way when the gateway is told to stop; what is left then is cut.",
            "10s",
        )
        .absent("30s"),
    ],
    rules: &[],
    smallest: "{}",
    later: &[],
    aliases: &[
        ("header", "head"),
        ("handshake", "head"),
        ("read", "body"),
        ("send", "write"),
        ("keep_alive", "idle"),
        ("keepalive", "idle"),
        ("lingering_time", "linger"),
        ("lingering_timeout", "linger_pause"),
        ("shutdown", "drain"),
    ],
};

pub(super) static CLIENT_LIMITS: Section = Section {
    title: "`client_limits`",
    name: "client_limits",
    about: "How much clients may send.",
    keys: &[
        Key::new("max_head", Shape::Size, "Of a request's head; a larger one is answered with 431.", "32KiB")
            .absent("64KiB"),
        Key::new(
            "max_target",
            Shape::Size,
            "Of a request's target, its path and query; a longer one is answered with 414.",
            "4KiB",
        )
        .absent("8KiB"),
        Key::new(
            "max_headers",
            Shape::Number(1, MOST_HEADERS),
            "Lines of a request's head; more are answered with 431.",
            "50",
        )
        .absent("100"),
        Key::new(
            "max_connections",
            Shape::Number(1, MOST_CONNECTIONS),
            "Open at the same time, over all listeners; more have to wait.",
            "10000",
        )
        .absent("no bound"),
        Key::new(
            "max_streams",
            Shape::Number(1, MOST_STREAMS),
            "Requests at the same time on one HTTP/2 connection.",
            "50",
        )
        .absent("100"),
        Key::new(
            "max_discarded",
            Shape::Size,
            "Of a request that has been answered and that nobody reads: so much of it is thrown away, so that its client gets the \
             answer. The time for it is `timeouts.linger`.",
            "1MiB",
        )
        .absent("64MiB"),
        Key::new(
            "header_names",
            Shape::Word(&["drop", "refuse", "pass"]),
            "What becomes of headers whose names hold other characters than letters, digits and hyphens, such as `_` and `.`, which \
             many servers take for `-`: they are left out and counted, the request is answered with 400 and the name, or they \
             pass. One that reads like a header which frames the request (`Content_Length`) never passes.",
            "pass",
        )
        .absent("`drop`"),
    ],
    rules: &[],
    smallest: "{}",
    later: &["max_body"],
    aliases: &[
        ("max_header_bytes", "max_head"),
        ("max_uri", "max_target"),
        ("max_body_size", "max_body"),
        ("client_max_body_size", "max_body"),
        ("connections", "max_connections"),
        ("underscores_in_headers", "header_names"),
        ("headers_with_underscores_action", "header_names"),
    ],
};

const USUAL_HEAD: Usual = Usual {
    least: 1 << 10,
    most: 1 << 20,
    if_less: "the head of a usual request is larger, and is refused with 431",
    if_more: "each client can make the gateway hold so much",
};

const USUAL_TARGET: Usual = Usual {
    least: 256,
    most: 64 << 10,
    if_less: "the path and query of many a usual request are longer, and are refused with 414",
    if_more: "no target of more than 65534 bytes is taken",
};

const MOST_HEADERS: i64 = 10_000;
const MOST_CONNECTIONS: i64 = 10_000_000;
const MOST_STREAMS: i64 = 10_000;

impl AccessLog {
    pub(crate) fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match &node.kind {
            Kind::Map(_) => {
                let fields = Fields::read(node, &ACCESS_LOG, reader)?;
                let file = fields.required("file", reader)?;
                reader.file(file).map(Self::File)
            }
            _ if Reader::is_off(node) => Some(Self::Off),
            _ => match reader.text(node, "`stdout`, `off` or `{file: access.log}`")? {
                "stdout" => Some(Self::Stdout),
                other => {
                    let message = format!("`{}` is not where an access log can go", shorten(other));
                    let help = format!("it is `stdout`, `off`, or a file: `{{file: {}}}`", shorten(other));
                    reader.error(node.span, message).help(help);
                    None
                }
            },
        }
    }
}

impl Timeouts {
    pub(crate) fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let fields = Fields::read(node, &TIMEOUTS, reader)?;
        let mut limit = |key: &str| fields.get(key).map(|node| reader.duration(node));
        let [head, idle, body, write, stream, linger, linger_pause, drain] =
            ["head", "idle", "body", "write", "stream", "linger", "linger_pause", "drain"].map(&mut limit);
        Some(Self {
            head: optional(head)?,
            idle: optional(idle)?,
            body: optional(body)?,
            write: optional(write)?,
            stream: optional(stream)?,
            linger: optional(linger)?,
            linger_pause: optional(linger_pause)?,
            drain: optional(drain)?,
        })
    }
}

impl ClientLimits {
    pub(crate) fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let fields = Fields::read(node, &CLIENT_LIMITS, reader)?;
        let max_head = fields.get("max_head").map(|node| reader.bound(node, &USUAL_HEAD));
        let max_target = fields.get("max_target").map(|node| reader.bound(node, &USUAL_TARGET));
        let max_headers = fields.get("max_headers").map(|node| reader.number(node, 1..=MOST_HEADERS));
        let max_connections = fields.get("max_connections").map(|node| reader.count(node, MOST_CONNECTIONS));
        let max_streams = fields.get("max_streams").map(|node| reader.number(node, 1..=MOST_STREAMS));
        let max_discarded = fields.get("max_discarded").map(|node| reader.size(node));
        let header_names = fields.get("header_names").map(|node| {
            let choices = [("drop", Names::Drop), ("refuse", Names::Refuse), ("pass", Names::Pass)];
            reader.choice(node, "what becomes of headers with unusual names", &choices)
        });
        Some(Self {
            max_head: optional(max_head)?,
            max_target: optional(max_target)?,
            max_headers: optional(max_headers)?.and_then(|number| u16::try_from(number).ok()),
            max_connections: optional(max_connections)?,
            max_streams: optional(max_streams)?.and_then(|number| u32::try_from(number).ok()),
            max_discarded: optional(max_discarded)?.and_then(|bytes| u64::try_from(bytes).ok()),
            header_names: optional(header_names)?,
        })
    }
}
