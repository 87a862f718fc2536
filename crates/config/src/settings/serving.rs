use std::{num::NonZeroUsize, time::Duration};

use gatewright_server::Names;

use crate::{
    read::{Number, Size, Usual, value},
    vocabulary::{Shape, choice, map},
};

map! {
    /// How long clients may take. How long upstreams may take is said in routes, upstreams and `defaults`.
    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    pub(crate) struct Timeouts {
        title: "`timeouts`";
        name: "timeouts";
        smallest: "{}";

        /// For a PROXY header and a TLS handshake, and for the head of a request from its first byte to its last.
        head: optional Duration, "5s", absent "10s", alias ["header", "handshake"];
        /// For a connection without a request in flight.
        idle: optional Duration, "2m", absent "60s", alias ["keep_alive", "keepalive"];
        /// Between two parts of a request's body.
        body: optional Duration, "10s", absent "30s", alias ["read"];
        /// For the client to take more of a response.
        write: optional Duration, "10s", absent "30s", alias ["send"];
        /// Between bytes of an upgraded connection, in either direction.
        stream: optional Duration, "1h", absent "5m";
        /// For a client that goes on sending a request after the answer, when nobody reads the request: a client that reads
        /// only after it has sent all still gets the answer. What it sends is thrown away, up to `client_limits.max_discarded`.
        linger: optional Duration, "10s", absent "30s", alias ["lingering_time"];
        /// Between two parts of a request that is answered and that nobody reads.
        linger_pause: optional Duration, "1s", absent "5s", alias ["lingering_timeout"];
        /// For the requests under way when the gateway is told to stop; the gateway cuts those that are left then.
        drain: optional Duration, "10s", absent "30s", alias ["shutdown"];
    }
}

map! {
    /// How much clients may send.
    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    pub(crate) struct ClientLimits {
        title: "`client_limits`";
        name: "client_limits";
        smallest: "{}";

        /// The size of a request's head; a larger one is answered with 431.
        max_head: optional HeadSize, "32KiB", absent "64KiB", alias ["max_header_bytes"];
        /// The size of a request's target, its path and query; a longer one is answered with 414.
        max_target: optional TargetSize, "4KiB", absent "8KiB", alias ["max_uri"];
        /// Lines of a request's head; more are answered with 431.
        max_headers: optional Number<u16, 1, 10_000>, "50", absent "100";
        /// Connections at the same time, over all listeners; more have to wait.
        max_connections: optional Number<NonZeroUsize, 1, 10_000_000>, "10000", absent "no bound", alias ["connections"];
        /// Requests at the same time on one HTTP/2 connection.
        max_streams: optional Number<u32, 1, 10_000>, "50", absent "100";
        /// How much is thrown away of a request that is answered and that nobody reads, so that its client gets the answer. The
        /// time for it is `timeouts.linger`.
        max_discarded: optional Size, "1MiB", absent "64MiB";
        /// What becomes of headers whose names hold other characters than letters, digits and hyphens, such as `_` and `.`, which
        /// many servers take for `-`. They are left out and counted (`drop`), the request is answered with 400 and the name
        /// (`refuse`), or they pass. A header that reads like one which frames the request (`Content_Length`) never passes.
        header_names: optional HeaderNames, "pass", absent "`drop`",
            alias ["underscores_in_headers", "headers_with_underscores_action"];
    }
}

choice! {
    /// What becomes of headers with unusual names.
    pub(crate) struct HeaderNames, "what becomes of headers with unusual names": Names {
        "drop" => Names::Drop,
        "refuse" => Names::Refuse,
        "pass" => Names::Pass,
    }
}

/// The size of a request's head.
pub(crate) struct HeadSize;

/// The size of a request's target.
pub(crate) struct TargetSize;

value! {
    HeadSize: usize = Shape::Size, |node, reader| reader.bound(node, &USUAL_HEAD);
    TargetSize: usize = Shape::Size, |node, reader| reader.bound(node, &USUAL_TARGET);
}

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
