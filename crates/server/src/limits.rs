//! The limits of a client.

use std::time::Duration;

use gatewright_http1::{Names, Rules};

/// The limits of a client: time, bytes, connections. Each limit has a default for a server on the public internet.
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
        /// The time for a PROXY header and a TLS handshake together, then for the first byte of a request, and then for a
        /// head from its first byte to its last. 10 s by default. A slow head is answered with 408.
        header_timeout: Duration;
        /// How long a connection may stay open without a request in flight. 60 s by default.
        keep_alive_timeout: Duration;
        /// How long a client may pause within a request body that has not been answered yet. 30 s by default. After that
        /// the body fails, and the answer is 408.
        body_timeout: Duration;
        /// How long a client may leave the bytes of a response unread. 30 s by default. An HTTP/2 client has to take at least
        /// 1,024 bytes of a waiting response within this time, or all of it.
        write_timeout: Duration;
        /// How long an upgraded stream, or a request body whose response has begun, may stay without a byte in either
        /// direction. The limit also holds for a body that the service keeps without reading it. 5 min by default.
        stream_timeout: Duration;
        /// How long an HTTP/1 connection reads and throws away the rest of a request that has been answered. Many clients read
        /// the response only after they have sent everything, and would lose it if the connection closed earlier. 30 s by
        /// default, and at most 2 s once the server drains.
        linger_timeout: Duration;
        /// How long the client may pause while its bytes are thrown away. 5 s by default.
        linger_pause: Duration;
        /// The most bytes that are thrown away, of the request and of everything after it. 64 MiB by default; 0 turns this off.
        max_discarded: u64;
        /// How long an HTTP/1 connection is idle before it gives up the memory that it keeps between requests: the room for
        /// the service's future, and the last head. 5 s by default.
        park_after: Duration;
        /// The size of a head in bytes; a larger head is answered with 431. 64 KiB by default.
        max_head: usize;
        /// The length of a request target, its path and query, in bytes; a longer target is answered with 414. 8 KiB by
        /// default, and at most 65,534.
        max_target: usize;
        /// The number of header lines; more lines are answered with 431. 100 by default.
        max_headers: u16;
        /// What to do with headers whose names hold characters other than letters, digits and hyphens: many servers treat
        /// `_`, `.` and `-` alike. By default these headers are dropped and [counted](crate::ServerHandle::dropped_fields).
        header_names: Names;
        /// Whether an HTTP/1 head is compared with the previous head of its connection, and parsed only if the difference
        /// could change the framing or the route. On by default. It changes the cost of a request and nothing else.
        remember_heads: bool;
        /// The number of concurrent streams of an HTTP/2 connection. 100 by default.
        max_streams: u32;
    }

    /// The number of open connections, over all listeners; further connections wait in the backlog. No limit by default.
    #[must_use]
    pub fn max_connections(mut self, max: usize) -> Self {
        self.max_connections = Some(max);
        self
    }

    pub(crate) fn rules(&self) -> Rules {
        let mut rules = Rules::default();
        rules.max_head = self.max_head;
        // `http::Uri` takes no longer text.
        rules.max_target = self.max_target.min(usize::from(u16::MAX - 1));
        rules.max_fields = self.max_headers;
        rules.names = self.header_names;
        rules
    }

    /// The longest sleep of a watchdog that misses no limit.
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
