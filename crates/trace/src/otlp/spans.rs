//! The spans of a request, made of its record by the semantic conventions for HTTP.
//!
//! 1. A server span is called `{method} {route}`. Its status is an error from 500 on, and when the gateway failed; 4xx leaves it
//!    unset, and so does a client that went away.
//! 2. Each attempt is a client span and a child of the server span. Its status is an error from 400 on. From the second on it has
//!    `http.request.resend_count`. There is no span around the attempts.
//! 3. Each policy for which the request waited has an internal span, and each part of a composed answer has one with attempts of its
//!    own.
//! 4. Queries may hold secrets, and are in no span.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use gatewright_core::{
    Attempt, Label, LayerState, PolicyDecision, PolicyVerdict, RequestRecord, SpanContext, ids,
};
use http::{Method, StatusCode, Uri, Version};
use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, KeyValue, any_value::Value},
    trace::v1::{
        Span, Status,
        span::{Link, SpanKind},
        status::StatusCode as SpanStatus,
    },
};
use opentelemetry_semantic_conventions::attribute::{
    CLIENT_ADDRESS, ERROR_TYPE, HTTP_REQUEST_METHOD, HTTP_REQUEST_METHOD_ORIGINAL, HTTP_REQUEST_RESEND_COUNT,
    HTTP_RESPONSE_STATUS_CODE, HTTP_ROUTE, NETWORK_PROTOCOL_VERSION, SERVER_ADDRESS, SERVER_PORT, URL_FULL,
    URL_PATH, URL_SCHEME,
};

use crate::{EndedRequest, Ending};

/// The longest text of an attribute, in bytes: clients write some of them.
const MAX_TEXT: usize = 1024;

/// A method that the conventions do not know is this in attributes, and `HTTP` in names.
const OTHER: &str = "_OTHER";

/// The value of `error.type` of an attempt that was given up with its request.
const CANCELED: &str = "canceled";

/// Flags of a span beside those of the trace: whether its parent is in another process, and that this is known.
const HAS_IS_REMOTE: u32 = 0x100;
const IS_REMOTE: u32 = 0x200;

/// All spans of a request whose trace is recorded, the request's own first.
pub(super) fn all(request: &EndedRequest<'_>, span: &SpanContext) -> Vec<Span> {
    let clock = Clock::of(request);
    let mut spans = vec![server(request, span, &clock)];
    let parent = Parent { span, request, clock: &clock };
    parent.add(request.attempts(), request.decisions(), &mut spans);
    for (part, leg) in request.legs() {
        parent.add_leg(part, leg, &mut spans);
    }
    spans
}

/// Whether the gateway or a service failed.
pub(super) fn is_failure(request: &EndedRequest<'_>) -> bool {
    server_error(request).is_some()
}

/// The one span of a failed request whose trace is not recorded. Its parent is not recorded either, so it has none.
pub(super) fn late(request: &EndedRequest<'_>, span: &SpanContext) -> Span {
    let root = SpanContext::new(span.trace_id(), span.span_id(), None, span.flags());
    server(request, &root, &Clock::of(request))
}

fn server(request: &EndedRequest<'_>, span: &SpanContext, clock: &Clock) -> Span {
    let (method, original) = known_method(request.method());
    let called = if original.is_some() { "HTTP" } else { method };
    let name = match request.route() {
        Some(route) => format!("{called} {}", &**route),
        None => called.to_owned(),
    };
    let mut attributes = Vec::with_capacity(16);
    attributes.push(text(HTTP_REQUEST_METHOD, method));
    attributes.extend(original.map(|original| text(HTTP_REQUEST_METHOD_ORIGINAL, original)));
    attributes.push(text(URL_PATH, request.path()));
    let is_secure = request.connection().is_some_and(|connection| connection.tls().is_some());
    attributes.push(text(URL_SCHEME, if is_secure { "https" } else { "http" }));
    if let Some(host) = request.host() {
        address(&host, &mut attributes);
    }
    attributes.extend(version_text(request.version()).map(|version| text(NETWORK_PROTOCOL_VERSION, version)));
    attributes.extend(request.client().map(|client| text(CLIENT_ADDRESS, &client.to_string())));
    attributes.extend(request.route().map(|route| text(HTTP_ROUTE, route)));
    attributes.extend(request.status().map(|status| number(HTTP_RESPONSE_STATUS_CODE, status.as_u16().into())));
    if let Some(id) = request.request_id().and_then(|id| id.to_str().ok()) {
        attributes.push(text("gatewright.request_id", id));
    }
    attributes.extend(request.upstream().map(|upstream| text("gatewright.upstream", upstream)));
    if let Some(obstacle) = request.obstacle() {
        attributes.push(text("gatewright.rejection", &format!("{}:{}", obstacle.by, obstacle.reason)));
    }
    let error = server_error(request);
    attributes.extend(error.as_ref().map(|error| text(ERROR_TYPE, error)));
    let link = |replaced: SpanContext| Link {
        trace_id: replaced.trace_id().to_be_bytes().to_vec(),
        span_id: replaced.span_id().to_be_bytes().to_vec(),
        flags: u32::from(replaced.flags()) | HAS_IS_REMOTE | IS_REMOTE,
        ..Link::default()
    };
    let remote = if span.parent_id().is_some() { IS_REMOTE } else { 0 };
    Span {
        flags: u32::from(span.flags()) | HAS_IS_REMOTE | remote,
        links: request.replaced_span().map(link).into_iter().collect(),
        status: error.map(|_| failed()),
        ..timed(span, name, SpanKind::Server, attributes, clock, request.started(), clock.now)
    }
}

/// The value of `error.type` of a server span.
fn server_error(request: &EndedRequest<'_>) -> Option<String> {
    match (request.ending(), request.status()) {
        (Ending::Failed(kind), _) => Some(request.error().unwrap_or(kind).as_str().to_owned()),
        (_, Some(status)) if status.is_server_error() => {
            Some(request.error().map_or_else(|| status.as_str().to_owned(), |kind| kind.as_str().to_owned()))
        }
        (Ending::ServerCut, _) => Some("server:cut".to_owned()),
        _ => None,
    }
}

/// What the spans within a request, or within a part of it, have in common.
struct Parent<'a> {
    span: &'a SpanContext,
    request: &'a EndedRequest<'a>,
    clock: &'a Clock,
}

impl Parent<'_> {
    fn add(&self, attempts: &[Attempt], decisions: &[PolicyDecision], spans: &mut Vec<Span>) {
        spans.extend(decisions.iter().filter_map(|decision| self.decision(decision)));
        let attempts = attempts.iter().enumerate();
        spans.extend(attempts.map(|(resent, attempt)| self.attempt(attempt, resent)));
    }

    fn add_leg(&self, part: &Label, leg: &RequestRecord, spans: &mut Vec<Span>) {
        leg.with_layers(|known, layers: &mut LayerState| {
            let Some(span) = &known.span else { return };
            let attributes = vec![text("gatewright.part", part)];
            let end =
                layers.attempts().iter().filter_map(|attempt| attempt.ended).max().unwrap_or(self.clock.now);
            let name = part.to_string();
            let mut own = timed(span, name, SpanKind::Internal, attributes, self.clock, leg.started(), end);
            own.status = known.error.map(|_| failed());
            spans.push(own);
            let parent = Parent { span, ..*self };
            parent.add(layers.attempts(), layers.decisions(), spans);
            for (part, leg) in layers.legs() {
                parent.add_leg(part, leg, spans);
            }
        });
    }

    fn attempt(&self, attempt: &Attempt, resent: usize) -> Span {
        let (method, original) = known_method(self.request.method());
        let name = if original.is_some() { "HTTP" } else { method };
        let mut attributes = Vec::with_capacity(12);
        attributes.push(text(HTTP_REQUEST_METHOD, method));
        attributes.extend(original.map(|original| text(HTTP_REQUEST_METHOD_ORIGINAL, original)));
        address(&attempt.endpoint, &mut attributes);
        attributes.extend(attempt.url.as_ref().map(|url| text(URL_FULL, url)));
        attributes.extend(attempt.version.and_then(version_text).map(|it| text(NETWORK_PROTOCOL_VERSION, it)));
        attributes
            .extend(attempt.status.map(|status| number(HTTP_RESPONSE_STATUS_CODE, status.as_u16().into())));
        attributes.push(text("gatewright.upstream", &attempt.upstream));
        if resent > 0 {
            attributes.push(number(HTTP_REQUEST_RESEND_COUNT, i64::try_from(resent).unwrap_or(i64::MAX)));
        }
        let error = self.attempt_error(attempt);
        attributes.extend(error.as_ref().map(|error| text(ERROR_TYPE, error)));
        let end = attempt.ended.unwrap_or(self.clock.now);
        let span = &attempt.span;
        Span {
            status: error.map(|_| failed()),
            ..timed(span, name.to_owned(), SpanKind::Client, attributes, self.clock, attempt.started, end)
        }
    }

    /// The value of `error.type` of an attempt. One that has not ended ended with the request.
    fn attempt_error(&self, attempt: &Attempt) -> Option<String> {
        if let Some(kind) = attempt.error {
            return Some(kind.as_str().to_owned());
        }
        let is_error = |status: &StatusCode| status.is_client_error() || status.is_server_error();
        if let Some(status) = attempt.status.filter(is_error) {
            return Some(status.as_str().to_owned());
        }
        match self.request.ending() {
            _ if attempt.ended.is_some() => None,
            Ending::Complete | Ending::Open => self.request.error().map(|kind| kind.as_str().to_owned()),
            Ending::Failed(kind) => Some(self.request.error().unwrap_or(kind).as_str().to_owned()),
            Ending::ClientGone | Ending::ServerCut => Some(CANCELED.to_owned()),
        }
    }

    /// The span of a policy for which the request waited.
    fn decision(&self, decision: &PolicyDecision) -> Option<Span> {
        let (since, waited) = (decision.since?, decision.waited?);
        let verdict = match decision.verdict {
            PolicyVerdict::Refused => "refused",
            PolicyVerdict::Answered => "answered",
            _ => "admitted",
        };
        let attributes =
            vec![text("gatewright.policy", &decision.policy), text("gatewright.decision", verdict)];
        let span = self.span.child(ids::short_id());
        let name = decision.policy.to_string();
        Some(timed(&span, name, SpanKind::Internal, attributes, self.clock, since, since + waited))
    }
}

/// A span of the gateway with its ids and its time.
fn timed(
    span: &SpanContext,
    name: String,
    kind: SpanKind,
    attributes: Vec<KeyValue>,
    clock: &Clock,
    start: Instant,
    end: Instant,
) -> Span {
    Span {
        trace_id: span.trace_id().to_be_bytes().to_vec(),
        span_id: span.span_id().to_be_bytes().to_vec(),
        parent_span_id: span.parent_id().map(|id| id.to_be_bytes().to_vec()).unwrap_or_default(),
        flags: u32::from(span.flags()) | HAS_IS_REMOTE,
        name,
        kind: kind.into(),
        attributes,
        start_time_unix_nano: clock.nanos(start),
        end_time_unix_nano: clock.nanos(end.max(start)),
        ..Span::default()
    }
}

fn failed() -> Status {
    Status { code: SpanStatus::Error.into(), ..Status::default() }
}

/// Both clocks at the end of the request. All moments of its spans are told from there, so that they fit together also when the
/// system's clock is set meanwhile.
struct Clock {
    now: Instant,
    since_epoch: Duration,
}

impl Clock {
    fn of(request: &EndedRequest<'_>) -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { now: request.started() + request.duration(), since_epoch }
    }

    fn nanos(&self, moment: Instant) -> u64 {
        let before = self.now.saturating_duration_since(moment);
        u64::try_from(self.since_epoch.saturating_sub(before).as_nanos()).unwrap_or(u64::MAX)
    }
}

/// The method for attributes, and the one that the client wrote when the conventions do not know it.
fn known_method(method: &Method) -> (&'static str, Option<&str>) {
    let known = ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"];
    match known.into_iter().find(|known| *known == method.as_str()) {
        Some(known) => (known, None),
        None => (OTHER, Some(method.as_str())),
    }
}

fn version_text(version: Version) -> Option<&'static str> {
    Some(match version {
        Version::HTTP_10 => "1.0",
        Version::HTTP_11 => "1.1",
        Version::HTTP_2 => "2",
        Version::HTTP_3 => "3",
        _ => return None,
    })
}

/// Adds the two attributes of `host` or `host:port`.
fn address(authority: &str, attributes: &mut Vec<KeyValue>) {
    let Ok(uri) = authority.parse::<Uri>() else { return };
    let Some(host) = uri.host() else { return };
    attributes.push(text(SERVER_ADDRESS, host.trim_start_matches('[').trim_end_matches(']')));
    attributes.extend(uri.port_u16().map(|port| number(SERVER_PORT, port.into())));
}

/// An attribute that is a text, cut where it is too long.
pub(super) fn text(key: &str, value: &str) -> KeyValue {
    let mut end = value.len().min(MAX_TEXT);
    while !value.is_char_boundary(end) {
        end -= 1;
    }
    attribute(key, Value::StringValue(value[..end].to_owned()))
}

fn number(key: &str, value: i64) -> KeyValue {
    attribute(key, Value::IntValue(value))
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}
