use std::time::Duration;

use super::{
    Guards, ResponseLimits, Who,
    addresses::{ALLOW_IPS, DENY_IPS, UNKNOWN_IPS},
    auth::AUTH_KEY,
    limit::LIMIT_KEY,
    optional,
    upstream::{MAX_RESPONSE_HEAD, MAX_RESPONSE_HEADERS},
};
use crate::{
    read::{Fields, Reader},
    syntax::{Kind, Node},
    vocabulary::{Key, Section, Shape},
};

/// How a request is sent to its upstream.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Forwarding {
    /// Until the response's head.
    pub(crate) timeout: Option<Limit>,
    /// Between bytes.
    pub(crate) idle_timeout: Option<Limit>,
    pub(crate) retries: Option<Retries>,
}

/// What `defaults:` says: it holds where a route or an upstream says nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Defaults {
    pub(crate) forwarding: Forwarding,
    pub(crate) auth: Option<Who>,
    pub(crate) guards: Guards,
    /// Until there is a connection.
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) responses: ResponseLimits,
}

/// A time limit, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Limit {
    Off,
    After(Duration),
}

/// When a request is sent again.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Retries {
    /// How many times beyond the first; 0 for never.
    pub(crate) attempts: u32,
    pub(crate) on: Vec<RetryOn>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum RetryOn {
    /// There was no connection. A request that never left is sent again in any case.
    Connect,
    /// The connection closed before a response.
    Reset,
    /// The response's head did not come in time.
    Timeout,
    /// The upstream answered with this status.
    Status(u16),
}

pub(super) static DEFAULTS: Section = Section {
    title: "`defaults`",
    name: "defaults",
    about: "What holds for routes and upstreams that do not say it themselves.",
    keys: &[
        TIMEOUT.absent("30s"),
        IDLE_TIMEOUT.absent("60s"),
        Key::new(
            "connect_timeout",
            Shape::Duration,
            "For resolving, connecting and the TLS handshake together.",
            "2s",
        )
        .absent("5s"),
        MAX_RESPONSE_HEAD.absent("64KiB"),
        MAX_RESPONSE_HEADERS.absent("256"),
        RETRIES_KEY.absent("`off`"),
        AUTH_KEY.absent("each route says so itself"),
        ALLOW_IPS.absent("all"),
        DENY_IPS.absent("none"),
        UNKNOWN_IPS.absent("`deny`"),
        LIMIT_KEY.absent("none"),
    ],
    rules: &[],
    smallest: "{}",
    later: &["cors", "waf", "bots"],
    aliases: &[],
};

const LIMIT: Shape = Shape::Any(&[Shape::Duration, Shape::Off]);

const RETRIES_VALUE: Shape = Shape::Any(&[Shape::Number(0, MOST_ATTEMPTS), Shape::Off, Shape::Map(&RETRIES)]);

pub(super) const TIMEOUT: Key = Key::new(
    "timeout",
    LIMIT,
    "Until the response's head. While the request's body is still on its way, it starts anew with each part.",
    "10s",
);

pub(super) const IDLE_TIMEOUT: Key = Key::new(
    "idle_timeout",
    LIMIT,
    "Between bytes of bodies and upgraded connections; nothing else bounds those.",
    "5m",
);

pub(super) const RETRIES_KEY: Key = Key::new(
    "retries",
    RETRIES_VALUE,
    "How many times a request that was sent is sent again. It is only when its method is idempotent and its body has 64 KiB \
     at most, and within a budget of a fifth of what clients send. One that never left or was not processed is sent again in any case, \
     with its body unless more than 64 KiB of it have left, and such an idempotent one once when an idle connection closes as it \
     arrives.",
    "{attempts: 2, on: [connect, reset, 503]}",
);

static RETRIES: Section = Section {
    title: "`retries`",
    name: "retries",
    about: "When a request is sent again.",
    keys: &[
        Key::new("attempts", Shape::Number(0, MOST_ATTEMPTS), "How many times beyond the first.", "2").absent("1"),
        Key::new(
            "on",
            Shape::List(&Shape::Word(&["connect", "reset", "timeout", "429", "500", "502", "503", "504"])),
            "What is a reason to: no connection, a connection that closed before the response, a response that did not come in \
             time, or a status.",
            "[connect, reset, 503]",
        )
        .absent("`[connect, reset]`"),
    ],
    rules: &[],
    smallest: "{attempts: 2}",
    later: &["budget", "backoff"],
    aliases: &[("count", "attempts"), ("num_retries", "attempts"), ("retry_on", "on")],
};

/// The most times that one request is sent again.
const MOST_ATTEMPTS: i64 = 10;

/// When `on` is left out.
const USUAL: [RetryOn; 2] = [RetryOn::Connect, RetryOn::Reset];

impl Defaults {
    pub(crate) fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let fields = Fields::read(node, &DEFAULTS, reader)?;
        let forwarding = Forwarding::read(&fields, reader);
        let auth = fields.get("auth").map(|node| Who::read(node, reader));
        let guards = Guards::read(&fields, reader);
        let connect_timeout = fields.get("connect_timeout").map(|node| reader.duration(node));
        let responses = ResponseLimits::read(&fields, reader);
        Some(Self {
            forwarding: forwarding?,
            auth: optional(auth)?,
            guards: guards?,
            connect_timeout: optional(connect_timeout)?,
            responses: responses?,
        })
    }
}

impl Forwarding {
    /// Reads the keys that a route and `defaults` share.
    pub(crate) fn read(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let timeout = fields.get("timeout").map(|node| Limit::read(node, reader));
        let idle_timeout = fields.get("idle_timeout").map(|node| Limit::read(node, reader));
        let retries = fields.get("retries").map(|node| Retries::read(node, reader));
        Some(Self {
            timeout: optional(timeout)?,
            idle_timeout: optional(idle_timeout)?,
            retries: optional(retries)?,
        })
    }

    /// What is left out here, as `defaults` has it.
    pub(crate) fn or(&self, defaults: &Self) -> Self {
        Self {
            timeout: self.timeout.or(defaults.timeout),
            idle_timeout: self.idle_timeout.or(defaults.idle_timeout),
            retries: self.retries.clone().or_else(|| defaults.retries.clone()),
        }
    }
}

impl Limit {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        reader.duration_or_off(node).map(|limit| limit.map_or(Self::Off, Self::After))
    }
}

impl Retries {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        if Reader::is_off(node) {
            return Some(Self { attempts: 0, on: Vec::new() });
        }
        let (attempts, on) = match &node.kind {
            // The short form: how many.
            Kind::Scalar(_) => (attempts(node, reader), Some(USUAL.to_vec())),
            _ => {
                let fields = Fields::read(node, &RETRIES, reader)?;
                let attempts = fields.get("attempts").map_or(Some(1), |node| attempts(node, reader));
                let on = fields.get("on").map_or(Some(USUAL.to_vec()), |node| conditions(node, reader));
                (attempts, on)
            }
        };
        Some(Self { attempts: attempts?, on: on? })
    }
}

fn attempts(node: &Node, reader: &mut Reader<'_>) -> Option<u32> {
    reader.number(node, 0..=MOST_ATTEMPTS).and_then(|number| u32::try_from(number).ok())
}

fn conditions(node: &Node, reader: &mut Reader<'_>) -> Option<Vec<RetryOn>> {
    const WORDS: &[(&str, RetryOn)] = &[
        ("connect", RetryOn::Connect),
        ("reset", RetryOn::Reset),
        ("timeout", RetryOn::Timeout),
        ("500", RetryOn::Status(500)),
        ("502", RetryOn::Status(502)),
        ("503", RetryOn::Status(503)),
        ("504", RetryOn::Status(504)),
        ("429", RetryOn::Status(429)),
    ];
    let nodes = reader.list(node, "a list of reasons to retry");
    let read: Vec<_> = nodes.iter().map(|node| reader.choice(node, "a reason to retry", WORDS)).collect();
    read.into_iter().collect()
}
