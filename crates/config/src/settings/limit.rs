//! How often callers may come.

use std::collections::HashSet;

use gatewright_core::{Quota, claims};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::limit_store::RedisSettings;
use crate::{
    diagnostics::{At, Spanned},
    read::{AtKey, Fields, Keys, Map, Named, Number, Reader, Referent, Value},
    syntax::{Entry, Kind, Node, shorten},
    vocabulary::{Relation, Rule, Shape, Table, choice, group, long_form, map},
};

long_form! {
    /// How often each caller may come, and how many requests of one may be under way at once. A request over a limit is
    /// answered with 429 and `Retry-After`. A rate alone, `100/min`, stands for one by `principal_or_ip`. A reload that does not
    /// change a limit keeps its counts.
    #[derive(Debug, Clone, PartialEq, Eq, Hash)]
    pub(crate) struct CallerLimit {
        title: "a limit";
        name: "limit";
        smallest: "{rate: 100/min}";
        rules: [
            Rule::new(Relation::AtLeastOne(&["rate", "concurrent"]))
                .missing("say how many requests: `rate: 100/min`, or how many at once: `concurrent: 10`"),
            Rule::new(Relation::Needs("burst", "rate")),
            Rule::new(Relation::Needs("consumers", "rate")),
        ];
        // The name is empty when a route writes the limit itself.
        also { at: At, name: String }
        first { quotas: Vec<Quota> }

        /// How many requests of a caller may be under way at once, until their responses have ended, and WebSockets until they
        /// end. The count is of this process, whatever `store` says.
        concurrent: optional Number<u32, 0, 1_000_000>, "10", absent "no bound";
        /// What requests are counted by: `principal`, the client's address (`client_ip`; IPv6 by /64), the principal where there
        /// is one and else the address (`principal_or_ip`), the `route`, a header (`header:x-tenant`), or `all` together. Several
        /// are one key: `[principal, route]` counts each caller on each route. A header that tells services who calls counts with
        /// the value that the services get.
        key: default Vec<KeyPart> = vec![KeyPart::PrincipalOrIp], "client_ip", absent "`principal_or_ip`", alias ["by"];
        /// What becomes of a request without the key: its client's address takes the key's place, or it is refused with 403.
        missing: optional Missing, "refuse", absent "`refuse` for `principal`, `client_ip` for a header";
        /// Rates in place of `rate` for single callers, by the principal's id. The rates of an API key itself go before them.
        consumers: default Consumers, "{acme: [200/s, 1000000/day]}", alias ["overrides"];
        /// Where the counts are kept, when nodes share them.
        store: optional RedisSettings, "{redis: \"redis://127.0.0.1:6379\"}", absent "in this process, shared by its workers";
        /// How many callers are known at once, when the counts are kept in this process; of several rates each counts. No caller
        /// is forgotten before its limit is whole again; callers for whom there is no room share a limit, and a warning says so.
        max_keys: optional Number<usize, 1, 100_000_000>, "50000", absent "1000000";
        /// The header fields of responses: `RateLimit` and `RateLimit-Policy`, with `legacy` the older `X-RateLimit-*` too.
        headers: default LimitHeaders, "legacy", absent "`standard`";
        /// Refuses nobody, and only logs whom it would have refused.
        dry_run: default bool, "on", absent "`off`", alias ["shadow"];
    }
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

choice! {
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub(crate) enum Missing, "what becomes of requests without the key" {
        ClientIp = "client_ip",
        Refuse = "refuse",
    }
}

choice! {
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
    pub(crate) enum LimitHeaders, "a set of header fields" {
        #[default]
        Standard = "standard",
        Legacy = "legacy",
        Off = off,
    }
}

/// How a route names a limit.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum LimitRef {
    /// One of `limits:`, and how many units each request takes.
    Named(Spanned<String>, u32),
    /// One of the route's own.
    Own(Box<CallerLimit>),
}

map! {
    /// A limit of `limits`, for requests that take more than others.
    #[derive(Debug)]
    pub(crate) struct NamedLimit {
        title: "a limit by its name";
        name: "named_limit";
        smallest: "{name: per_user}";

        /// Its name in `limits`.
        name: required LimitName, "per_user";
        /// How many units each request takes.
        cost: default Units = 1, "10", absent "1", alias ["weight", "units"];
    }
}

type Units = Number<u32, 1, { u32::MAX as i64 }>;

impl Value for CallerLimit {
    type Kept = Self;
    const SHAPE: Shape = Shape::Any(&[Shape::Rate, Shape::Map(Self::SECTION)]);

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let Kind::Scalar(_) = &node.kind else { return Self::read_long(node, reader) };
        reader.rate(node).map(|quota| Self {
            at: At(node.span),
            name: String::new(),
            quotas: vec![quota],
            concurrent: None,
            key: vec![KeyPart::PrincipalOrIp],
            missing: None,
            consumers: Vec::new(),
            store: None,
            max_keys: None,
            headers: LimitHeaders::Standard,
            dry_run: false,
        })
    }
}

impl CallerLimit {
    /// Reads a limit of `limits:`.
    pub(super) fn read_named(entry: &Entry, reader: &mut Reader<'_>) -> Option<Self> {
        let key = entry.key.as_str();
        let is_name = !key.contains('/') && key.trim() == key && !matches!(key, "" | "off" | "no" | "false");
        let help = "a name holds no slash, so that a route can tell it from a rate, and `off` stands for none";
        reader.define(Referent::Limit, entry, is_name, help);
        Self::read(&entry.value, reader).map(|limit| Self { name: key.to_owned(), ..limit })
    }

    /// Whether it counts by who calls, so that it stands behind the authentication.
    pub(crate) fn is_by_principal(&self) -> bool {
        self.key.iter().any(|part| matches!(part, KeyPart::Principal | KeyPart::PrincipalOrIp))
    }
}

/// The limits of a route or of `defaults`; `off` stands for none.
pub(crate) struct Limits;

impl Value for Limits {
    type Kept = Vec<LimitRef>;
    const SHAPE: Shape = Shape::Any(&[Shape::Off, Vec::<LimitRef>::SHAPE]);

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Vec<LimitRef>> {
        if Reader::is_off(node) {
            return Some(Vec::new());
        }
        let read = Vec::<LimitRef>::read(node, reader)?;
        let mut names = HashSet::new();
        for limit in &read {
            if let LimitRef::Named(name, _) = limit
                && !names.insert(&name.value)
            {
                reader.error(name.span, format!("the limit `{}` is there twice", shorten(&name.value)));
                return None;
            }
        }
        Some(read)
    }
}

impl Value for LimitRef {
    type Kept = Self;
    const SHAPE: Shape = Shape::Any(&[
        Shape::Rate,
        Shape::Limit,
        Shape::Map(NamedLimit::SECTION),
        Shape::Map(CallerLimit::SECTION),
    ]);

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match &node.kind {
            // A rate always holds a slash, and a name never does.
            Kind::Scalar(text) if !text.contains('/') => {
                LimitName::read(node, reader).map(|name| Self::Named(name, 1))
            }
            Kind::Map(entries) if entries.iter().any(|entry| entry.key == "name") => {
                NamedLimit::read(node, reader).map(|limit| Self::Named(limit.name, limit.cost))
            }
            _ => CallerLimit::read(node, reader).map(Box::new).map(Self::Own),
        }
    }
}

/// The name of a limit of `limits:`.
pub(crate) struct LimitName;

impl Value for LimitName {
    type Kept = Spanned<String>;
    const SHAPE: Shape = Shape::Limit;

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Spanned<String>> {
        let name = reader.spanned_text(node, "the name of a limit")?;
        if name.value.is_empty() || name.value.contains('/') {
            reader.error(node.span, format!("`{}` is not the name of a limit", shorten(&name.value)));
            return None;
        }
        reader.refer(Referent::Limit, &name.value, name.span);
        Some(name)
    }
}

group! {
    /// The rates of a limit.
    #[derive(Debug)]
    pub(crate) struct Rates {
        /// Requests a period. Of several, each holds; `50/s burst 100` gives one a burst of its own.
        rate: default Vec<Quota>, "100/min", alias ["limit", "quota", "requests"];
        /// How many may come at once, when there is one rate.
        burst: optional AtKey<Units>, "20", absent "as many as a period has";
    }
}

impl Keys for Vec<Quota> {
    const TABLE: &'static Table = Rates::TABLE;

    fn of(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let Rates { rate: mut quotas, burst } = Rates::of(fields, reader)?;
        let Some(burst) = burst else { return Some(quotas) };
        match quotas.as_mut_slice() {
            [quota] => *quota = quota.burst(burst.value),
            [] => {}
            _ => {
                reader
                    .error(burst.span, "`burst` with several rates")
                    .help("write it beside the rate that it is for: `50/s burst 100`");
                return None;
            }
        }
        Some(quotas)
    }
}

impl Value for KeyPart {
    type Kept = Self;
    const SHAPE: Shape = Shape::LimitKey;

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
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
}

/// Whether it is removed from every request, whoever sends it: a limit by it would count by address.
fn is_removed(name: &HeaderName) -> bool {
    let mut headers = HeaderMap::from_iter([(name.clone(), HeaderValue::from_static(""))]);
    claims::remove(&mut headers, true);
    headers.is_empty()
}

/// Rates by the ids of callers, whose order says nothing.
pub(crate) struct Consumers;

impl Value for Consumers {
    type Kept = Vec<(String, Vec<Quota>)>;
    const SHAPE: Shape = Named::<String, Vec<Quota>>::SHAPE;

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self::Kept> {
        let mut rates = Named::<String, Vec<Quota>>::read(node, reader)?;
        rates.sort_by(|one, other| one.0.cmp(&other.0));
        Some(rates)
    }
}
