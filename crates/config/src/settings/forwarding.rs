use std::time::Duration;

use super::{Guards, UpstreamBounds};
use crate::{
    read::{Map, Number, Reader, Value, value},
    syntax::{Kind, Node},
    vocabulary::{Shape, choice, long_form, map, settings},
};

settings! {
    /// How a request is sent to its upstream.
    #[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
    pub(crate) struct Forwarding {
        /// The time until the response's head. It starts anew with each part of the request's body.
        timeout: Limit, "10s", absent "30s";
        /// The time between bytes of bodies and of upgraded connections; nothing else bounds those.
        idle_timeout: Limit, "5m", absent "60s";
        /// How many times a request that was sent is sent again. It has to have an idempotent method and a body of 64 KiB at
        /// most, and all retries together stay within a fifth of what clients send. A request that never left, or was not
        /// processed, is sent again in any case, with its body unless more than 64 KiB of it have left. So is, once, such an
        /// idempotent request when an idle connection closes as the request arrives.
        retries: Retries, "{attempts: 2, on: [connect, reset, 503]}", absent "`off`";
    }
}

map! {
    /// What holds for routes and upstreams that do not say it themselves.
    #[derive(Debug, Clone, Default)]
    pub(crate) struct Defaults {
        title: "`defaults`";
        name: "defaults";
        smallest: "{}";
        later: ["cors", "waf", "bots"];
        groups { forwarding: Forwarding, bounds: UpstreamBounds, guards: Guards }
    }
}

/// A time limit; `None` for no limit.
pub(crate) struct Limit;

value! {
    Limit: Option<Duration> = Shape::Any(&[Shape::Duration, Shape::Off]), |node, reader| reader.duration_or_off(node);
}

/// How many times one request may be sent again.
type Attempts = Number<u32, 0, 10>;

long_form! {
    /// When a request is sent again.
    #[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
    pub(crate) struct Retries {
        title: "`retries`";
        name: "retries";
        smallest: "{attempts: 2}";
        later: ["budget", "backoff"];

        /// How many times beyond the first; 0 for never.
        attempts: default Attempts = 1, "2", absent "1", alias ["count", "num_retries"];
        /// The reasons to send it again: no connection, a connection that closed before the response, a response that did not
        /// come in time, or a status.
        on: default Vec<RetryOn> = USUAL.to_vec(), "[connect, reset, 503]", absent "`[connect, reset]`", alias ["retry_on"];
    }
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

choice! {
    RetryOn, "a reason to retry": RetryOn {
        "connect" => RetryOn::Connect,
        "reset" => RetryOn::Reset,
        "timeout" => RetryOn::Timeout,
        "429" => RetryOn::Status(429),
        "500" => RetryOn::Status(500),
        "502" => RetryOn::Status(502),
        "503" => RetryOn::Status(503),
        "504" => RetryOn::Status(504),
    }
}

/// When `on` is left out.
const USUAL: [RetryOn; 2] = [RetryOn::Connect, RetryOn::Reset];

impl Value for Retries {
    type Kept = Self;
    const SHAPE: Shape = Shape::Any(&[Attempts::SHAPE, Shape::Off, Shape::Map(Self::SECTION)]);

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match &node.kind {
            _ if Reader::is_off(node) => Some(Self::default()),
            Kind::Scalar(_) => {
                Attempts::read(node, reader).map(|attempts| Self { attempts, on: USUAL.to_vec() })
            }
            _ => Self::read_long(node, reader),
        }
    }
}
