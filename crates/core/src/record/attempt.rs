//! One attempt at an endpoint of an upstream.

use std::time::Instant;

use http::{StatusCode, Version};

use super::SpanContext;
use crate::{ErrorKind, Label, ids};

/// One attempt to send a request to an endpoint. It has a span of its own, which is the parent that the service sees.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Attempt {
    /// The span of the attempt. Its parent is the span of the request.
    pub span: SpanContext,
    /// The upstream.
    pub upstream: Label,
    /// The endpoint of that upstream.
    pub endpoint: Label,
    /// When the endpoint was chosen.
    pub started: Instant,
    /// When the attempt was over; `None` when it ended with the request: its response is the request's, or the request was given
    /// up.
    pub ended: Option<Instant>,
    /// The URL that it was sent to, without the query, which may hold secrets; `None` when there was no connection.
    pub url: Option<Box<str>>,
    /// The protocol of its connection; `None` when there was no connection.
    pub version: Option<Version>,
    /// The status of its response.
    pub status: Option<StatusCode>,
    /// Why it failed.
    pub error: Option<ErrorKind>,
}

impl Attempt {
    /// An attempt of the request with this span, which begins now.
    pub fn begin(request: &SpanContext, upstream: Label, endpoint: Label) -> Self {
        Self {
            span: request.child(ids::short_id()),
            upstream,
            endpoint,
            started: Instant::now(),
            ended: None,
            url: None,
            version: None,
            status: None,
            error: None,
        }
    }

    /// Notes that the attempt has failed.
    pub fn fail(&mut self, kind: ErrorKind) {
        self.error = Some(kind);
        self.ended = Some(Instant::now());
    }
}
