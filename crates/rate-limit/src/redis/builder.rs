use std::{fmt, time::Duration};

use redis::IntoConnectionInfo;

use super::{
    RedisStore,
    link::{Server, to_connect},
};

/// Builds a [`RedisStore`].
#[derive(Clone)]
#[must_use]
pub struct RedisStoreBuilder {
    urls: Vec<String>,
    cluster: bool,
    pub(super) settings: Settings,
}

#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) prefix: Box<str>,
    pub(super) timeout: Duration,
    pub(super) fail_closed: bool,
    pub(super) local_check: bool,
}

impl RedisStoreBuilder {
    pub(super) fn new(urls: Vec<String>, cluster: bool) -> Self {
        let settings = Settings {
            prefix: "gatewright".into(),
            timeout: Duration::from_millis(100),
            fail_closed: false,
            local_check: true,
        };
        Self { urls, cluster, settings }
    }

    /// Sets what the names of all buckets begin with; `gatewright` unless said otherwise.
    pub fn prefix(mut self, prefix: impl Into<Box<str>>) -> Self {
        self.settings.prefix = prefix.into();
        self
    }

    /// Sets how long a request waits for the answer; 100 ms unless said otherwise.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.settings.timeout = timeout;
        self
    }

    /// Refuses requests with 503 when Redis does not answer in time. By default they are admitted: a limit is seldom
    /// worth an outage.
    pub fn fail_closed(mut self) -> Self {
        self.settings.fail_closed = true;
        self
    }

    /// Asks Redis each time, also for keys of which it has said a moment ago that they have to wait.
    pub fn without_local_check(mut self) -> Self {
        self.settings.local_check = false;
        self
    }

    /// The store. Nothing is connected before the first request.
    ///
    /// # Errors
    ///
    /// When a text is no URL of a Redis server.
    pub fn build(self) -> Result<RedisStore, NotARedisUrl> {
        let timeout = self.settings.timeout;
        let server = match self.cluster {
            false => {
                let url = self.urls.into_iter().next().unwrap_or_default();
                Server::Single(redis::Client::open(url).map_err(NotARedisUrl::new)?)
            }
            true => {
                let nodes = self.urls.into_iter().map(|url| url.into_connection_info());
                let nodes = nodes.collect::<Result<Vec<_>, _>>().map_err(NotARedisUrl::new)?;
                let client = redis::cluster::ClusterClient::builder(nodes)
                    .connection_timeout(to_connect(timeout))
                    .response_timeout(timeout)
                    .build();
                Server::Cluster(Box::new(client.map_err(NotARedisUrl::new)?))
            }
        };
        Ok(RedisStore::new(server, self.settings))
    }
}

/// The URLs may hold a password, so they are not printed.
impl fmt::Debug for RedisStoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStoreBuilder")
            .field("cluster", &self.cluster)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// The text is no URL of a Redis server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotARedisUrl(Box<str>);

impl NotARedisUrl {
    /// What redis says names the part that is wrong and does not quote it. The kind of error that it adds is a name in
    /// its code.
    fn new(error: redis::RedisError) -> Self {
        let text = error.to_string();
        let text = text.split(" - ").next().unwrap_or_default();
        if text.contains("TLS") {
            return Self("TLS is not supported".into());
        }
        Self(text.into())
    }
}

impl fmt::Display for NotARedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected a URL such as redis://127.0.0.1:6379 ({})", self.0)
    }
}

impl std::error::Error for NotARedisUrl {}
