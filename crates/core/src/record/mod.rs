//! The one shared record of a request.

mod span_context;
mod summary;

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};

use http::{Extensions, HeaderValue};

pub use span_context::SpanContext;
pub use summary::{LayerState, PolicyDecision, PolicyVerdict, Summary};

use crate::{ConnectionInfo, Label};

/// Whether the decisions about any request have ever been watched. Where nobody does, no policy looks for the record.
static ANY_WATCHED: AtomicBool = AtomicBool::new(false);

/// The common ground of one request: the router, the policies and the proxy write here what they know, and the
/// layer that made it reads it when the request ends, also when the client went away.
///
/// The outermost layer puts it into the request's extensions once. Every further insert there allocates, so layers
/// tell each other what they know in the record. A layer that finds no record works all the same.
///
/// A request that is composed of several others has one [leg](Self::begin_leg) for each of them, so that none writes
/// over another.
#[derive(Clone)]
pub struct RequestRecord(Arc<Inner>);

struct Inner {
    started: Instant,
    connection: Option<Arc<ConnectionInfo>>,
    bytes_in: AtomicU64,
    watches_decisions: AtomicBool,
    watches_waits: AtomicBool,
    // Only the tasks of one request meet here, so the lock is free whenever it is asked for.
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    summary: Summary,
    layers: LayerState,
}

impl RequestRecord {
    /// A record that starts now, for a request on `connection`.
    pub fn new(connection: Option<Arc<ConnectionInfo>>) -> Self {
        Self(Arc::new(Inner {
            started: Instant::now(),
            connection,
            bytes_in: AtomicU64::new(0),
            watches_decisions: AtomicBool::new(false),
            watches_waits: AtomicBool::new(false),
            known: Mutex::default(),
        }))
    }

    /// The record in a request's extensions.
    pub fn of(extensions: &Extensions) -> Option<&Self> {
        extensions.get()
    }

    /// The record in a request's extensions, put there when there is none.
    pub fn of_or_insert(extensions: &mut Extensions) -> Self {
        extensions.get_or_insert_with(|| Self::new(None)).clone()
    }

    /// When the request began.
    pub fn started(&self) -> Instant {
        self.0.started
    }

    /// The connection on which the request came.
    pub fn connection(&self) -> Option<&Arc<ConnectionInfo>> {
        self.0.connection.as_ref()
    }

    /// Counts bytes of the request's body.
    pub fn add_bytes_in(&self, bytes: u64) {
        self.0.bytes_in.fetch_add(bytes, Ordering::Relaxed);
    }

    /// The bytes of the request's body so far.
    pub fn bytes_in(&self) -> u64 {
        self.0.bytes_in.load(Ordering::Relaxed)
    }

    /// Writes or reads what is known. Keep it short: the request waits.
    pub fn with<T>(&self, access: impl FnOnce(&mut Summary) -> T) -> T {
        access(&mut self.known().summary)
    }

    /// The same with the part that Gatewright's layers alone write.
    #[doc(hidden)]
    pub fn with_layers<T>(&self, access: impl FnOnce(&mut Summary, &mut LayerState) -> T) -> T {
        let Known { summary, layers } = &mut *self.known();
        access(summary, layers)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The value of `x-request-id`, for a response that a layer writes itself.
    pub fn request_id(&self) -> Option<HeaderValue> {
        self.with(|summary| summary.request_id.clone())
    }

    /// Asks the policies to write each of their decisions into this record, admissions too. Refusals stand in
    /// [`Summary::rejection`] without it.
    pub fn watch_decisions(&self) {
        ANY_WATCHED.store(true, Ordering::Relaxed);
        self.0.watches_decisions.store(true, Ordering::Relaxed);
    }

    /// Asks the policies to write those decisions into this record for which the request had to wait. A request that waits
    /// for no policy then costs nothing more.
    pub fn watch_waits(&self) {
        ANY_WATCHED.store(true, Ordering::Relaxed);
        self.0.watches_waits.store(true, Ordering::Relaxed);
    }

    /// The record of a request about which somebody reads the [decisions](Self::decisions), or those that were waited for.
    #[inline]
    pub(crate) fn watched(extensions: &Extensions, waited: bool) -> Option<&Self> {
        if !ANY_WATCHED.load(Ordering::Relaxed) {
            return None;
        }
        Self::of(extensions).filter(|record| record.watches_decisions() || (waited && record.watches_waits()))
    }

    fn watches_waits(&self) -> bool {
        self.0.watches_waits.load(Ordering::Relaxed)
    }

    fn watches_decisions(&self) -> bool {
        self.0.watches_decisions.load(Ordering::Relaxed)
    }

    /// What the policies have decided so far, outermost first; nothing unless somebody
    /// [watches](Self::watch_decisions).
    pub fn decisions(&self) -> Vec<PolicyDecision> {
        self.known().layers.decisions().to_vec()
    }

    /// Begins a leg of a composed request: a record of its own for the part of this name, which starts now. The leg knows
    /// the client, the host, the ids and the principal of the whole request, and the whole request keeps the leg.
    pub fn begin_leg(&self, part: Label) -> Self {
        let mut known = self.known();
        let Known { summary, layers } = &*known;
        let leg = Self::new(self.0.connection.clone());
        *leg.known() = Known {
            summary: Summary {
                client: summary.client,
                host: summary.host.clone(),
                request_id: summary.request_id.clone(),
                span: summary.span,
                route: summary.route.clone(),
                principal: summary.principal.clone(),
                ..Summary::default()
            },
            layers: layers.of_leg(),
        };
        if self.watches_decisions() {
            leg.watch_decisions();
        }
        if self.watches_waits() {
            leg.watch_waits();
        }
        known.layers.add_leg(part, leg.clone());
        leg
    }

    /// The legs of a composed request, in the order in which they began.
    pub fn legs(&self) -> Vec<(Label, Self)> {
        self.known().layers.legs().to_vec()
    }
}

impl fmt::Debug for RequestRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestRecord").field("known", &self.0.known).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LabelKind;

    #[test]
    fn legs_know_whose_they_are_and_write_over_nobody() {
        let record = RequestRecord::new(None);
        let upstream = |name: &str| Label::new(LabelKind::Upstream, name);
        record.with(|known| {
            known.request_id = Some(HeaderValue::from_static("7"));
            known.upstream = Some(upstream("whole"));
        });
        let legs = ["orders", "prices"].map(|part| record.begin_leg(Label::new(LabelKind::Part, part)));
        for (leg, name) in legs.iter().zip(["orders", "prices"]) {
            leg.with(|known| {
                assert_eq!((&known.upstream, &known.rejection.is_some()), (&None, &false));
                known.upstream = Some(upstream(name));
            });
            assert_eq!(leg.request_id().expect("the whole request's"), "7");
            leg.add_bytes_in(5);
        }
        let seen: Vec<_> = record
            .legs()
            .into_iter()
            .map(|(part, leg)| (part.to_string(), leg.with(|known| known.upstream.clone()).expect("written")))
            .collect();
        assert_eq!(seen, [("orders".into(), upstream("orders")), ("prices".into(), upstream("prices"))]);
        assert_eq!(record.with(|known| known.upstream.clone()), Some(upstream("whole")));
        assert_eq!(record.bytes_in(), 0);
    }
}
