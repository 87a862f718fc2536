//! Runs a service or a server on one thread, and counts.

use std::{
    cell::RefCell,
    io,
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use gatewright::{
    AccessLog, Body, BoxError,
    server::{Listener, Server},
};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use tokio::runtime::{Builder, Runtime};
use tower::{Service, ServiceExt};

use crate::{Result, client::Client, region, region::Uncounted, upstream::Upstream};

/// How many requests are counted.
pub(crate) const REQUESTS: usize = (BATCHES - WARM_UP) * BATCH;
/// Requests are sent in batches, of which the first are not counted.
const BATCH: usize = 50;
const BATCHES: usize = 24;
const WARM_UP: usize = 4;

pub(crate) struct Bench {
    runtime: Runtime,
    /// Connections that upstreams have accepted.
    accepted: Arc<AtomicUsize>,
    logs: RefCell<Vec<AccessLog>>,
}

impl Bench {
    pub(crate) fn new() -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok(Self { runtime, accepted: Arc::default(), logs: RefCell::default() })
    }

    /// Sends requests to a service, one after the other, and reads the responses to their end.
    pub(crate) fn service<S, B>(&self, mut service: S, make: impl Fn() -> Request<Body>) -> Result<u64>
    where
        S: Service<Request<Body>, Response = Response<B>>,
        S::Error: Into<BoxError>,
        B: http_body::Body<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        let mut allocations = 0;
        for batch in 0..BATCHES {
            let requests: Vec<_> = (0..BATCH).map(|_| make()).collect();
            allocations += self.run(batch, send_all(&mut service, requests))?;
        }
        Ok(allocations)
    }

    /// Sends requests as bytes through a socket to our server, one after the other on one connection.
    pub(crate) fn server<S, B>(&self, service: S) -> Result<u64>
    where
        S: Service<Request<Body>, Response = Response<B>> + Clone + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let server = Server::builder().listener(Listener::new(([127, 0, 0, 1], 0).into())).bind()?;
        let address = *server.local_addrs().first().ok_or("the server listens nowhere")?;
        self.runtime.spawn(server.serve(service));
        let mut client = self.runtime.block_on(Client::connect(address))?;
        let mut allocations = 0;
        for batch in 0..BATCHES {
            allocations += self.run(batch, Uncounted::new(client.exchange(BATCH)))?;
        }
        Ok(allocations)
    }

    /// Does something without a request, as often as others send one. It is told the number of its turn.
    pub(crate) fn plain(&self, mut work: impl FnMut(usize)) -> u64 {
        (0..BATCHES).fold(0, |allocations, batch| {
            let mut turns = || (batch * BATCH..(batch + 1) * BATCH).for_each(&mut work);
            if batch < WARM_UP {
                turns();
                return allocations;
            }
            allocations + region::counted(&mut turns)
        })
    }

    /// Starts an upstream on the same thread.
    pub(crate) fn upstream(&self) -> Result<SocketAddr> {
        let (address, serving) = self.runtime.block_on(Upstream::bind(Arc::clone(&self.accepted)))?;
        self.runtime.spawn(Uncounted::new(serving));
        Ok(address)
    }

    /// An access log that writes to nowhere. It is empty whenever a batch begins, so that its buffers are as large as
    /// a batch from the beginning, whenever its thread gets its turn.
    pub(crate) fn log(&self) -> Result<AccessLog> {
        let log = AccessLog::builder().writer(io::sink())?;
        self.logs.borrow_mut().push(log.clone());
        Ok(log)
    }

    /// Runs a batch, and counts it unless it is one of the first.
    fn run(&self, batch: usize, work: impl Future<Output = Result<()>>) -> Result<u64> {
        let mut work = pin!(work);
        let mut allocations = 0;
        if batch < WARM_UP {
            self.runtime.block_on(work)?;
        } else {
            let before = self.accepted.load(Ordering::Relaxed);
            let mut outcome = Ok(());
            allocations = region::counted(&mut || outcome = self.runtime.block_on(work.as_mut()));
            outcome?;
            let opened = self.accepted.load(Ordering::Relaxed) - before;
            if opened > 0 {
                return Err(
                    format!("{opened} connections were opened where one should have been reused").into()
                );
            }
        }
        if !self.logs.borrow().iter().all(AccessLog::flush) {
            return Err("the access log was not written in time".into());
        }
        Ok(allocations)
    }
}

async fn send_all<S, B>(service: &mut S, requests: Vec<Request<Body>>) -> Result<()>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Error: Into<BoxError>,
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    for request in requests {
        let response = service.ready().await.map_err(Into::into)?.call(request).await.map_err(Into::into)?;
        if response.status() != StatusCode::OK {
            return Err(format!("the answer was {}", response.status()).into());
        }
        let mut body = pin!(response.into_body());
        while let Some(frame) = body.frame().await {
            frame.map_err(Into::into)?;
        }
    }
    Ok(())
}
