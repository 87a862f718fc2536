//! The server: listeners, bound and ready to serve.

use std::{fmt, io, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use gatewright_core::{Body, BoxError};
use http::{Request, Response};
use tokio::sync::Semaphore;
use tower_service::Service;

use crate::{
    drain::Connections,
    handle::ServerHandle,
    limits::Limits,
    listener::{Entry, Listener},
    refused::{OnRefused, Refused},
    socket::{self, BindError},
    worker::{Drained, Worker},
};

/// Listeners, bound and ready to serve.
#[derive(Debug)]
pub struct Server {
    workers: Vec<Worker>,
    handle: ServerHandle,
    local_addrs: Vec<SocketAddr>,
}

impl Server {
    /// Starts with no listener.
    pub fn builder() -> ServerBuilder {
        ServerBuilder {
            listeners: Vec::new(),
            limits: Limits::default(),
            workers: 1,
            on_refused: OnRefused::default(),
        }
    }

    /// The local addresses, in the order of the listeners.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.local_addrs
    }

    /// A handle that drains the server and counts its connections.
    pub fn handle(&self) -> ServerHandle {
        self.handle.clone()
    }

    /// Serves in the current runtime until the server is drained. If the future is dropped, the server stops accepting;
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
        let mut workers = self.workers.into_iter();
        let mut cut = 0;
        let Some(first) = workers.next() else { return Ok(Drained::new(0)) };
        let rest: Vec<_> = workers.map(|worker| tokio::spawn(worker.serve(service.clone()))).collect();
        cut += first.serve(service).await?.cut();
        for worker in rest {
            cut += worker.await.map_err(io::Error::other)??.cut();
        }
        Ok(Drained::new(cut))
    }

    /// Splits the server into its workers, each to be served in a `current_thread` runtime of its own.
    pub fn into_workers(self) -> Vec<Worker> {
        self.workers
    }
}

/// Builds a [`Server`].
#[derive(Debug)]
pub struct ServerBuilder {
    listeners: Vec<Listener>,
    limits: Limits,
    workers: usize,
    on_refused: OnRefused,
}

impl ServerBuilder {
    /// Adds a listener.
    #[must_use]
    pub fn listener(mut self, listener: Listener) -> Self {
        self.listeners.push(listener);
        self
    }

    /// Sets the limits of clients.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the number of workers, 1 by default. Each worker has its own socket for each listener, by `SO_REUSEPORT`.
    #[must_use]
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers.max(1);
        self
    }

    /// Sets a function that is called for each request or connection that breaks a rule or a limit, from the connection's
    /// task.
    #[must_use]
    pub fn on_refused(mut self, on_refused: impl Fn(&Refused) + Send + Sync + 'static) -> Self {
        self.on_refused = OnRefused(Arc::new(on_refused));
        self
    }

    /// Binds all listeners or none.
    ///
    /// # Errors
    ///
    /// When an address cannot be bound; the error names the address.
    pub fn bind(self) -> Result<Server, BindError> {
        let mut sockets: Vec<Vec<_>> = (0..self.workers).map(|_| Vec::new()).collect();
        let mut entries = Vec::new();
        let mut local_addrs = Vec::new();
        let addresses: Vec<_> = self.listeners.iter().map(|listener| listener.address).collect();
        let bound = socket::bind(&addresses, self.workers)?;
        for (listener, bound) in self.listeners.into_iter().zip(bound) {
            let address = listener.address;
            let entry = Arc::new(Entry::new(listener));
            local_addrs.push(bound.first().and_then(|socket| socket.local_addr().ok()).unwrap_or(address));
            for (socket, worker) in bound.into_iter().zip(&mut sockets) {
                worker.push((socket, Arc::clone(&entry)));
            }
            entries.push(entry);
        }
        let permits =
            self.limits.max_connections.map(|max| Arc::new(Semaphore::new(max.min(Semaphore::MAX_PERMITS))));
        let connections: Vec<_> = sockets.iter().map(|_| Arc::new(Connections::new())).collect();
        let handle = ServerHandle::new(connections.clone(), entries);
        let workers = sockets
            .into_iter()
            .zip(connections)
            .map(|(sockets, connections)| {
                let (limits, on_refused) = (self.limits.clone(), self.on_refused.clone());
                Worker::new(sockets, connections, limits, on_refused, permits.clone(), handle.clone())
            })
            .collect();
        Ok(Server { workers, handle, local_addrs })
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, address) in self.local_addrs.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(f, "{comma}{address}")?;
        }
        Ok(())
    }
}
