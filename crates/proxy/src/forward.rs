//! The way of one request: choose a target, send, look at the answer, send again where that is safe.

use std::{future::Future, pin::pin, sync::Arc, time::Duration};

use gatewright_client::{Connection, PoolBody, Require, SendError};
use gatewright_core::{Body, Error, ErrorKind, OnUpgrade, RequestRecord, Side};
use http::{Request, Response, StatusCode, Version};
use http_body::Body as _;
use tokio::time::Instant;

use crate::{
    ProxyBody,
    body::RequestBody,
    deadline::{Limits, Progress, within},
    head::{self, Destination},
    interim,
    retries::is_idempotent,
    service::Settings,
    tunnel::{self, Upgrade},
    upstream::Endpoint,
};

/// From here on an idle connection may be one that the endpoint is closing, so a copy of the request is kept.
const STALE: Duration = Duration::from_millis(500);

/// Connections that turn out to be closed before a byte has left, at most, before the request is given up.
const UNSENT: u32 = 16;

/// Begins at once what needs no waiting, up to the first attempt over a connection that is ready, so that a request is
/// seldom carried along in the future.
pub(crate) fn forward(
    settings: Arc<Settings>,
    request: Request<Body>,
) -> impl Future<Output = Result<Response<ProxyBody>, Error>> + Send {
    let begun = Exchange::begin(settings, request);
    async move {
        let (exchange, first) = begun?;
        let response = exchange.run(first).await?;
        answer(response, exchange.upgrade, exchange.settings.idle_timeout)
    }
}

/// What stays the same over all attempts.
struct Exchange {
    settings: Arc<Settings>,
    destination: Destination,
    client_version: Version,
    upgrade: Option<Upgrade>,
    bodiless: bool,
    replayable: bool,
    started: Instant,
    record: Option<RequestRecord>,
}

/// What the attempts so far have used up.
#[derive(Default)]
struct Spent {
    /// The endpoint of the last failure.
    failed: Option<usize>,
    unconnected: u32,
    unsent: u32,
    resent: u32,
}

/// How far a request comes without waiting.
#[expect(clippy::large_enum_variant, reason = "the larger one is the usual one")]
enum First<F> {
    /// It is on its way.
    Sent(Attempt<F>),
    /// This endpoint has been chosen for it, and has no connection that is ready.
    Unsent(usize, Request<RequestBody>),
}

/// An attempt on its way.
struct Attempt<F> {
    response: F,
    progress: Option<Arc<Progress>>,
    sent: Sent,
}

/// What the answer to an attempt is judged by.
struct Sent {
    endpoint: usize,
    /// The connection had served before.
    reused: bool,
    /// It had lain idle for long enough that the endpoint may be closing it.
    stale: bool,
    /// The endpoint may refuse the request without having looked at it.
    refusable: bool,
    copy: Option<Box<Request<RequestBody>>>,
}

/// What became of an attempt: the response's head, or why there is none.
type Outcome = Result<Response<PoolBody<RequestBody>>, SendError<RequestBody>>;

/// What follows from an outcome.
enum Verdict {
    Final(Response<PoolBody<RequestBody>>),
    Again(Request<RequestBody>),
}

impl Exchange {
    fn begin(
        settings: Arc<Settings>,
        request: Request<Body>,
    ) -> Result<(Self, First<impl Future<Output = Outcome> + use<>>), Error> {
        let (mut parts, body) = request.into_parts();
        let record = RequestRecord::of(&parts.extensions).cloned();
        let upgrade = Upgrade::asked_for(&mut parts, &body);
        let client_version = parts.version;
        let destination = head::prepare(&mut parts, record.as_ref())?;
        let bodiless = upgrade.is_none() && body.is_end_stream();
        let replayable = bodiless && is_idempotent(&parts.method);
        let request = Request::from_parts(parts, RequestBody::new(body, record.clone()));
        let started = Instant::now();
        let exchange =
            Self { settings, destination, client_version, upgrade, bodiless, replayable, started, record };
        let upstream = &exchange.settings.upstream;
        if exchange.may_resend(&Spent::default()) {
            upstream.budget().earn();
        }
        let index = upstream.next(None);
        let first = match upstream.endpoints()[index].pool.ready(exchange.require()) {
            Some(connection) => {
                let endpoint = &upstream.endpoints()[index];
                exchange.note_endpoint(endpoint);
                First::Sent(exchange.attempt(connection, request, index, &Spent::default())?)
            }
            None => First::Unsent(index, request),
        };
        Ok((exchange, first))
    }

    async fn run(
        &self,
        first: First<impl Future<Output = Outcome>>,
    ) -> Result<Response<PoolBody<RequestBody>>, Error> {
        let mut spent = Spent::default();
        let (index, request) = match first {
            First::Sent(attempt) => match self.settle(attempt, &mut spent).await? {
                Verdict::Final(response) => return Ok(response),
                Verdict::Again(request) => (self.settings.upstream.next(spent.failed), request),
            },
            First::Unsent(index, request) => (index, request),
        };
        // Boxed, so that requests that need no more do not carry the room for it.
        Box::pin(self.go_on(index, request, spent)).await
    }

    /// Attempts until there is an answer or no reason to go on.
    async fn go_on(
        &self,
        mut index: usize,
        mut request: Request<RequestBody>,
        mut spent: Spent,
    ) -> Result<Response<PoolBody<RequestBody>>, Error> {
        let Settings { upstream, retries, .. } = &*self.settings;
        loop {
            let endpoint = &upstream.endpoints()[index];
            self.note_endpoint(endpoint);
            match endpoint.pool.checkout(self.require()).await {
                Ok(connection) => {
                    let attempt = self.attempt(connection, request, index, &spent)?;
                    match self.settle(attempt, &mut spent).await? {
                        Verdict::Final(response) => return Ok(response),
                        Verdict::Again(again) => request = again,
                    }
                }
                Err(error) => {
                    endpoint.note_failure(&error);
                    spent.failed = Some(index);
                    spent.unconnected += 1;
                    // Every target is asked once, and the same ones again as often as retries allow.
                    let targets = u32::try_from(upstream.endpoints().len()).unwrap_or(u32::MAX);
                    if spent.unconnected >= targets.saturating_add(retries.attempts()) {
                        return Err(error);
                    }
                }
            }
            index = upstream.next(spent.failed);
        }
    }

    /// Sends the request on its way.
    fn attempt(
        &self,
        mut connection: Connection<RequestBody>,
        mut request: Request<RequestBody>,
        index: usize,
        spent: &Spent,
    ) -> Result<Attempt<impl Future<Output = Outcome> + use<>>, Error> {
        let Settings { upstream, preserve_host, .. } = &*self.settings;
        let idle_for = connection.idle_for();
        let version = connection.version();
        let stale = self.replayable && idle_for.is_some_and(|idle| idle >= STALE);
        // An HTTP/2 endpoint may refuse a stream without having looked at it, when it is about to stop.
        let refusable = version == Version::HTTP_2 && self.bodiless && spent.unsent == 0;
        let copied = stale || refusable || self.may_resend(spent);
        let copy = copied.then(|| copy_of(&request));
        let sent = Sent { endpoint: index, reused: idle_for.is_some(), stale, refusable, copy };

        let own_host = &upstream.endpoints()[index].host;
        self.destination.write(&mut request, version, upstream.scheme(), own_host, *preserve_host)?;
        if version == Version::HTTP_11 {
            if self.upgrade.is_some() {
                Upgrade::write(request.headers_mut());
            }
            if let Some(responder) = interim::responder(self.record.as_ref(), self.client_version) {
                connection = connection.relay_interim(responder);
            }
        }
        let progress = request.body().progress();
        Ok(Attempt { response: connection.send(request), progress, sent })
    }

    /// Waits for the answer to an attempt, and judges it.
    async fn settle(
        &self,
        attempt: Attempt<impl Future<Output = Outcome>>,
        spent: &mut Spent,
    ) -> Result<Verdict, Error> {
        let Settings { upstream, retries, .. } = &*self.settings;
        let Attempt { response, progress, sent } = attempt;
        let outcome = within(self.limits(), progress.as_deref(), pin!(response)).await;
        let Sent { endpoint: index, reused, stale, refusable, copy } = sent;
        let endpoint = &upstream.endpoints()[index];
        let error = match outcome {
            Ok(Ok(response)) => {
                endpoint.note_success();
                self.note_time();
                return match copy {
                    Some(copy) if retries.cover_status(response.status()) && self.pays(spent) => {
                        spent.resent += 1;
                        spent.failed = Some(index);
                        Ok(Verdict::Again(*copy))
                    }
                    _ => Ok(Verdict::Final(response)),
                };
            }
            Ok(Err(failure)) => match failure.into_parts() {
                (error, Some(whole)) => {
                    spent.unsent += 1;
                    spent.failed = (!reused).then_some(index);
                    return if spent.unsent < UNSENT { Ok(Verdict::Again(whole)) } else { Err(error) };
                }
                (error, None) => error,
            },
            Err(timeout) => timeout,
        };
        if error.side() == Side::Upstream {
            endpoint.note_failure(&error);
        }
        let Some(copy) = copy else { return Err(error) };
        if refusable && error.is_unsent() {
            spent.unsent += 1;
            return Ok(Verdict::Again(*copy));
        }
        let met_a_close = stale && spent.resent == 0 && error.kind() == ErrorKind::Closed;
        let resend = met_a_close || (retries.cover_error(&error) && self.pays(spent));
        if !resend {
            return Err(error);
        }
        spent.resent += 1;
        spent.failed = (!met_a_close).then_some(index);
        Ok(Verdict::Again(*copy))
    }

    fn require(&self) -> Require {
        if self.upgrade.is_some() { Require::Http1 } else { Require::Any }
    }

    /// Whether one more attempt after this one may be made, if the upstream's budget pays for it.
    fn may_resend(&self, spent: &Spent) -> bool {
        self.replayable && spent.resent < self.settings.retries.attempts()
    }

    /// Whether the request may be sent once more, and the upstream's budget has paid for it.
    fn pays(&self, spent: &Spent) -> bool {
        self.may_resend(spent) && self.settings.upstream.budget().pay()
    }

    fn limits(&self) -> Limits {
        Limits { timeout: self.settings.timeout, idle_timeout: self.settings.idle_timeout }
    }

    fn note_endpoint(&self, endpoint: &Endpoint) {
        if let Some(record) = &self.record {
            record.with(|summary| {
                summary.upstream = Some(Arc::clone(self.settings.upstream.name()));
                summary.endpoint = Some(Arc::clone(&endpoint.label));
            });
        }
    }

    fn note_time(&self) {
        if let Some(record) = &self.record {
            let elapsed = self.started.elapsed();
            record.with(|summary| summary.upstream_time = Some(elapsed));
        }
    }
}

/// The same request once more. Only requests without a body are copied, and few of those.
fn copy_of(request: &Request<RequestBody>) -> Box<Request<RequestBody>> {
    let mut copy = Request::new(RequestBody::empty());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    Box::new(copy)
}

/// Makes the client's response of the upstream's.
fn answer(
    response: Response<PoolBody<RequestBody>>,
    upgrade: Option<Upgrade>,
    idle_timeout: Duration,
) -> Result<Response<ProxyBody>, Error> {
    let (mut parts, body) = response.into_parts();
    if parts.status == StatusCode::SWITCHING_PROTOCOLS {
        body.discard();
        let upstream = parts.extensions.remove::<OnUpgrade>();
        return match (upgrade, upstream) {
            (Some(upgrade), Some(upstream)) if tunnel::names_websocket(&parts.headers) => {
                head::clean_response(&mut parts)?;
                Upgrade::write(&mut parts.headers);
                upgrade.tunnel(upstream, idle_timeout);
                Ok(Response::from_parts(parts, ProxyBody::empty()))
            }
            _ => Err(Error::new(ErrorKind::Protocol, "the upstream changed protocols though nobody asked")),
        };
    }
    if let Err(error) = head::clean_response(&mut parts) {
        body.discard();
        return Err(error);
    }
    let body = if body.is_end_stream() { ProxyBody::empty() } else { ProxyBody::new(body, idle_timeout) };
    Ok(Response::from_parts(parts, body))
}
