//! What a client may use up.

use std::time::Duration;

use gatewright_http1::{Names, Rules};

/// What a client may use up: time, bytes, connections. Each limit has a default that suits a public front door.
///
/// ```
/// use std::time::Duration;
/// use gatewright_server::Limits;
///
/// let limits = Limits::default().header_timeout(Duration::from_secs(5)).max_connections(10_000);
/// # let _ = limits;
/// ```
#[derive(Debug, Clone)]
pub struct Limits {
    pub(crate) header_timeout: Duration,
    pub(crate) keep_alive_timeout: Duration,
    pub(crate) body_timeout: Duration,
    pub(crate) write_timeout: Duration,
    pub(crate) stream_timeout: Duration,
    pub(crate) linger_timeout: Duration,
    pub(crate) linger_pause: Duration,
    pub(crate) max_discarded: u64,
    pub(crate) park_after: Duration,
    pub(crate) max_head: usize,
    pub(crate) max_target: usize,
    pub(crate) max_headers: u16,
    pub(crate) header_names: Names,
    pub(crate) remember_heads: bool,
    pub(crate) max_connections: Option<usize>,
    pub(crate) max_streams: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header_timeout: Duration::from_secs(10),
            keep_alive_timeout: Duration::from_secs(60),
            body_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            stream_timeout: Duration::from_secs(300),
            linger_timeout: Duration::from_secs(30),
            linger_pause: Duration::from_secs(5),
            max_discarded: 64 * 1024 * 1024,
            park_after: Duration::from_secs(5),
            max_head: 64 * 1024,
            max_target: 8 * 1024,
            max_headers: 100,
            header_names: Names::Drop,
            remember_heads: true,
            max_connections: None,
            max_streams: 100,
        }
    }
}

macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident: $kind:ty;)*) => {
        $($(#[$doc])*
        #[must_use]
        pub fn $name(mut self, $name: $kind) -> Self {
            self.$name = $name;
            self
        })*
    };
}

impl Limits {
    setters! {
        /// How long a PROXY header and a TLS handshake may take together, then the first byte of a request, and a
        /// head from its first byte to its last. 10 s by default. A slow head is answered with 408.
        header_timeout: Duration;
        /// How long a connection may stay without a request in flight. 60 s by default.
        keep_alive_timeout: Duration;
        /// How long a client may pause within a request body that has not been answered yet. 30 s by default;
        /// then the body fails, and the answer is 408.
        body_timeout: Duration;
        /// How long a client may leave what we send unread. 30 s by default. A response over HTTP/2 that waits for its
        /// client has to get rid of 1,024 bytes within it, or of all that there is.
        write_timeout: Duration;
        /// How long an upgraded stream, or a request body whose response has begun, may stay without a byte in
        /// either direction; also one that its service holds and reads no more of. 5 min by default.
        stream_timeout: Duration;
        /// How long an HTTP/1 connection goes on taking what its client sends of a request that has been answered and that
        /// nobody reads, only to throw it away. Many clients read the response when they have sent all, and lose it when
        /// the connection closes before. 30 s by default; 2 s at most once the server drains.
        linger_timeout: Duration;
        /// How long the client may pause meanwhile. 5 s by default.
        linger_pause: Duration;
        /// How many bytes are thrown away at most, of the request and what follows it. 64 MiB by default; none at 0.
        max_discarded: u64;
        /// How long an HTTP/1 connection is idle before it gives up, until its next request, what it keeps between
        /// requests: room for the service's future, and the head of the last one. 5 s by default.
        park_after: Duration;
        /// Size of a head in bytes; a larger one is answered with 431. 64 KiB by default.
        max_head: usize;
        /// Length of a request target in bytes, its path and query; a longer one is answered with 414. 8 KiB by default, and
        /// at most 65,534.
        max_target: usize;
        /// Number of header lines; more are answered with 431. 100 by default.
        max_headers: u16;
        /// What becomes of headers whose names hold other characters than letters, digits and hyphens: many servers take
        /// `_`, `.` and `-` for the same. They are left out by default, and [counted](crate::ServerHandle::dropped_fields).
        header_names: Names;
        /// Whether a head of HTTP/1 is compared with the one before it on its connection, and read anew only where
        /// another one is framed or routed. On by default; it changes what a request costs and nothing else.
        remember_heads: bool;
        /// Concurrent streams of an HTTP/2 connection. 100 by default.
        max_streams: u32;
    }

    /// Connections open at the same time, over all listeners; further ones wait in the backlog. No limit by default.
    #[must_use]
    pub fn max_connections(mut self, max: usize) -> Self {
        self.max_connections = Some(max);
        self
    }

    pub(crate) fn rules(&self) -> Rules {
        let mut rules = Rules::default();
        rules.max_head = self.max_head;
        // `http::Uri` holds no more.
        rules.max_target = self.max_target.min(usize::from(u16::MAX - 1));
        rules.max_fields = self.max_headers;
        rules.names = self.header_names;
        rules
    }

    /// The longest that a watchdog may sleep without missing the start of a phase that it must end in time.
    pub(crate) fn shortest(&self) -> Duration {
        self.header_timeout
            .min(self.keep_alive_timeout)
            .min(self.body_timeout)
            .min(self.write_timeout)
            .min(self.stream_timeout)
            .min(self.linger_timeout)
            .max(Duration::from_millis(10))
    }
}
