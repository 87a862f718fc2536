//! How often callers may come.

use std::collections::HashSet;

use gatewright_core::{Quota, claims};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::{
    limit_store::{RedisSettings, STORE},
    optional,
};
use crate::{
    diagnostics::{At, Spanned},
    read::{Fields, Reader},
    syntax::{Kind, Node, shorten},
    vocabulary::{Key, Rule, Section, Shape},
};

/// A limit of `limits:`, or one that a route writes itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct CallerLimit {
    pub(crate) at: At,
    /// Empty when a route writes it itself.
    pub(crate) name: String,
    pub(crate) quotas: Vec<Quota>,
    /// How many at once.
    pub(crate) concurrent: Option<u32>,
    pub(crate) key: Vec<KeyPart>,
    /// What becomes of a request without the key, where that is not what the key itself says.
    pub(crate) missing: Option<Missing>,
    pub(crate) consumers: Vec<(String, Vec<Quota>)>,
    pub(crate) store: Option<RedisSettings>,
    pub(crate) max_keys: Option<usize>,
    pub(crate) headers: LimitHeaders,
    pub(crate) dry_run: bool,
}

/// A part of what requests are counted by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum KeyPart {
    PrincipalOrIp,
    Principal,
    ClientIp,
    Route,
    All,
    Header(HeaderName),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Missing {
    ClientIp,
    Refuse,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum LimitHeaders {
    Standard,
    Legacy,
    Off,
}

/// How a route names a limit.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum LimitRef {
    /// One of `limits:`, and how many units each request takes.
    Named(Spanned<String>, u32),
    /// One of the route's own.
    Own(Box<CallerLimit>),
}

const RATES: Shape = Shape::List(&Shape::Rate);

/// A limit in its short form or its long one.
pub(super) static LIMIT_VALUE: Shape = Shape::Any(&[Shape::Rate, Shape::Map(&LIMIT)]);

pub(super) const LIMIT_KEY: Key = Key::new(
    "limit",
    LIMIT_USES,
    "How often its callers may come: names of `limits`, whose counts all routes share that use them, or limits of its own. \
     A request that one of several refuses takes nothing from the others, with three exceptions: limits that need not know \
     who calls are asked before the authentication, and what they count stays counted when a later one refuses; so does what \
     was counted in Redis, and by rates when the limit `concurrent` refuses.",
    "[100/min, {concurrent: 10}]",
);

const LIMIT_USES: Shape = Shape::Any(&[Shape::Off, Shape::List(&LIMIT_USE)]);

const LIMIT_USE: Shape = Shape::Any(&[Shape::Rate, Shape::Limit, Shape::Map(&NAMED_LIMIT), Shape::Map(&LIMIT)]);

static LIMIT: Section = Section {
    title: "a limit",
    name: "limit",
    about: "How often each caller may come, and how many requests of one may be under way at once. What is over a limit is \
            answered with 429 and `Retry-After`. A rate alone, `100/min`, stands for one by `principal_or_ip`. A reload that \
            leaves a limit as it is keeps its counts.",
    keys: &[
        Key::new(
            "rate",
            RATES,
            "Requests a period. Of several, each holds; `50/s burst 100` gives one a burst of its own.",
            "100/min",
        ),
        Key::new("burst", Shape::Number(1, u32::MAX as i64), "How many may come at once, when there is one rate.", "20")
            .absent("as many as a period has"),
        Key::new(
            "concurrent",
            Shape::Number(0, MOST_CONCURRENT),
            "How many requests of a caller may be under way at once, until their responses have ended, and WebSockets \
             until they end. It is counted in this process, whatever `store` says.",
            "10",
        )
        .absent("no bound"),
        Key::new(
            "key",
            Shape::List(&Shape::LimitKey),
            "What requests are counted by: `principal`, the client's address (`client_ip`; IPv6 by /64), the first where there is \
             one and else the second (`principal_or_ip`), the `route`, a header (`header:x-tenant`), or `all` together. Several \
             are one key: `[principal, route]` counts each caller on each route. A header in which services are told who \
             calls counts as they are told it.",
            "client_ip",
        )
        .absent("`principal_or_ip`"),
        Key::new(
            "missing",
            Shape::Word(&["client_ip", "refuse"]),
            "What becomes of a request without the key: its client's address stands for what is missing, or it is refused with \
             403.",
            "refuse",
        )
        .absent("`refuse` for `principal`, `client_ip` for a header"),
        Key::new(
            "consumers",
            Shape::Named(&Shape::Text, &RATES),
            "Rates in the place of `rate` for single callers, by the principal's id. Those of an API key itself go before them.",
            "{acme: [200/s, 1000000/day]}",
        ),
        Key::new("store", Shape::Map(&STORE), "Where the counts are kept, when nodes are to share them.", "{redis: \"redis://127.0.0.1:6379\"}")
            .absent("in this process, shared by its workers"),
        Key::new(
            "max_keys",
            Shape::Number(1, MOST_KEYS),
            "How many callers are known at once, when the counts are kept in this process; of several rates each counts. None is \
             forgotten before its limit is whole again; what comes when there is no room shares a limit, and a warning says so.",
            "50000",
        )
        .absent("1000000"),
        Key::new(
            "headers",
            Shape::Any(&[Shape::Word(&["standard", "legacy"]), Shape::Off]),
            "The header fields of responses: `RateLimit` and `RateLimit-Policy`, with `legacy` the older `X-RateLimit-*` too.",
            "legacy",
        )
        .absent("`standard`"),
        Key::new("dry_run", Shape::Flag, "Refuses nobody, and only logs whom it would have refused.", "on").absent("`off`"),
    ],
    rules: &[Rule::AtLeastOne(&["rate", "concurrent"]), Rule::Needs("burst", "rate"), Rule::Needs("consumers", "rate")],
    smallest: "{rate: 100/min}",
    later: &[],
    aliases: &[
        ("limit", "rate"),
        ("quota", "rate"),
        ("requests", "rate"),
        ("by", "key"),
        ("overrides", "consumers"),
        ("shadow", "dry_run"),
    ],
};

static NAMED_LIMIT: Section = Section {
    title: "a limit by its name",
    name: "named_limit",
    about: "A limit of `limits`, for requests that take more than others.",
    keys: &[
        Key::new("name", Shape::Limit, "Its name in `limits`.", "per_user"),
        Key::new("cost", Shape::Number(1, u32::MAX as i64), "How many units each request takes.", "10")
            .absent("1"),
    ],
    rules: &[Rule::Required("name")],
    smallest: "{name: per_user}",
    later: &[],
    aliases: &[("weight", "cost"), ("units", "cost")],
};

const MOST_CONCURRENT: i64 = 1_000_000;
const MOST_KEYS: i64 = 100_000_000;

impl CallerLimit {
    /// Reads a limit: a rate alone, or a map.
    pub(crate) fn read(name: &str, node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let short = |quotas| Self {
            at: At(node.span),
            name: name.to_owned(),
            quotas,
            concurrent: None,
            key: vec![KeyPart::PrincipalOrIp],
            missing: None,
            consumers: Vec::new(),
            store: None,
            max_keys: None,
            headers: LimitHeaders::Standard,
            dry_run: false,
        };
        if let Kind::Scalar(_) = &node.kind {
            return reader.rate(node).map(|quota| short(vec![quota]));
        }
        let fields = Fields::read(node, &LIMIT, reader)?;
        let quotas = quotas(&fields, reader);
        let concurrent = fields.get("concurrent").map(|node| units(node, 0..=MOST_CONCURRENT, reader));
        let key = fields.get("key").map(|node| key(node, reader));
        let missing = fields.get("missing").map(|node| {
            let choices = [("client_ip", Missing::ClientIp), ("refuse", Missing::Refuse)];
            reader.choice(node, "what becomes of requests without the key", &choices)
        });
        let consumers = fields.get("consumers").map(|node| consumers(node, reader));
        let store = fields.get("store").map(|node| RedisSettings::read(node, reader));
        let max_keys = fields.get("max_keys").map(|node| reader.count(node, MOST_KEYS));
        let headers = fields.get("headers").map(|node| headers(node, reader));
        let dry_run = fields.get("dry_run").map(|node| reader.flag(node));
        if !["rate", "concurrent"].iter().any(|key| fields.get(key).is_some())
            && !fields.is_meant(&["rate", "concurrent"])
        {
            reader
                .error(fields.span(), "a limit that limits nothing")
                .help("say how many requests: `rate: 100/min`, or how many at once: `concurrent: 10`");
            return None;
        }
        for needy in ["burst", "consumers"].iter().filter_map(|key| fields.entry(key)) {
            if fields.get("rate").is_none() {
                reader.error(needy.key_span, format!("`{}` needs `rate`", needy.key));
                return None;
            }
        }
        Some(Self {
            concurrent: optional(concurrent)?,
            key: optional(key)?.unwrap_or_else(|| vec![KeyPart::PrincipalOrIp]),
            missing: optional(missing)?,
            consumers: optional(consumers)?.unwrap_or_default(),
            store: optional(store)?,
            max_keys: optional(max_keys)?.map(Into::into),
            headers: optional(headers)?.unwrap_or(LimitHeaders::Standard),
            dry_run: optional(dry_run)?.unwrap_or_default(),
            at: At(fields.span()),
            ..short(quotas?)
        })
    }

    /// Whether it counts by who calls, so that it stands behind the authentication.
    pub(crate) fn is_by_principal(&self) -> bool {
        self.key.iter().any(|part| matches!(part, KeyPart::Principal | KeyPart::PrincipalOrIp))
    }
}

impl LimitRef {
    /// What a route or `defaults` says: limits, or that there are none.
    pub(super) fn read_all(node: &Node, reader: &mut Reader<'_>) -> Option<Vec<Self>> {
        if Reader::is_off(node) {
            return Some(Vec::new());
        }
        let nodes = reader.list(node, "a list of limits");
        let read: Vec<_> = nodes.iter().map(|node| Self::read(node, reader)).collect();
        let read = read.into_iter().collect::<Option<Vec<_>>>().filter(|limits| !limits.is_empty())?;
        let mut names = HashSet::new();
        for limit in &read {
            if let Self::Named(name, _) = limit
                && !names.insert(&name.value)
            {
                reader.error(name.span, format!("the limit `{}` is there twice", shorten(&name.value)));
                return None;
            }
        }
        Some(read)
    }

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match &node.kind {
            // A rate always holds a slash, and a name never does.
            Kind::Scalar(text) if !text.contains('/') => Self::named(node, 1, reader),
            Kind::Map(entries) if entries.iter().any(|entry| entry.key == "name") => {
                let fields = Fields::read(node, &NAMED_LIMIT, reader)?;
                let cost = fields.get("cost").map(|node| units(node, 1..=i64::from(u32::MAX), reader));
                let cost = optional(cost)?.unwrap_or(1);
                Self::named(fields.get("name")?, cost, reader)
            }
            _ => CallerLimit::read("", node, reader).map(Box::new).map(Self::Own),
        }
    }

    fn named(node: &Node, cost: u32, reader: &mut Reader<'_>) -> Option<Self> {
        let name = reader.spanned_text(node, "the name of a limit")?;
        if name.value.is_empty() || name.value.contains('/') {
            reader.error(node.span, format!("`{}` is not the name of a limit", shorten(&name.value)));
            return None;
        }
        reader.use_limit(&name.value, name.span);
        Some(Self::Named(name, cost))
    }
}

fn units(node: &Node, range: std::ops::RangeInclusive<i64>, reader: &mut Reader<'_>) -> Option<u32> {
    reader.number(node, range).and_then(|number| u32::try_from(number).ok())
}

fn quotas(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Option<Vec<Quota>> {
    let quotas = fields.get("rate").map_or(Some(Vec::new()), |node| rates(node, reader));
    let Some(burst) = fields.entry("burst") else { return quotas };
    let size = units(&burst.value, 1..=i64::from(u32::MAX), reader);
    let mut quotas = quotas?;
    match quotas.as_mut_slice() {
        [quota] => *quota = quota.burst(size?),
        [] => {}
        _ => {
            reader
                .error(burst.key_span, "`burst` with several rates")
                .help("write it beside the rate that it is for: `50/s burst 100`");
            return None;
        }
    }
    Some(quotas)
}

fn rates(node: &Node, reader: &mut Reader<'_>) -> Option<Vec<Quota>> {
    let nodes = reader.list(node, "a list of rates");
    let read: Vec<_> = nodes.iter().map(|node| reader.rate(node)).collect();
    read.into_iter().collect::<Option<Vec<_>>>().filter(|rates| !rates.is_empty())
}

fn key(node: &Node, reader: &mut Reader<'_>) -> Option<Vec<KeyPart>> {
    let nodes = reader.list(node, "what requests are counted by");
    let read: Vec<_> = nodes.iter().map(|node| key_part(node, reader)).collect();
    read.into_iter().collect::<Option<Vec<_>>>().filter(|parts| !parts.is_empty())
}

fn key_part(node: &Node, reader: &mut Reader<'_>) -> Option<KeyPart> {
    let text = reader.text(node, "what requests are counted by")?;
    let part = match text {
        "principal_or_ip" => KeyPart::PrincipalOrIp,
        "principal" => KeyPart::Principal,
        "client_ip" => KeyPart::ClientIp,
        "route" => KeyPart::Route,
        "all" => KeyPart::All,
        _ => {
            let name = text.strip_prefix("header:").and_then(|name| name.parse::<HeaderName>().ok());
            let Some(name) = name else {
                reader
                    .error(node.span, format!("`{}` is nothing that requests can be counted by", shorten(text)))
                    .help("it is one of `principal_or_ip`, `principal`, `client_ip`, `route`, `all`, or a header as `header:x-tenant`");
                return None;
            };
            if is_removed(&name) {
                reader
                    .error(node.span, format!("no request has the header `{name}`"))
                    .help("what says who calls is removed from every request: count by `principal`");
                return None;
            }
            KeyPart::Header(name)
        }
    };
    Some(part)
}

/// Whether it is removed from every request, whoever sends it: a limit by it would count by address.
fn is_removed(name: &HeaderName) -> bool {
    let mut headers = HeaderMap::from_iter([(name.clone(), HeaderValue::from_static(""))]);
    claims::remove(&mut headers, true);
    headers.is_empty()
}

fn consumers(node: &Node, reader: &mut Reader<'_>) -> Option<Vec<(String, Vec<Quota>)>> {
    let Kind::Map(entries) = &node.kind else {
        if !matches!(node.kind, Kind::Invalid) {
            reader
                .error(node.span, format!("expected rates by the ids of callers, found {}", node.describe()))
                .help("write a map: `{acme: 1000/min}`");
        }
        return None;
    };
    let read: Vec<_> =
        entries.iter().map(|entry| Some((entry.key.clone(), rates(&entry.value, reader)?))).collect();
    let mut read = read.into_iter().collect::<Option<Vec<_>>>()?;
    // Their order says nothing.
    read.sort_by(|one, other| one.0.cmp(&other.0));
    Some(read)
}

fn headers(node: &Node, reader: &mut Reader<'_>) -> Option<LimitHeaders> {
    if Reader::is_off(node) {
        return Some(LimitHeaders::Off);
    }
    let choices = [("standard", LimitHeaders::Standard), ("legacy", LimitHeaders::Legacy)];
    reader.choice(node, "a set of header fields", &choices)
}
