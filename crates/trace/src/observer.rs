//! Those who watch the requests of a stack.

use std::sync::Arc;

use crate::{EndedRequest, RefusedRequest, StartedResponse};

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

    /// Whether it reads those decisions of the policies for which a request had to wait. Asked once, as before.
    fn watches_waits(&self) -> bool {
        false
    }

    /// A request has arrived. For each that has, [`request_ended`](Self::request_ended) is called once.
    fn request_started(&self) {}

    /// The head of a request's response is on its way to the client. It is not called for a request that no response began
    /// for: its client went away, or the service failed.
    fn response_started(&self, request: &StartedResponse<'_>) {
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
    watch_waits: bool,
}

impl Observers {
    /// Adds one.
    #[must_use]
    pub fn and(self, observer: Arc<dyn Observer>) -> Self {
        let before = self.0.iter().flat_map(|several| several.all.iter().cloned());
        let all: Vec<_> = before.chain([observer]).collect();
        let watch_decisions = all.iter().any(|observer| observer.watches_decisions());
        let watch_waits = all.iter().any(|observer| observer.watches_waits());
        Self(Some(Arc::new(Several { all, watch_decisions, watch_waits })))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Whether one of them reads each decision of the policies.
    pub(crate) fn watch_decisions(&self) -> bool {
        self.0.as_ref().is_some_and(|several| several.watch_decisions)
    }

    /// Whether one of them reads the decisions that were waited for.
    pub(crate) fn watch_waits(&self) -> bool {
        self.0.as_ref().is_some_and(|several| several.watch_waits)
    }

    fn iter(&self) -> impl Iterator<Item = &Arc<dyn Observer>> {
        self.0.iter().flat_map(|several| &several.all)
    }

    #[inline]
    pub(crate) fn request_started(&self) {
        self.iter().for_each(|observer| observer.request_started());
    }

    #[inline]
    pub(crate) fn response_started(&self, request: &StartedResponse<'_>) {
        self.iter().for_each(|observer| observer.response_started(request));
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
