//! A connection, as it comes and goes.
//!
//! A request finds the connection up and uses it, or it finds it down and knows so at once. Only before the first
//! attempt has ended does it wait. Connecting is the work of one task, so that a server that is away costs no request
//! anything.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use redis::{AsyncConnectionConfig, RedisResult, aio::MultiplexedConnection, cluster_async::ClusterConnection};
use tokio::{sync::watch, time};

/// Where the server is, or the cluster.
#[derive(Clone)]
pub(super) enum Server {
    Single(redis::Client),
    Cluster(Box<redis::cluster::ClusterClient>),
}

#[derive(Clone)]
pub(super) enum Connection {
    Single(MultiplexedConnection),
    Cluster(ClusterConnection),
}

/// A connection and its generation, so that the failure of an old one is not taken for that of a new one.
#[derive(Clone)]
pub(super) struct Live {
    pub(super) connection: Connection,
    generation: u64,
}

#[derive(Clone)]
enum State {
    /// Nothing has been tried yet, or the first attempt is under way.
    Starting,
    Up(Live),
    Down,
}

/// How long an attempt to connect may take: it takes several round trips, and no request waits for it longer than for an
/// answer.
pub(super) fn to_connect(timeout: Duration) -> Duration {
    timeout.max(Duration::from_secs(1))
}

pub(super) struct Link {
    server: Server,
    timeout: Duration,
    state: watch::Sender<State>,
    connecting: AtomicBool,
}

impl Link {
    pub(super) fn new(server: Server, timeout: Duration) -> Arc<Self> {
        Arc::new(Self {
            server,
            timeout,
            state: watch::Sender::new(State::Starting),
            connecting: AtomicBool::new(false),
        })
    }

    /// The connection when it is up; before the first attempt has ended, waits for that.
    pub(super) async fn get(self: &Arc<Self>) -> Option<Live> {
        let state = self.state.borrow().clone();
        match state {
            State::Up(live) => Some(live),
            State::Down => {
                self.connect();
                None
            }
            State::Starting => {
                let mut state = self.state.subscribe();
                self.connect();
                let ended = state.wait_for(|state| !matches!(state, State::Starting)).await.ok()?;
                match &*ended {
                    State::Up(live) => Some(live.clone()),
                    _ => None,
                }
            }
        }
    }

    /// The connection has failed.
    pub(super) fn lost(self: &Arc<Self>, live: &Live) {
        let was_lost = self.state.send_if_modified(|state| match state {
            State::Up(current) if current.generation == live.generation => {
                *state = State::Down;
                true
            }
            _ => false,
        });
        if was_lost {
            self.connect();
        }
    }

    /// Begins to connect, unless that is under way.
    fn connect(self: &Arc<Self>) {
        if !self.connecting.swap(true, Ordering::AcqRel) {
            tokio::spawn(Connecting(Arc::downgrade(self)).run(self.timeout));
        }
    }
}

/// The task that connects. When its runtime ends before it does, the next request begins another.
struct Connecting(Weak<Link>);

impl Drop for Connecting {
    fn drop(&mut self) {
        if let Some(link) = self.0.upgrade() {
            link.connecting.store(false, Ordering::Release);
        }
    }
}

static GENERATION: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

impl Connecting {
    async fn run(self, timeout: Duration) {
        // A server that is back is found again within the time that a request may wait for it.
        let longest = (timeout / 2).max(Duration::from_millis(10));
        let mut pause = Duration::from_millis(5).min(longest);
        loop {
            // Not held while it pauses: a store that nobody has any more is not waited for.
            let Some(link) = self.0.upgrade() else { return };
            let attempt = time::timeout(to_connect(timeout), link.server.connect(timeout));
            match attempt.await {
                Ok(Ok(connection)) => {
                    let generation = GENERATION.fetch_add(1, Ordering::Relaxed);
                    link.state.send_replace(State::Up(Live { connection, generation }));
                    return;
                }
                Ok(Err(error)) => tracing::debug!(%error, "cannot connect to Redis"),
                Err(_) => tracing::debug!("cannot connect to Redis in time"),
            }
            link.state.send_if_modified(|state| match state {
                State::Starting => {
                    *state = State::Down;
                    true
                }
                _ => false,
            });
            drop(link);
            time::sleep(pause).await;
            pause = (pause * 2).min(longest);
        }
    }
}

impl Server {
    async fn connect(&self, timeout: Duration) -> RedisResult<Connection> {
        match self {
            Self::Single(client) => {
                let config = AsyncConnectionConfig::new()
                    .set_connection_timeout(Some(to_connect(timeout)))
                    .set_response_timeout(Some(timeout));
                let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
                // A server that takes connections and answers nothing is not up; one that answers late is not, either.
                redis::cmd("PING").exec_async(&mut connection).await?;
                Ok(Connection::Single(connection))
            }
            Self::Cluster(client) => Ok(Connection::Cluster(client.get_async_connection().await?)),
        }
    }
}
