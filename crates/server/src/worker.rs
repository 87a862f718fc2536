//! One worker's share of a server.

use std::{fmt, io, sync::Arc};

use bytes::Bytes;
use gatewright_core::{Body, BoxError};
use http::{Request, Response};
use tokio::{net::TcpListener, sync::Semaphore, task::JoinSet};
use tower_service::Service;

use crate::{
    accept,
    connection::Shared,
    drain::{Connections, Phase},
    handle::ServerHandle,
    limits::Limits,
    listener::Entry,
    refused::OnRefused,
};

/// One worker's share of a [`Server`](crate::Server): a socket of its own for each listener. Move it to a thread of its
/// own, and serve it there in a `current_thread` runtime.
pub struct Worker {
    sockets: Vec<(std::net::TcpListener, Arc<Entry>)>,
    connections: Arc<Connections>,
    limits: Limits,
    on_refused: OnRefused,
    permits: Option<Arc<Semaphore>>,
    handle: ServerHandle,
}

impl Worker {
    pub(crate) fn new(
        sockets: Vec<(std::net::TcpListener, Arc<Entry>)>,
        connections: Arc<Connections>,
        limits: Limits,
        on_refused: OnRefused,
        permits: Option<Arc<Semaphore>>,
        handle: ServerHandle,
    ) -> Self {
        Self { sockets, connections, limits, on_refused, permits, handle }
    }

    /// Serves in the current runtime until the server is drained. If the future is dropped, the worker stops accepting;
    /// open connections go on.
    ///
    /// # Errors
    ///
    /// When the runtime cannot take the sockets. A failure of a connection is never an error here.
    pub async fn serve<S, B>(self, service: S) -> io::Result<Drained>
    where
        S: Service<Request<Body>, Response = Response<B>> + Clone + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let connections = Arc::clone(&self.connections);
        let shared = Arc::new(Shared {
            limits: self.limits,
            connections: self.connections,
            on_refused: self.on_refused,
        });
        // The set is dropped with this future, which ends the accept loops.
        let mut accepting = JoinSet::new();
        for (socket, entry) in self.sockets {
            let listener = TcpListener::from_std(socket)?;
            let (service, shared, permits) = (service.clone(), Arc::clone(&shared), self.permits.clone());
            accepting.spawn(accept::run(listener, entry, service, shared, permits));
        }
        while let Some(ended) = accepting.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "an accept loop ended");
            }
        }
        wait_until_drained(&connections, &self.handle).await;
        Ok(Drained::new(connections.cut()))
    }
}

/// Waits for the connections to end, and cuts the remaining ones at the deadline.
async fn wait_until_drained(connections: &Connections, handle: &ServerHandle) {
    loop {
        let changed = connections.deadline_changed.notified();
        let deadline = async {
            match handle.deadline() {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = connections.wait_all_closed() => return,
            () = deadline => break,
            () = changed => {}
        }
    }
    connections.enter(Phase::Cutting);
    connections.wait_all_closed().await;
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("sockets", &self.sockets).finish_non_exhaustive()
    }
}

/// How a server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    cut: usize,
}

impl Drained {
    pub(crate) fn new(cut: usize) -> Self {
        Self { cut }
    }

    /// The number of connections that had work in flight at the deadline and were cut.
    pub fn cut(&self) -> usize {
        self.cut
    }
}
