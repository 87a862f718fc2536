//! Live statistics: what the requests of the last minutes were like.
//!
//! 1. A request is counted when it ends. Counting allocates nothing, takes no lock and looks no name up.
//! 2. Memory is bounded: a route or an upstream that has had a request takes about 5 KiB, whatever its traffic; reasons,
//!    kept requests and windows have fixed numbers.
//! 3. An upgraded connection or an event stream is counted when it ends, and has no latency: how long it lasts is its users'
//!    affair.

mod histogram;
mod kept;
mod reasons;
mod series;
mod slots;
mod totals;
mod window;

use std::{
    collections::HashSet,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use gatewright_core::{Label, LabelKind};
use gatewright_trace::{EndedRequest, Ending, Observer, RefusedRequest};
use http::StatusCode;

use self::slots::Slots;
pub(crate) use self::{
    histogram::{ROWS, rows},
    kept::{KeptRequest, KeptRequests, Kind},
    reasons::Reasons,
    series::Series,
    totals::Totals,
    window::{Class, Counts},
};

/// Counts the requests of a stack: an [`Observer`] to be added to its `TraceLayer`. Clones share what they count.
#[derive(Clone)]
pub struct Live(Arc<Inner>);

struct Inner {
    began: Instant,
    slow: Duration,
    totals: Totals,
    routes: Slots,
    /// The requests that no route took.
    unmatched: Series,
    upstreams: Slots,
    reasons: Reasons,
    kept: KeptRequests,
}

impl Live {
    pub(crate) fn new(slow: Duration) -> Self {
        let unmatched = Label::new(LabelKind::Route, "");
        Self(Arc::new(Inner {
            began: Instant::now(),
            slow,
            totals: Totals::default(),
            routes: Slots::default(),
            unmatched: Series::new(unmatched),
            upstreams: Slots::default(),
            reasons: Reasons::default(),
            kept: KeptRequests::default(),
        }))
    }

    /// The seconds since the beginning.
    pub(crate) fn now(&self) -> u32 {
        self.second(Instant::now())
    }

    fn second(&self, at: Instant) -> u32 {
        u32::try_from(at.saturating_duration_since(self.0.began).as_secs()).unwrap_or(u32::MAX)
    }

    pub(crate) fn slow(&self) -> Duration {
        self.0.slow
    }

    pub(crate) fn totals(&self) -> &Totals {
        &self.0.totals
    }

    pub(crate) fn reasons(&self) -> &Reasons {
        &self.0.reasons
    }

    pub(crate) fn kept(&self) -> &KeptRequests {
        &self.0.kept
    }

    pub(crate) fn route(&self, label: &Label) -> Option<Arc<Series>> {
        self.0.routes.get(label)
    }

    /// The requests that no route took.
    pub(crate) fn unmatched(&self) -> &Series {
        &self.0.unmatched
    }

    pub(crate) fn upstream(&self, label: &Label) -> Option<Arc<Series>> {
        self.0.upstreams.get(label)
    }

    /// Forgets the routes and upstreams that are not among these.
    pub(crate) fn retain(&self, routes: &HashSet<Label>, upstreams: &HashSet<Label>) {
        self.0.routes.retain(|label| routes.contains(label));
        self.0.upstreams.retain(|label| upstreams.contains(label));
    }
}

impl Observer for Live {
    fn watches_waits(&self) -> bool {
        true
    }

    fn request_ended(&self, request: &EndedRequest<'_>) {
        let inner = &*self.0;
        let second = self.second(request.started() + request.duration());
        let micros = request.stream().is_none().then(|| micros(request.duration()));
        let class = class(request);
        inner.totals.add(second, class, micros);
        let reason =
            request.rejection().map(|refusal| inner.reasons.add(second, refusal.policy(), refusal.reason()));
        let count = |series: &Series| {
            series.add(second, class, micros);
            if let Some(reason) = reason {
                series.add_reason(reason);
            }
        };
        match request.route() {
            Some(route) => inner.routes.with(route, count),
            None => count(&inner.unmatched),
        }
        if let Some(upstream) = request.upstream() {
            // Of an upstream, its own time counts; one that did not answer took the request's.
            let time = request.upstream_time().map(self::micros).or(micros);
            inner.upstreams.with(upstream, |series| series.add(second, class, time));
        }
        if let Some(kind) = kind(request, class, inner.slow) {
            inner.kept.keep(kind, request);
        }
    }

    fn request_refused(&self, request: &RefusedRequest<'_>) {
        let second = self.now();
        self.0.totals.add(second, Class::Refused, None);
        self.0.reasons.add(second, request.policy(), request.reason());
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn class(request: &EndedRequest<'_>) -> Class {
    let status = request.logged_status().unwrap_or(500);
    if let Some(rejection) = request.rejection() {
        return if rejection.status() == StatusCode::TOO_MANY_REQUESTS {
            Class::Limited
        } else {
            Class::Refused
        };
    }
    match (status, request.ending()) {
        (_, Ending::Failed(_)) | (500.., _) => Class::ServerError,
        (400.., _) => Class::ClientError,
        _ => Class::Success,
    }
}

/// Why a request is kept, if it is.
fn kind(request: &EndedRequest<'_>, class: Class, slow: Duration) -> Option<Kind> {
    match class {
        Class::ServerError => Some(Kind::Failed),
        Class::Limited | Class::Refused => Some(Kind::Refused),
        _ if matches!(request.ending(), Ending::ClientGone | Ending::ServerCut) => Some(Kind::Failed),
        _ if request.stream().is_none() && request.duration() >= slow => Some(Kind::Slow),
        _ => None,
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").finish_non_exhaustive()
    }
}
