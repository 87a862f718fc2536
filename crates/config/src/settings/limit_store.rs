//! Where nodes share the counts of a limit.

use std::time::Duration;

use super::optional;
use crate::{
    diagnostics::At,
    read::{Fields, Reader, Secret},
    syntax::{Kind, Node},
    vocabulary::{Key, Rule, Section, Shape},
};

/// Redis, shared with other nodes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct RedisSettings {
    pub(crate) at: At,
    pub(crate) urls: Vec<Secret>,
    pub(crate) cluster: bool,
    pub(crate) timeout: Option<Duration>,
    pub(crate) refuse: bool,
    pub(crate) local_check: bool,
    pub(crate) prefix: Option<String>,
}

pub(super) static STORE: Section = Section {
    title: "a limit's `store`",
    name: "limit_store",
    about: "Redis or Valkey, where nodes share their counts. See [how to share limits](../guide/share-limits-between-nodes.md).",
    keys: &[
        Key::new(
            "redis",
            Shape::List(&Shape::Text),
            "Its URL; of a cluster those of some nodes. A password comes from `${env:NAME}` or `file:PATH`.",
            "\"redis://127.0.0.1:6379\"",
        ),
        Key::new("cluster", Shape::Flag, "Whether it is a cluster.", "on")
            .absent("`on` when there are several URLs"),
        Key::new("timeout", Shape::Duration, "How long a request waits for its answer.", "50ms")
            .absent("100ms"),
        Key::new(
            "when_down",
            Shape::Word(&["admit", "refuse"]),
            "What becomes of requests while it does not answer: they are admitted, or refused with 503.",
            "refuse",
        )
        .absent("`admit`"),
        Key::new(
            "local_check",
            Shape::Flag,
            "Whether a key that has to wait is refused without asking again, for 5 s at most.",
            "off",
        )
        .absent("`on`"),
        Key::new(
            "prefix",
            Shape::Text,
            "What the names of its keys begin with. Gateways share a limit that has the same prefix, name and rate.",
            "api",
        )
        .absent("`gatewright`"),
    ],
    rules: &[Rule::Required("redis")],
    smallest: "{redis: \"redis://127.0.0.1:6379\"}",
    later: &[],
    aliases: &[
        ("url", "redis"),
        ("urls", "redis"),
        ("nodes", "redis"),
        ("fail", "when_down"),
        ("on_failure", "when_down"),
        ("on_error", "when_down"),
        ("precheck", "local_check"),
    ],
};

impl RedisSettings {
    pub(super) fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let fields = Fields::read(node, &STORE, reader)?;
        let urls = fields.required("redis", reader).and_then(|node| {
            let nodes = reader.list(node, "the URL of a Redis server");
            let read: Vec<_> = nodes.iter().map(|node| url(node, reader)).collect();
            read.into_iter().collect::<Option<Vec<_>>>().filter(|urls| !urls.is_empty())
        });
        let cluster = fields.get("cluster").map(|node| reader.flag(node));
        let timeout = fields.get("timeout").map(|node| reader.duration(node));
        let refuse = fields.get("when_down").map(|node| {
            reader.choice(node, "what becomes of requests meanwhile", &[("admit", false), ("refuse", true)])
        });
        let local_check = fields.get("local_check").map(|node| reader.flag(node));
        let prefix = fields.get("prefix").map(|node| reader.text(node, "a text").map(str::to_owned));
        let urls = urls?;
        let cluster = optional(cluster)?;
        if cluster == Some(false) && urls.len() > 1 {
            reader
                .error(fields.span(), "several URLs of one server")
                .help("leave `cluster` out when they are nodes of a cluster, or keep one of them");
            return None;
        }
        Some(Self {
            at: At(fields.span()),
            cluster: cluster.unwrap_or(urls.len() > 1),
            urls,
            timeout: optional(timeout)?,
            refuse: optional(refuse)?.unwrap_or_default(),
            local_check: optional(local_check)?.unwrap_or(true),
            prefix: optional(prefix)?,
        })
    }
}

/// The URL of a server. A password in it comes from outside, with the whole URL or by itself.
fn url(node: &Node, reader: &mut Reader<'_>) -> Option<Secret> {
    let url = reader.secret(node, "the URL of a Redis server")?;
    let Kind::Scalar(text) = &node.kind else { return Some(url) };
    let user = text.split_once("://").and_then(|(_, rest)| rest.rsplit_once('@')).map(|(user, _)| user);
    let password = user.and_then(|user| user.split_once(':')).map(|(_, password)| password);
    if password.is_some_and(|password| !password.is_empty() && !password.starts_with("${")) {
        reader.error(node.span, "a password in the file").help(
            "have it come from outside: `\"redis://:${env:REDIS_PASSWORD}@redis:6379\"`, or the whole URL as `file:PATH`",
        )
        .conceal();
        return None;
    }
    Some(url)
}
