//! From settings to a gateway.

mod access_log;
mod listeners;
mod nowhere;
mod rewriting;
mod routes;
mod service;
mod tls;
mod upstreams;

use std::{num::NonZeroUsize, sync::Arc, thread, time::Duration};

use gatewright_server::{BindError, Limits, Listener, Server};
use gatewright_trace::AccessLog;

pub use service::GatewayService;

use crate::{
    Config,
    diagnostics::{Diagnostics, Severity},
    read::Reader,
    settings::Settings,
};

/// How long a drain may take when the file does not say.
const DRAIN: Duration = Duration::from_secs(30);

/// Finds what is wrong with settings that were read, by building all that can be built without a trace.
pub(crate) fn check(settings: &Settings, reader: &mut Reader<'_>) {
    let _ = listeners::build(&settings.listeners, reader);
    let _ = routes::build(settings, reader);
    access_log::check(&settings.access_log, reader);
}

/// A gateway, ready to listen.
#[derive(Debug)]
pub struct Gateway {
    service: GatewayService,
    access_log: Option<AccessLog>,
    listeners: Vec<Listener>,
    schemes: Vec<&'static str>,
    limits: Limits,
    workers: Option<NonZeroUsize>,
    drain: Option<Duration>,
}

impl Gateway {
    /// Builds all that a configuration says: listeners, upstreams, each route's stack, the router, the access
    /// log.
    ///
    /// # Errors
    ///
    /// When what was right at the check is no longer: a file that changed meanwhile, or an access log that
    /// cannot be opened.
    pub fn assemble(config: &Config) -> Result<Self, Diagnostics> {
        let settings = config.settings();
        let mut reader = Reader::new(config.source());
        let listeners = listeners::build(&settings.listeners, &mut reader);
        let router = routes::build(settings, &mut reader);
        let log = access_log::open(&settings.access_log, &mut reader);
        let problems = reader.into_problems();
        let wrong = problems.iter().any(|problem| problem.severity() == Severity::Error);
        match (router, log) {
            (Some(router), Some(access_log)) if !wrong => Ok(Self {
                service: GatewayService::new(router, &settings.trusted_proxies, access_log.clone()),
                access_log,
                listeners,
                schemes: settings.listeners.iter().map(|listener| listener.scheme()).collect(),
                limits: listeners::limits(settings),
                workers: settings.workers,
                drain: settings.timeouts.drain,
            }),
            _ => Err(Diagnostics::new(Arc::clone(config.source()), problems)),
        }
    }

    /// Listens where the file says, with as many workers as it says, or else one a core. Each is to be served
    /// with [`service`](Self::service).
    ///
    /// # Errors
    ///
    /// When an address cannot be listened on; the error names it.
    pub fn bind(&self) -> Result<Server, BindError> {
        let workers = self.workers.or_else(|| thread::available_parallelism().ok());
        let mut server = Server::builder().limits(self.limits.clone()).workers(workers.map_or(1, Into::into));
        for listener in &self.listeners {
            server = server.listener(listener.clone());
        }
        if let Some(log) = self.access_log.clone() {
            server = server.on_refused(move |refused| {
                // A connection that was closed without a response leaves no line: it was no request.
                if let Some(status) = refused.status() {
                    log.refused(refused.peer().ip(), status, "framing", refused.reason());
                }
            });
        }
        server.bind()
    }

    /// The URL of each listener of a server that [`bind`](Self::bind) made.
    pub fn urls(&self, server: &Server) -> Vec<String> {
        let addresses = server.local_addrs().iter().zip(&self.schemes);
        addresses.map(|(address, scheme)| format!("{scheme}://{address}")).collect()
    }

    /// The stack. Clones share all state.
    pub fn service(&self) -> GatewayService {
        self.service.clone()
    }

    /// How long what is under way may take when the gateway is told to stop.
    pub fn drain_deadline(&self) -> Duration {
        self.drain.unwrap_or(DRAIN)
    }

    /// The access log, when there is one: to be reopened when its file was moved, and flushed before the end.
    pub fn access_log(&self) -> Option<&AccessLog> {
        self.access_log.as_ref()
    }
}
