use std::sync::Arc;

use gatewright_core::{ClientInfo, RequestRecord};
use tower_layer::Layer;

use crate::{AccessLog, Observer, Observers, TraceService};

/// Whose headers are believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trust {
    /// Nobody's.
    Nobody,
    /// Those of peers that are trusted proxies, as [`ClientInfo::is_peer_trusted`] says. Where nothing has settled who the
    /// client is, no peer is.
    Proxies,
    /// Anyone's.
    Anyone,
}

impl Trust {
    pub(crate) fn covers(self, client: Option<ClientInfo>) -> bool {
        match self {
            Self::Nobody => false,
            Self::Proxies => client.is_some_and(|client| client.is_peer_trusted()),
            Self::Anyone => true,
        }
    }
}

/// Gives each request its ids, and the access log its line. The rules are in the [crate's documentation](crate).
///
/// ```
/// use gatewright_core::Body;
/// use gatewright_trace::{AccessLog, TraceLayer};
/// use http::{Request, Response};
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let log = AccessLog::stdout()?;
/// let orders = ServiceBuilder::new()
///     .layer(TraceLayer::new().access_log(log.clone()))
///     .service(service_fn(async |_: Request<Body>| {
///         Ok::<_, std::convert::Infallible>(Response::new(Body::from("an order")))
///     }));
///
/// let response = orders.oneshot(Request::new(Body::empty())).await?;
/// assert_eq!(response.headers()["x-request-id"].len(), 32);
/// // A program that ends waits for the last lines.
/// drop(response);
/// log.flush();
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct TraceLayer {
    settings: Arc<Settings>,
}

#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) observers: Observers,
    pub(crate) request_ids: Trust,
    pub(crate) traces: Trust,
    /// On listeners that have a rule of their own, by name.
    pub(crate) traces_by_listener: Vec<(Arc<str>, Trust)>,
    /// As traces unless set.
    pub(crate) baggage: Option<Trust>,
    /// Of new traces.
    pub(crate) sampled: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            observers: Observers::default(),
            request_ids: Trust::Proxies,
            traces: Trust::Anyone,
            traces_by_listener: Vec::new(),
            baggage: None,
            sampled: 1.0,
        }
    }
}

impl Settings {
    /// Whose trace is continued on the listener that this request came on.
    pub(crate) fn traces_on(&self, record: &RequestRecord) -> Trust {
        if self.traces_by_listener.is_empty() {
            return self.traces;
        }
        let Some(connection) = record.connection() else { return self.traces };
        let own = self.traces_by_listener.iter().find(|(name, _)| name == connection.listener());
        own.map_or(self.traces, |(_, trust)| *trust)
    }
}

impl TraceLayer {
    /// Keeps request ids of trusted proxies, continues anyone's trace, and writes no access log.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes a line for each request to this log.
    #[must_use]
    pub fn access_log(self, log: AccessLog) -> Self {
        self.observer(log)
    }

    /// Has this observer see each request, after those that were added before.
    #[must_use]
    pub fn observer(self, observer: impl Observer) -> Self {
        let all = self.settings.observers.clone().and(Arc::new(observer));
        self.observers(all)
    }

    /// Has these observers see each request, in place of those that were added before.
    #[must_use]
    pub fn observers(self, observers: Observers) -> Self {
        self.set(|settings| settings.observers = observers)
    }

    /// Sets whose `x-request-id` is kept; [`Trust::Proxies`] by default.
    #[must_use]
    pub fn trust_request_ids(self, trust: Trust) -> Self {
        self.set(|settings| settings.request_ids = trust)
    }

    /// Sets whose `traceparent` is continued; [`Trust::Anyone`] by default. Narrow it where strangers must not choose
    /// trace ids, or decide by the sampled flag what is recorded. A new trace
    /// then begins here, and its span has a link to the caller's.
    #[must_use]
    pub fn trust_traces(self, trust: Trust) -> Self {
        self.set(|settings| settings.traces = trust)
    }

    /// Sets whose `traceparent` is continued on the listener of this name, in place of what
    /// [`trust_traces`](Self::trust_traces) says.
    #[must_use]
    pub fn trust_traces_on(self, listener: &str, trust: Trust) -> Self {
        self.set(|settings| {
            settings.traces_by_listener.retain(|(name, _)| **name != *listener);
            settings.traces_by_listener.push((listener.into(), trust));
        })
    }

    /// Sets whose `baggage` (W3C Baggage) passes; by default that of callers whose trace is continued. Services often write baggage
    /// into their spans and send it on to others, so that a stranger's is better dropped.
    #[must_use]
    pub fn trust_baggage(self, trust: Trust) -> Self {
        self.set(|settings| settings.baggage = Some(trust))
    }

    /// Sets which share of the traces that begin here is marked as sampled, from 0 to 1; all by default. Services that
    /// follow their caller's decision, as most do, then record these and no others. A continued trace keeps its mark.
    #[must_use]
    pub fn sample(self, share: f64) -> Self {
        self.set(|settings| settings.sampled = share)
    }

    fn set(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(Arc::make_mut(&mut self.settings));
        self
    }
}

impl<S> Layer<S> for TraceLayer {
    type Service = TraceService<S>;

    fn layer(&self, inner: S) -> TraceService<S> {
        TraceService::new(Arc::clone(&self.settings), inner)
    }
}
