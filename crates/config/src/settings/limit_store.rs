//! Where nodes share the counts of a limit.

use std::time::Duration;

use crate::{
    diagnostics::At,
    read::{Map, Reader, Secret, Value},
    syntax::{Kind, Node},
    vocabulary::{Shape, choice, long_form},
};

long_form! {
    /// Redis or Valkey, where nodes share their counts. See [how to share limits](../guide/share-limits-between-nodes.md).
    #[derive(Debug, Clone, PartialEq, Eq, Hash)]
    pub(crate) struct RedisSettings {
        title: "a limit's `store`";
        name: "limit_store";
        smallest: "{redis: \"redis://127.0.0.1:6379\"}";
        also { at: At }

        /// The URL of the server; for a cluster the URLs of some nodes. A password comes from `${env:NAME}` or `file:PATH`.
        redis: required Vec<RedisUrl>, "\"redis://127.0.0.1:6379\"", alias ["url", "urls", "nodes"];
        /// Whether the URLs are those of a cluster.
        cluster: optional bool, "on", absent "`on` when there are several URLs";
        /// How long a request waits for the answer of Redis.
        timeout: optional Duration, "50ms", absent "100ms";
        /// What becomes of requests while Redis does not answer: they are admitted, or refused with 503.
        when_down: default WhenDown, "refuse", absent "`admit`", alias ["fail", "on_failure", "on_error"];
        /// Whether a key that has to wait is refused without asking Redis again, for 5 s at most.
        local_check: default bool = true, "off", absent "`on`", alias ["precheck"];
        /// The start of the names of the keys in Redis. Gateways share a limit that has the same prefix, name and rate.
        prefix: optional String, "api", absent "`gatewright`";
    }
}

choice! {
    /// Whether requests are refused while Redis does not answer.
    pub(crate) struct WhenDown, "what becomes of requests meanwhile": bool { "admit" => false, "refuse" => true }
}

impl Value for RedisSettings {
    type Kept = Self;
    const SHAPE: Shape = Shape::Map(Self::SECTION);

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let settings = Self::read_long(node, reader)?;
        if settings.cluster == Some(false) && settings.redis.len() > 1 {
            reader
                .error(settings.at.0, "several URLs of one server")
                .help("leave `cluster` out when they are nodes of a cluster, or keep one of them");
            return None;
        }
        let cluster = Some(settings.is_cluster());
        Some(Self { cluster, ..settings })
    }
}

impl RedisSettings {
    pub(crate) fn is_cluster(&self) -> bool {
        self.cluster.unwrap_or(self.redis.len() > 1)
    }
}

/// The URL of a server. A password in it comes from outside, with the whole URL or by itself.
pub(crate) struct RedisUrl;

impl Value for RedisUrl {
    type Kept = Secret;
    const SHAPE: Shape = Shape::Text;

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Secret> {
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
}
