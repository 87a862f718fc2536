//! The one shared record of a request.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use http::{Extensions, HeaderName, HeaderValue};

use crate::{ClientInfo, ConnectionInfo, ErrorKind, Principal, Rejection};

/// The common ground of one request: the router, the policies and the proxy write here what they know, and the
/// layer that made it reads it when the request ends, also when the client went away.
///
/// The outermost layer puts it into the request's extensions once. Every further insert there allocates, so what
/// layers tell each other goes into the record. A layer that finds no record works all the same.
#[derive(Clone)]
pub struct RequestRecord(Arc<Inner>);

struct Inner {
    started: Instant,
    connection: Option<Arc<ConnectionInfo>>,
    bytes_in: AtomicU64,
    // Only the tasks of one request meet here, so the lock is free whenever it is asked for.
    summary: Mutex<Summary>,
}

/// What is known of a request so far.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Summary {
    /// Who the client is, after trusted hops.
    pub client: Option<ClientInfo>,
    /// The host that the client asked for, before any rewrite.
    pub host: Option<HeaderValue>,
    /// Whether [`claims`](crate::claims) that the client may not make have been removed from the request.
    pub claims_removed: bool,
    /// Whether what the client says of who calls has been removed, so that fields which say it now are a layer's own.
    pub identity_removed: bool,
    /// Fields that no trailer may have, beside those of [`claims`](crate::claims) and those that
    /// [never trail](crate::trailers::may_trail): in which a layer alone says who calls, in which callers send credentials,
    /// and which a rewrite takes out of the head.
    pub not_in_trailers: Option<Arc<[HeaderName]>>,
    /// The value of `x-request-id`.
    pub request_id: Option<HeaderValue>,
    /// The W3C trace id.
    pub trace_id: Option<u128>,
    /// The name of the route that took the request.
    pub route: Option<Arc<str>>,
    /// The name of the upstream that it went to.
    pub upstream: Option<Arc<str>>,
    /// The endpoint of that upstream, as `host:port`.
    pub endpoint: Option<Arc<str>>,
    /// From the choice of the endpoint to the upstream's response head, over all attempts.
    pub upstream_time: Option<Duration>,
    /// Who calls.
    pub principal: Option<Principal>,
    /// The refusal, when a policy refused.
    pub rejection: Option<Rejection>,
    /// The refusal that a policy on trial (a dry run) would have made. The request went on.
    pub would_reject: Option<Rejection>,
    /// The failure, when the request could not be carried out.
    pub error: Option<ErrorKind>,
}

impl Summary {
    /// Adds names to those [that no trailer may have](Self::not_in_trailers).
    pub fn bar_from_trailers(&mut self, names: &Arc<[HeaderName]>) {
        if names.is_empty() {
            return;
        }
        self.not_in_trailers = Some(match self.not_in_trailers.take() {
            None => Arc::clone(names),
            Some(before) => before.iter().chain(&**names).cloned().collect(),
        });
    }
}

impl RequestRecord {
    /// A record that starts now, for a request on `connection`.
    pub fn new(connection: Option<Arc<ConnectionInfo>>) -> Self {
        Self(Arc::new(Inner {
            started: Instant::now(),
            connection,
            bytes_in: AtomicU64::new(0),
            summary: Mutex::default(),
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

    /// The connection it came on.
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
        access(&mut self.0.summary.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The value of `x-request-id`, for a response that a layer writes itself.
    pub fn request_id(&self) -> Option<HeaderValue> {
        self.with(|summary| summary.request_id.clone())
    }
}

impl fmt::Debug for RequestRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestRecord").field("summary", &self.0.summary).finish_non_exhaustive()
    }
}
