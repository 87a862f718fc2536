//! Those who watch the requests of a stack.

use std::sync::Arc;

use crate::{EndedRequest, RefusedRequest, WatchedHeaders};

/// Watches requests: the access log is one, and a program may add others with
/// [`TraceLayer::observer`](crate::TraceLayer::observer).
///
/// An observer is called by the task of the request, so it must not block. Count into an array by
/// [`Label::index`](gatewright_core::Label::index), and hand over to a thread of your own what has to be written.
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// use gatewright_trace::{EndedRequest, Observer, TraceLayer};
///
/// #[derive(Default)]
/// struct ServerErrors(AtomicU64);
///
/// impl Observer for ServerErrors {
///     fn request_ended(&self, request: &EndedRequest<'_>) {
///         if request.status().is_some_and(|status| status.is_server_error()) {
///             self.0.fetch_add(1, Ordering::Relaxed);
///         }
///     }
/// }
///
/// let layer = TraceLayer::new().observer(ServerErrors::default());
/// # let _ = layer;
/// ```
pub trait Observer: Send + Sync + 'static {
    /// Whether it reads each decision of the policies, admissions too ([`EndedRequest::decisions`]). Refusals are seen
    /// without it. It is asked once, when the layer is built.
    fn watches_decisions(&self) -> bool {
        false
    }

    /// The headers that it reads of requests and of responses; none by default. It is asked once, when the layer is built.
    fn watched_headers(&self) -> WatchedHeaders {
        WatchedHeaders::default()
    }

    /// Whether it wants to see streams at their start ([`stream_began`](Self::stream_began)). It is asked once, when the layer
    /// is built.
    fn watches_streams(&self) -> bool {
        false
    }

    /// The head of a response is sent whose body or tunnel may live long: an upgraded connection, a tunnel by CONNECT or a
    /// response of the type `text/event-stream`. The request has not ended: its ending is [`Ending::Open`](crate::Ending::Open).
    fn stream_began(&self, request: &EndedRequest<'_>) {
        let _ = request;
    }

    /// A request has ended: its response's body has ended or is dropped, or there will be no response.
    fn request_ended(&self, request: &EndedRequest<'_>);

    /// A server has refused a request before it reached any layer.
    fn request_refused(&self, request: &RefusedRequest<'_>) {
        let _ = request;
    }
}

/// Several observers; each sees every request, in the order in which they were added.
#[derive(Clone, Default)]
pub struct Observers(Option<Arc<Several>>);

struct Several {
    all: Vec<Arc<dyn Observer>>,
    watch_decisions: bool,
    watch_streams: bool,
    headers: WatchedHeaders,
}

impl Observers {
    /// Adds one.
    #[must_use]
    pub fn and(self, observer: Arc<dyn Observer>) -> Self {
        let before = self.0.iter().flat_map(|several| several.all.iter().cloned());
        let all: Vec<_> = before.chain([observer]).collect();
        let watch_decisions = all.iter().any(|observer| observer.watches_decisions());
        let watch_streams = all.iter().any(|observer| observer.watches_streams());
        let headers = all
            .iter()
            .fold(WatchedHeaders::default(), |headers, observer| headers.and(&observer.watched_headers()));
        Self(Some(Arc::new(Several { all, watch_decisions, watch_streams, headers })))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Whether one of them reads each decision of the policies.
    pub(crate) fn watch_decisions(&self) -> bool {
        self.0.as_ref().is_some_and(|several| several.watch_decisions)
    }

    /// Whether one of them sees streams at their start.
    pub(crate) fn watch_streams(&self) -> bool {
        self.0.as_ref().is_some_and(|several| several.watch_streams)
    }

    pub(crate) fn watched_headers(&self) -> Option<&WatchedHeaders> {
        self.0.as_ref().map(|several| &several.headers)
    }

    pub(crate) fn stream_began(&self, request: &EndedRequest<'_>) {
        self.iter().for_each(|observer| observer.stream_began(request));
    }

    fn iter(&self) -> impl Iterator<Item = &Arc<dyn Observer>> {
        self.0.iter().flat_map(|several| &several.all)
    }

    #[inline]
    pub(crate) fn request_ended(&self, request: &EndedRequest<'_>) {
        if let Some(several) = &self.0 {
            several.all.iter().for_each(|observer| observer.request_ended(request));
        }
    }

    /// Tells all of them of a request that a server has refused before it reached any layer.
    pub fn request_refused(&self, request: &RefusedRequest<'_>) {
        self.iter().for_each(|observer| observer.request_refused(request));
    }
}

impl std::fmt::Debug for Observers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let count = self.iter().count();
        f.debug_struct("Observers").field("count", &count).finish_non_exhaustive()
    }
}
