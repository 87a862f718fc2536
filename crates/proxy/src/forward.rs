//! The way of one request: choose a target, send, look at the answer, send again where that is safe.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use gatewright_client::{Connection, PoolBody, Require, SendError, Sending};
use gatewright_core::{Body, Error, ErrorKind, OnUpgrade, RequestRecord, Side};
use http::{Request, Response, StatusCode, Version};
use http_body::Body as _;
use pin_project_lite::pin_project;
use tokio::time::Instant;

use crate::{
    ProxyBody,
    body::RequestBody,
    deadline::{Limits, Within},
    head::{self, Destination},
    interim, max_forwards,
    retries::is_idempotent,
    service::Settings,
    spent::Spent,
    tunnel::{self, Upgrade},
    upstream::Endpoint,
};

pin_project! {
    /// A request on its way through.
    // The usual way, one attempt over a connection that is ready, is written out: a request is encoded at once and is not
    // carried along, and no nested futures are moved into one another. All else is boxed.
    pub(crate) struct Forwarding {
        #[pin]
        state: State,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State {
        First { #[pin] response: Within<Sending<RequestBody>>, rest: Option<(Exchange, Sent)> },
        Further { response: Pin<Box<dyn Future<Output = Result<Response<ProxyBody>, Error>> + Send>> },
        /// Nothing was sent: the proxy answers itself, or cannot.
        Decided { outcome: Option<Result<Response<Bytes>, Error>> },
    }
}

const POLLED_AFTER_COMPLETION: &str = "a future is not polled after it has completed";

impl Forwarding {
    /// Begins at once what needs no waiting.
    pub(crate) fn begin(settings: Arc<Settings>, mut request: Request<Body>) -> Self {
        if let Some(outcome) = max_forwards::count_down(&mut request).transpose() {
            return Self { state: State::Decided { outcome: Some(outcome) } };
        }
        let state = match Exchange::begin(settings, request) {
            Ok((exchange, First::Sent(attempt))) => {
                let Attempt { response, sent } = attempt;
                State::First { response, rest: Some((exchange, sent)) }
            }
            Ok((exchange, First::Unsent(index, request))) => {
                State::Further { response: Box::pin(exchange.go_on(index, request, Spent::default())) }
            }
            Err(error) => State::Decided { outcome: Some(Err(error)) },
        };
        Self { state }
    }
}

impl Future for Forwarding {
    type Output = Result<Response<ProxyBody>, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            match state.as_mut().project() {
                StateProjection::First { response, rest } => {
                    let outcome = ready!(response.poll(cx));
                    let (exchange, sent) = rest.take().expect(POLLED_AFTER_COMPLETION);
                    let mut spent = Spent::default();
                    match exchange.judge(outcome, sent, &mut spent)? {
                        Verdict::Final(response, index) => {
                            return Poll::Ready(exchange.answer(response, index));
                        }
                        Verdict::Again(request) => {
                            let index = exchange.settings.upstream.next(spent.failed);
                            let response = Box::pin(exchange.go_on(index, request, spent));
                            state.set(State::Further { response });
                        }
                    }
                }
                StateProjection::Further { response } => return response.as_mut().poll(cx),
                StateProjection::Decided { outcome } => {
                    let outcome = outcome.take().expect(POLLED_AFTER_COMPLETION);
                    return Poll::Ready(outcome.map(|response| response.map(ProxyBody::own)));
                }
            }
        }
    }
}

/// What stays the same over all attempts.
struct Exchange {
    settings: Arc<Settings>,
    destination: Destination,
    client_version: Version,
    upgrade: Option<Upgrade>,
    replayable: bool,
    started: Instant,
    record: Option<RequestRecord>,
}

/// How far a request comes without waiting.
#[expect(clippy::large_enum_variant, reason = "the larger one is the usual one")]
enum First {
    /// It is on its way.
    Sent(Attempt),
    /// This endpoint has been chosen for it, and has no connection that is ready.
    Unsent(usize, Request<RequestBody>),
}

/// An attempt on its way.
struct Attempt {
    response: Within<Sending<RequestBody>>,
    sent: Sent,
}

/// What the answer to an attempt is judged by.
struct Sent {
    endpoint: usize,
    /// The connection had served before.
    reused: bool,
    /// For retries. What the endpoint has not answered is given back without a copy.
    copy: Option<Box<Request<RequestBody>>>,
}

/// What became of an attempt: the response's head, or why there is none.
type Outcome = Result<Response<PoolBody<RequestBody>>, SendError<RequestBody>>;

/// What follows from an outcome.
enum Verdict {
    /// Of this endpoint.
    Final(Response<PoolBody<RequestBody>>, usize),
    Again(Request<RequestBody>),
}

impl Exchange {
    fn begin(settings: Arc<Settings>, request: Request<Body>) -> Result<(Self, First), Error> {
        let (mut parts, body) = request.into_parts();
        let record = RequestRecord::of(&parts.extensions).cloned();
        let upgrade = Upgrade::asked_for(&mut parts, &body);
        let client_version = parts.version;
        let destination = head::prepare(&mut parts, record.as_ref(), settings.pass_method_override)
            .inspect_err(|error| {
                if error.kind() == ErrorKind::Loop {
                    settings.upstream.note_loop(error);
                }
            })?;
        let bodiless = upgrade.is_none() && body.is_end_stream();
        let replayable = bodiless && is_idempotent(&parts.method);
        let request = Request::from_parts(parts, RequestBody::new(body, record.clone()));
        let started = Instant::now();
        let exchange = Self { settings, destination, client_version, upgrade, replayable, started, record };
        let upstream = &exchange.settings.upstream;
        if exchange.may_resend(&Spent::default()) {
            upstream.budget().earn();
        }
        let index = upstream.next(None);
        let first = match upstream.endpoints()[index].pool.ready(exchange.require()) {
            Some(connection) => {
                let endpoint = &upstream.endpoints()[index];
                exchange.note_endpoint(endpoint);
                First::Sent(exchange.attempt(connection, request, index, &Spent::default(), started)?)
            }
            None => First::Unsent(index, request),
        };
        Ok((exchange, first))
    }

    /// Attempts until there is an answer or no reason to go on.
    async fn go_on(
        self,
        mut index: usize,
        mut request: Request<RequestBody>,
        mut spent: Spent,
    ) -> Result<Response<ProxyBody>, Error> {
        let Settings { upstream, retries, .. } = &*self.settings;
        loop {
            let endpoint = &upstream.endpoints()[index];
            self.note_endpoint(endpoint);
            let require = self.require();
            let checkout = async {
                // What ends one idle connection may be ending all.
                if spent.met_a_close {
                    endpoint.pool.checkout_new(require).await
                } else {
                    endpoint.pool.checkout(require).await
                }
            };
            match checkout.await {
                Ok(connection) => {
                    let Attempt { response, sent } =
                        self.attempt(connection, request, index, &spent, Instant::now())?;
                    match self.judge(response.await, sent, &mut spent)? {
                        Verdict::Final(response, index) => return self.answer(response, index),
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
        now: Instant,
    ) -> Result<Attempt, Error> {
        let Settings { upstream, preserve_host, .. } = &*self.settings;
        let version = connection.version();
        let copy = self.may_resend(spent).then(|| copy_of(&request));
        let sent = Sent { endpoint: index, reused: connection.is_reused(), copy };

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
        let connection = connection.stall_timeout(self.settings.idle_timeout);
        let response = Within::new(connection.send(request), self.limits(), progress, now);
        Ok(Attempt { response, sent })
    }

    /// Judges the answer to an attempt.
    fn judge(&self, outcome: Result<Outcome, Error>, sent: Sent, spent: &mut Spent) -> Result<Verdict, Error> {
        let Settings { upstream, retries, .. } = &*self.settings;
        let Sent { endpoint: index, reused, copy } = sent;
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
                    _ => Ok(Verdict::Final(response, index)),
                };
            }
            Ok(Err(failure)) => match failure.into_replay() {
                (error, Some((mut whole, taken))) if spent.goes_again(&error, &whole, reused, index) => {
                    whole.body_mut().rewind(taken);
                    if error.is_unanswered() {
                        // It goes again without a budget too, but retries and these together are to stay within it.
                        upstream.budget().pay();
                    }
                    return Ok(Verdict::Again(whole));
                }
                (error, _) => error,
            },
            Err(timeout) => timeout,
        };
        if error.side() == Side::Upstream {
            endpoint.note_failure(&error);
        }
        match copy {
            Some(copy) if retries.cover_error(&error) && self.pays(spent) => {
                spent.resent += 1;
                spent.failed = Some(index);
                Ok(Verdict::Again(*copy))
            }
            _ => Err(error),
        }
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
                summary.upstream = Some(self.settings.upstream.name().clone());
                summary.endpoint = Some(endpoint.label.clone());
            });
        }
    }

    fn note_time(&self) {
        if let Some(record) = &self.record {
            let elapsed = self.started.elapsed();
            record.with(|summary| summary.upstream_time = Some(elapsed));
        }
    }

    /// Makes the client's response of the upstream's.
    fn answer(
        self,
        response: Response<PoolBody<RequestBody>>,
        index: usize,
    ) -> Result<Response<ProxyBody>, Error> {
        let settings = Arc::clone(&self.settings);
        let answer = self.response_of(response, index);
        if let Err(error) = &answer
            && error.side() == Side::Upstream
        {
            settings.upstream.endpoints()[index].note_failure(error);
        }
        answer
    }

    fn response_of(
        self,
        response: Response<PoolBody<RequestBody>>,
        index: usize,
    ) -> Result<Response<ProxyBody>, Error> {
        let (mut parts, body) = response.into_parts();
        if parts.status == StatusCode::SWITCHING_PROTOCOLS {
            body.discard();
            let upstream = parts.extensions.remove::<OnUpgrade>();
            return match (self.upgrade, upstream) {
                (Some(upgrade), Some(upstream)) if tunnel::changes_to_websocket(&parts.headers) => {
                    head::clean_response(&mut parts)?;
                    Upgrade::write(&mut parts.headers);
                    upgrade.tunnel(upstream, self.settings.idle_timeout);
                    Ok(Response::from_parts(parts, ProxyBody::empty()))
                }
                _ => Err(Error::new(ErrorKind::Protocol, "the upstream changed protocols though nobody asked")),
            };
        }
        if let Err(error) = head::clean_response(&mut parts) {
            body.discard();
            return Err(error);
        }
        let body =
            if body.is_end_stream() { ProxyBody::empty() } else { ProxyBody::new(body, self.settings, index) };
        Ok(Response::from_parts(parts, body))
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
