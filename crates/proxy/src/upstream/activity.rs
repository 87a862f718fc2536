//! What an endpoint is doing, as far as its requests show it.

use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

use gatewright_core::{Label, Side};

use crate::balance::Outcome;

/// So many failures in a row mean that an endpoint is down.
const DOWN: u32 = 3;

/// The counts of one endpoint.
#[derive(Debug, Default)]
pub(super) struct Activity {
    in_flight: AtomicUsize,
    answered: AtomicU64,
    failed: AtomicU64,
    /// Failures since the last answer.
    in_a_row: AtomicU32,
}

impl Activity {
    pub(super) fn begin(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn end(&self, outcome: Outcome) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        match outcome {
            Outcome::Answered(_) | Outcome::Abandoned(Some(_)) => {
                self.answered.fetch_add(1, Ordering::Relaxed);
                // Most often there is nothing to write, and a line of memory that is only read is shared by all cores.
                if self.in_a_row.load(Ordering::Relaxed) > 0 {
                    self.in_a_row.store(0, Ordering::Relaxed);
                }
            }
            Outcome::Failed(kind) if kind.side() == Side::Upstream => {
                self.failed.fetch_add(1, Ordering::Relaxed);
                self.in_a_row.fetch_add(1, Ordering::Relaxed);
            }
            // Neither tells anything of the endpoint.
            Outcome::Failed(_) | Outcome::Abandoned(None) => {}
        }
    }

    pub(super) fn status(&self, label: &Label) -> EndpointStatus {
        let (answered, in_a_row) =
            (self.answered.load(Ordering::Relaxed), self.in_a_row.load(Ordering::Relaxed));
        EndpointStatus {
            label: label.clone(),
            in_flight: self.in_flight.load(Ordering::Relaxed),
            answered,
            failed: self.failed.load(Ordering::Relaxed),
            health: match in_a_row {
                0 if answered == 0 => EndpointHealth::Unknown,
                0 => EndpointHealth::Up,
                failures if failures < DOWN => EndpointHealth::Failing,
                _ => EndpointHealth::Down,
            },
        }
    }
}

/// How an endpoint fares.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EndpointStatus {
    /// The endpoint, as `host:port`.
    pub label: Label,
    /// The attempts under way, up to the end of the response's body or of the tunnel.
    pub in_flight: usize,
    /// The attempts that got the head of a response, whatever its status.
    pub answered: u64,
    /// The attempts that the endpoint failed: no connection, no response, or not all of one.
    pub failed: u64,
    /// What the latest attempts say.
    pub health: EndpointHealth,
}

/// What the latest attempts say of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndpointHealth {
    /// No attempt has ended yet.
    Unknown,
    /// The latest attempt was answered.
    Up,
    /// The latest attempts failed, fewer than three in a row.
    Failing,
    /// At least three attempts in a row failed.
    Down,
}

impl EndpointHealth {
    /// A stable word for pages and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Up => "up",
            Self::Failing => "failing",
            Self::Down => "down",
        }
    }
}

#[cfg(test)]
mod tests {
    use gatewright_core::{ErrorKind, LabelKind};
    use http::StatusCode;

    use super::*;

    #[test]
    fn an_endpoint_that_fails_three_times_in_a_row_is_down_until_it_answers() {
        let (activity, label) = (Activity::default(), Label::new(LabelKind::Endpoint, "a:1"));
        let health = |outcome| {
            activity.begin();
            activity.end(outcome);
            activity.status(&label).health
        };
        assert_eq!(activity.status(&label).health, EndpointHealth::Unknown);
        let failed = Outcome::Failed(ErrorKind::Connect);
        assert_eq!(health(failed), EndpointHealth::Failing);
        assert_eq!(health(failed), EndpointHealth::Failing);
        // A client that leaves says nothing of the endpoint.
        assert_eq!(health(Outcome::Abandoned(None)), EndpointHealth::Failing);
        assert_eq!(health(failed), EndpointHealth::Down);
        assert_eq!(health(Outcome::Answered(StatusCode::INTERNAL_SERVER_ERROR)), EndpointHealth::Up);
        let status = activity.status(&label);
        assert_eq!((status.answered, status.failed, status.in_flight), (1, 3, 0));
    }

    #[test]
    fn attempts_under_way_are_counted() {
        let (activity, label) = (Activity::default(), Label::new(LabelKind::Endpoint, "a:1"));
        activity.begin();
        activity.begin();
        assert_eq!(activity.status(&label).in_flight, 2);
        activity.end(Outcome::Abandoned(None));
        assert_eq!(activity.status(&label).in_flight, 1);
    }
}
