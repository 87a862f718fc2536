//! Requests that somebody may want to look at: those that failed, that were refused, and that were slow.
//!
//! 1. Each kind has a ring of its own, so that a flood of refusals hides no failure.
//! 2. Nobody waits for a ring: when another thread holds it, the request is counted as left out.
//! 3. A text of a client is cut, and the values of a query are left out, since they may be secrets.

use std::{
    collections::VecDeque,
    net::IpAddr,
    sync::{
        Mutex, PoisonError, TryLockError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use gatewright_core::Label;
use gatewright_trace::{EndedRequest, Ending};

/// How many requests of one kind are kept.
const KEPT: usize = 256;

/// How many bytes of a path, a host or a query are kept.
const TEXT: usize = 512;

/// Why a request is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The gateway or the service failed, or the client left.
    Failed,
    /// A policy refused it.
    Refused,
    /// It took longer than others should.
    Slow,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Failed, Self::Refused, Self::Slow];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::Slow => "slow",
        }
    }
}

/// A request, as the page shows it.
#[derive(Debug, Clone)]
pub(crate) struct KeptRequest {
    pub(crate) kind: Kind,
    pub(crate) began: SystemTime,
    pub(crate) id: String,
    pub(crate) trace_id: Option<u128>,
    pub(crate) client: Option<IpAddr>,
    pub(crate) method: String,
    pub(crate) host: Option<String>,
    pub(crate) target: String,
    pub(crate) route: Option<Label>,
    pub(crate) upstream: Option<Label>,
    pub(crate) endpoint: Option<Label>,
    pub(crate) status: Option<u16>,
    /// `policy:reason`, `error:kind`, `client:gone` or `server:cut`.
    pub(crate) why: Option<String>,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    pub(crate) duration: Duration,
    pub(crate) upstream_after: Option<Duration>,
    pub(crate) upstream_time: Option<Duration>,
    /// The policies that the request waited for, in order.
    pub(crate) waits: Vec<(Label, Duration)>,
}

impl KeptRequest {
    pub(super) fn new(kind: Kind, request: &EndedRequest<'_>) -> Self {
        let id = request.request_id().map(|id| String::from_utf8_lossy(id.as_bytes()).into_owned());
        let waits = request.decisions().iter().filter_map(|it| Some((it.policy.clone(), it.waited?)));
        Self {
            kind,
            began: SystemTime::now().checked_sub(request.duration()).unwrap_or(SystemTime::UNIX_EPOCH),
            id: id.unwrap_or_default(),
            trace_id: request.span().map(|span| span.trace_id()),
            client: request.client(),
            method: cut(request.method().as_str(), 32).to_owned(),
            host: request.host().map(|host| cut(&host, TEXT).to_owned()),
            target: target(request.path(), request.query()),
            route: request.route().cloned(),
            upstream: request.upstream().cloned(),
            endpoint: request.endpoint().cloned(),
            status: request.logged_status(),
            why: why(request),
            bytes_in: request.bytes_in(),
            bytes_out: request.bytes_out(),
            duration: request.duration(),
            upstream_after: request.upstream_after(),
            upstream_time: request.upstream_time(),
            waits: waits.collect(),
        }
    }
}

/// Who stood in the way of the request, as the access log says it.
fn why(request: &EndedRequest<'_>) -> Option<String> {
    if request.ending() == Ending::ServerCut {
        return Some("server:cut".to_owned());
    }
    if let Some(rejection) = request.rejection() {
        return Some(format!("{}:{}", rejection.policy(), cut(rejection.reason(), TEXT)));
    }
    match (request.error(), request.ending()) {
        (Some(kind), _) => Some(format!("error:{}", kind.as_str())),
        (None, Ending::ClientGone) => Some("client:gone".to_owned()),
        (None, _) => None,
    }
}

/// The path, and the names in the query.
fn target(path: &str, query: Option<&str>) -> String {
    let mut target = cut(path, TEXT).to_owned();
    let Some(query) = query else { return target };
    for (index, parameter) in cut(query, TEXT).split('&').enumerate() {
        target.push(if index == 0 { '?' } else { '&' });
        match parameter.split_once('=') {
            Some((name, _)) => target.extend([name, "=…"]),
            // What has no name may be a value.
            None if !parameter.is_empty() => target.push('…'),
            None => {}
        }
    }
    target
}

/// The text, up to so many bytes and whole characters.
fn cut(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}

/// The requests of each kind, the newest last.
#[derive(Debug, Default)]
pub(crate) struct KeptRequests {
    rings: [Mutex<VecDeque<KeptRequest>>; Kind::ALL.len()],
    left_out: AtomicU64,
}

impl KeptRequests {
    pub(super) fn keep(&self, kind: Kind, request: &EndedRequest<'_>) {
        let mut ring = match self.rings[kind as usize].try_lock() {
            Ok(ring) => ring,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => {
                self.left_out.fetch_add(1, Ordering::Relaxed);
                return;
            }
        };
        if ring.len() == KEPT {
            ring.pop_front();
        }
        ring.push_back(KeptRequest::new(kind, request));
    }

    /// The requests of one kind, the newest first.
    pub(crate) fn of(&self, kind: Kind) -> Vec<KeptRequest> {
        let ring = self.rings[kind as usize].lock().unwrap_or_else(PoisonError::into_inner);
        ring.iter().rev().cloned().collect()
    }

    /// The requests of this id, or of this trace.
    pub(crate) fn find(&self, id: &str) -> Vec<KeptRequest> {
        let all = Kind::ALL.into_iter().flat_map(|kind| self.of(kind));
        all.filter(|request| {
            request.id == id || request.trace_id.is_some_and(|trace| format!("{trace:032x}") == id)
        })
        .collect()
    }

    /// How many requests were not kept, since another thread was writing.
    pub(crate) fn left_out(&self) -> u64 {
        self.left_out.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_values_of_a_query_are_not_kept() {
        assert_eq!(target("/a", None), "/a");
        assert_eq!(target("/a", Some("token=hunter2&page=3&hunter2")), "/a?token=…&page=…&…");
        assert_eq!(target("/a", Some("")), "/a?");
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(cut("aé", 2), "a");
        assert_eq!(target(&"/ä".repeat(TEXT), None).len(), TEXT - 1);
    }
}
