use std::{fmt, sync::Arc, thread, time::Duration};

use gatewright_core::Body;
use gatewright_router::RouterService;
use gatewright_server::{BindError, Server};
use gatewright_trace::{AccessLog, Metrics, Otlp, RefusedRequest, audit::AuditLog};

#[cfg(feature = "admin")]
use super::admin::{Administration, client_limits};
use super::{
    Assembly, Parts, Reloaded, RouteStack, https,
    listeners::{self, BuiltListener, pair},
    metrics::GatewayMetrics,
    observation::Observation,
    restart,
    service::{Current, GatewayService},
};
use crate::{Config, diagnostics::Diagnostics, read::Reader, settings::Settings};

/// How long a drain may take when the file does not say.
const DRAIN: Duration = Duration::from_secs(30);

/// A gateway, ready to listen, and to take on another configuration while it serves.
///
/// ```
/// use gatewright_config::{Config, Gateway};
///
/// let orders = "- {path_prefix: /v1/orders, upstream: 'orders:8080'}";
/// let payments = "- {path_prefix: /v1/payments, upstream: 'payments:8080'}";
///
/// let before = Config::parse("gateway.yaml", format!("routes:\n{orders}\n"))?;
/// let mut gateway = Gateway::assemble(&before)?;
/// let service = gateway.service();
///
/// // The same service, and all that holds it, now knows both routes.
/// let after = Config::parse("gateway.yaml", format!("routes:\n{orders}\n{payments}\n"))?;
/// let reloaded = gateway.reload(&after)?;
/// assert_eq!((reloaded.upstreams().kept(), reloaded.upstreams().added()), (1, 1));
/// # let _ = service;
/// # Ok::<(), gatewright_config::Diagnostics>(())
/// ```
pub struct Gateway {
    assembly: Assembly,
    settings: Arc<Settings>,
    parts: Parts,
    service: GatewayService,
    observation: Observation,
    metrics: GatewayMetrics,
    #[cfg(feature = "admin")]
    admin: Administration,
}

impl Gateway {
    /// Builds all that a configuration says: listeners, upstreams, each route's stack, the router, the access
    /// log. On a tokio runtime, the keys of identity providers begin to be fetched; elsewhere, when the first token comes.
    ///
    /// # Errors
    ///
    /// When what was right at the check is no longer: a file that changed meanwhile, or an access log that
    /// cannot be opened.
    pub fn assemble(config: &Config) -> Result<Self, Diagnostics> {
        Self::with(Assembly::new(), config)
    }

    pub(super) fn with(assembly: Assembly, config: &Config) -> Result<Self, Diagnostics> {
        let settings = Arc::clone(config.settings());
        let mut reader = Reader::new(config.source());
        #[cfg(not(feature = "admin"))]
        if let Some(admin) = &settings.admin {
            reader
                .error(admin.address.span, "this program was built without the admin")
                .help("build it with the feature `admin` of `gatewright`");
        }
        let parts = Parts::build(&settings, None, &assembly, &mut reader);
        let https = https::build(&settings, &mut reader);
        let routes = parts.as_ref().map_or(&[][..], |parts| &parts.routes.seen);
        let observation = Observation::open(&settings, None, config.source().text(), routes, &mut reader);
        match (parts, observation) {
            (Some(parts), Some(observation)) if !reader.has_errors() => {
                parts.shared.auth.prefetch();
                let metrics = GatewayMetrics::new(&assembly, &settings, config);
                metrics.show(&parts, observation.access_log.as_ref());
                #[cfg(feature = "admin")]
                let admin = Administration::new(config, &parts, metrics.get());
                let observers = metrics.watch(observation.observers());
                #[cfg(feature = "admin")]
                let observers = admin.watch(observers);
                let audit = observation.audit.as_ref();
                let router = parts.routes.router.clone();
                let current = Current::new(router, https, &settings, observers, audit);
                Ok(Self {
                    assembly,
                    settings,
                    parts,
                    service: GatewayService::new(current),
                    observation,
                    metrics,
                    #[cfg(feature = "admin")]
                    admin,
                })
            }
            _ => Err(config.diagnostics(reader.finish().0)),
        }
    }

    /// Takes on another configuration, all of it or nothing.
    ///
    /// 1. Requests in flight and upgraded connections go on with what they began with. The next request, also on a
    ///    connection that is open, is served by the new configuration.
    /// 2. What the new configuration says just as before keeps its state: an upstream its connections, its retry budget and
    ///    its turns, a route its stack, a listener its TLS sessions, the access log its file. Where something stands in the
    ///    file does not matter.
    /// 3. Certificates, client authorities and revocation lists are read anew, and hold for handshakes to come.
    /// 4. The sockets stay. A configuration with another set of addresses, another number of `workers`, other `timeouts`
    ///    (save `drain`), `client_limits` or `proxy_protocol` is refused, since it needs a restart.
    ///
    /// # Errors
    ///
    /// All that stands against it; the gateway then goes on just as it was.
    pub fn reload(&mut self, config: &Config) -> Result<Reloaded, Diagnostics> {
        let settings = Arc::clone(config.settings());
        let mut reader = Reader::new(config.source());
        restart::check(&self.settings, &self.parts.listeners, &settings, &mut reader);
        let parts = Parts::build(&settings, Some(&self.parts), &self.assembly, &mut reader);
        let Some(parts) = parts.filter(|_| !reader.has_errors()) else {
            return Err(config.diagnostics(reader.finish().0));
        };
        let https = https::build(&settings, &mut reader);
        if reader.has_errors() {
            return Err(config.diagnostics(reader.finish().0));
        }
        // The logs are opened last, for they make files.
        let before = Some((&*self.settings, &self.observation));
        let routes = &parts.routes.seen;
        let observation = Observation::open(&settings, before, config.source().text(), routes, &mut reader);
        let Some(observation) = observation else {
            return Err(config.diagnostics(reader.finish().0));
        };

        // From here on nothing can fail.
        parts.shared.auth.prefetch();
        let observers = self.metrics.watch(observation.observers());
        #[cfg(feature = "admin")]
        let observers = self.admin.watch(observers);
        let audit = observation.audit.as_ref();
        let router = parts.routes.router.clone();
        let current = Current::new(router, https, &settings, observers, audit);
        self.service.replace(current);
        self.metrics.show(&parts, observation.access_log.as_ref());
        self.metrics.note_accepted(config);
        #[cfg(feature = "admin")]
        self.admin.reloaded((&self.settings, &self.parts), (config, &parts));
        self.observation = observation;
        Ok(self.take_over(settings, parts))
    }

    fn take_over(&mut self, settings: Arc<Settings>, parts: Parts) -> Reloaded {
        let mut reloaded = Reloaded {
            routes: parts.routes.stacks.changes(),
            upstreams: parts.shared.upstreams.changes(),
            certificates: 0,
            others: differ(&self.settings, &settings),
        };
        // The listeners stay in the order in which they were bound.
        let pairs = pair(&settings.listeners, &self.parts.listeners);
        for (listener, index) in parts.listeners.into_iter().zip(pairs) {
            let bound = index.and_then(|index| self.parts.listeners.get_mut(index));
            reloaded.certificates += usize::from(bound.is_some_and(|bound| bound.become_like(listener)));
        }
        self.parts.shared = parts.shared;
        self.parts.routes = parts.routes;
        self.settings = settings;
        reloaded
    }

    /// Listens where the file says, with as many workers as it says, or else one a core. Each is to be served
    /// with [`service`](Self::service).
    ///
    /// # Errors
    ///
    /// When an address cannot be listened on; the error names it.
    pub fn bind(&self) -> Result<Server, BindError> {
        let workers = self.settings.workers.or_else(|| thread::available_parallelism().ok());
        let limits = listeners::limits(&self.settings);
        let mut server = Server::builder().limits(limits).workers(workers.map_or(1, Into::into));
        for listener in &self.parts.listeners {
            server = server.listener(listener.listener());
        }
        let service = self.service();
        server = server.on_refused(move |refused| {
            // A connection that was closed without a response leaves no line: it was no request.
            let current = service.current();
            if let Some(status) = refused.status().filter(|_| !current.observers().is_empty()) {
                let method = refused.method().map(|method| method.to_string());
                let target = refused.target().map(|target| target.to_string());
                let request = RefusedRequest::new(refused.peer().ip(), status, "framing", refused.reason())
                    .request_id(refused.request_id().and_then(|id| id.to_str().ok()))
                    .method(method.as_deref())
                    .target(target.as_deref());
                current.observers().request_refused(&request);
            }
        });
        let server = server.bind()?;
        self.metrics.serve(server.handle());
        Ok(server)
    }

    /// The URL of each listener of a server that [`bind`](Self::bind) made.
    pub fn urls(&self, server: &Server) -> Vec<String> {
        let schemes = self.parts.listeners.iter().map(|listener| listener.settings().scheme());
        server
            .local_addrs()
            .iter()
            .zip(schemes)
            .map(|(address, scheme)| format!("{scheme}://{address}"))
            .collect()
    }

    /// The stack. Clones share all state, and follow every [`reload`](Self::reload).
    pub fn service(&self) -> GatewayService {
        self.service.clone()
    }

    /// The stack of each route, in the order of the file.
    pub fn routes(&self) -> &[RouteStack] {
        &self.parts.routes.seen
    }

    /// The router, which [explains](gatewright_router::RouterService) which route takes a request.
    pub fn router(&self) -> &RouterService<Body> {
        &self.parts.routes.router
    }

    /// How long what is under way may take when the gateway is told to stop.
    pub fn drain_deadline(&self) -> Duration {
        self.settings.timeouts.drain.unwrap_or(DRAIN)
    }

    /// The admin, when the file asks for one. It shows what runs now, follows every [`reload`](Self::reload) that is accepted, and
    /// is told by its owner of those that are refused and of the drain.
    #[cfg(feature = "admin")]
    pub fn admin(&self) -> Option<&gatewright_admin::Admin> {
        self.admin.admin()
    }

    /// Listens where the file says that the admin is; to be served with the service of [`admin`](Self::admin), on a thread of
    /// its own, so that it answers whatever the gateway is busy with.
    ///
    /// # Errors
    ///
    /// When the address cannot be listened on; the error names it.
    #[cfg(feature = "admin")]
    pub fn bind_admin(&self) -> Result<Option<Server>, BindError> {
        let Some(admin) = &self.settings.admin else { return Ok(None) };
        let listener = gatewright_server::Listener::new(admin.address.value).name("admin");
        Server::builder().listener(listener).limits(client_limits()).bind().map(Some)
    }

    /// The metrics: those that the [assembly](super::Assembly::metrics) was given, or those that the file's `admin` shows.
    pub fn metrics(&self) -> Option<&Metrics> {
        self.metrics.get()
    }

    /// Counts a reload that was refused. [`reload`](Self::reload) cannot do so for a file that could not even be read.
    pub fn note_refused_reload(&self) {
        self.metrics.note_refused();
    }

    /// The exporter of spans, when there is one: to be flushed before the end.
    pub fn otlp(&self) -> Option<&Otlp> {
        self.observation.exporter.as_ref().map(|exporter| &exporter.otlp)
    }

    /// The access log, when there is one: to be reopened when its file was moved, and flushed before the end.
    pub fn access_log(&self) -> Option<&AccessLog> {
        self.observation.access_log.as_ref()
    }

    /// The audit log, when there is one: to be reopened when its file was moved, and closed before the end.
    pub fn audit(&self) -> Option<&AuditLog> {
        self.observation.audit.as_ref()
    }
}

/// Whether there are differences that are neither of routes nor of upstreams or certificates.
fn differ(before: &Settings, after: &Settings) -> bool {
    before.trusted_proxies != after.trusted_proxies
        || before.access_log != after.access_log
        || before.audit != after.audit
        || before.telemetry != after.telemetry
        || before.timeouts != after.timeouts
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addresses = self.parts.listeners.iter().map(BuiltListener::settings).map(|it| it.address.value);
        f.debug_struct("Gateway")
            .field("listeners", &addresses.collect::<Vec<_>>())
            .field("router", &self.parts.routes.router)
            .finish_non_exhaustive()
    }
}
