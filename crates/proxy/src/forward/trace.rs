//! The spans of attempts, for requests whose trace is recorded. Nothing here runs for other requests.

use std::time::Instant;

use gatewright_core::{Attempt, Error, Label, RequestRecord, SpanContext};
use http::{Request, StatusCode, uri::Scheme};

/// An attempt begins: its endpoint has been chosen.
#[cold]
pub(super) fn begin(record: &RequestRecord, upstream: &Label, endpoint: &Label) {
    record.with_layers(|summary, layers| {
        if let Some(span) = &summary.span {
            layers.add_attempt(Attempt::begin(span, upstream.clone(), endpoint.clone()));
        }
    });
}

/// The attempt goes out: the service sees the attempt as its parent. A request whose `traceparent` was removed on purpose stays
/// without one.
#[cold]
pub(super) fn send<B>(record: &RequestRecord, request: &mut Request<B>, scheme: &Scheme) {
    record.with_layers(|_, layers| {
        let Some(attempt) = layers.attempt_mut() else { return };
        attempt.version = Some(request.version());
        attempt.url = Some(format!("{scheme}://{}{}", attempt.endpoint, request.uri().path()).into());
        if let Some(parent) = request.headers_mut().get_mut(SpanContext::TRACEPARENT) {
            *parent = attempt.span.traceparent();
        }
    });
}

/// The head of a response has come. The attempt is over with it when another one follows.
#[cold]
pub(super) fn answer(record: &RequestRecord, status: StatusCode) {
    record.with_layers(|_, layers| {
        if let Some(attempt) = layers.attempt_mut() {
            attempt.status = Some(status);
        }
    });
}

/// The response is not the one that the client gets.
#[cold]
pub(super) fn give_up(record: &RequestRecord) {
    record.with_layers(|_, layers| {
        if let Some(attempt) = layers.attempt_mut() {
            attempt.ended = Some(Instant::now());
        }
    });
}

/// The attempt has failed.
#[cold]
pub(super) fn fail(record: &RequestRecord, error: &Error) {
    record.with_layers(|_, layers| {
        if let Some(attempt) = layers.attempt_mut() {
            attempt.fail(error.kind());
        }
    });
}
