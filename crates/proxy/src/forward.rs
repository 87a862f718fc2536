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

pub(crate) async fn forward(
    settings: Arc<Settings>,
    request: Request<Body>,
) -> Result<Response<ProxyBody>, Error> {
    let (mut parts, body) = request.into_parts();
    let record = RequestRecord::of(&parts.extensions).cloned();
    let upgrade = Upgrade::asked_for(&mut parts, &body);
    let client_version = parts.version;
    let destination = head::prepare(&mut parts, record.as_ref())?;
    let bodiless = upgrade.is_none() && body.is_end_stream();
    let replayable = bodiless && is_idempotent(&parts.method);
    let request = Request::from_parts(parts, RequestBody::new(body, record.clone()));
    let exchange = Exchange {
        settings: &settings,
        destination,
        client_version,
        upgrading: upgrade.is_some(),
        bodiless,
        replayable,
        started: Instant::now(),
        record,
    };
    let response = exchange.run(request).await?;
    answer(response, upgrade, settings.idle_timeout)
}

/// What stays the same over all attempts.
struct Exchange<'a> {
    settings: &'a Settings,
    destination: Destination,
    client_version: Version,
    upgrading: bool,
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

/// An attempt on its way, and what is held until its response's head is there.
struct Sending<F> {
    response: F,
    progress: Option<Arc<Progress>>,
}

/// What became of one attempt: the response's head, or why there is none.
type Sent = Result<Response<PoolBody<RequestBody>>, SendError<RequestBody>>;

impl Exchange<'_> {
    async fn run(&self, mut request: Request<RequestBody>) -> Result<Response<PoolBody<RequestBody>>, Error> {
        let Settings { upstream, retries, .. } = self.settings;
        let may_resend = self.replayable && retries.attempts() > 0;
        if may_resend {
            upstream.budget().earn();
        }
        let mut spent = Spent::default();
        loop {
            let index = upstream.next(spent.failed);
            let endpoint = &upstream.endpoints()[index];
            self.note_endpoint(endpoint);
            let require = if self.upgrading { Require::Http1 } else { Require::Any };
            let connection = match endpoint.pool.checkout(require).await {
                Ok(connection) => connection,
                Err(error) => {
                    endpoint.note_failure(&error);
                    spent.failed = Some(index);
                    spent.unconnected += 1;
                    // Every target is asked once, and the same ones again as often as retries allow.
                    let targets = u32::try_from(upstream.endpoints().len()).unwrap_or(u32::MAX);
                    if spent.unconnected < targets.saturating_add(retries.attempts()) {
                        continue;
                    }
                    return Err(error);
                }
            };
            let stale = self.replayable && connection.idle_for().is_some_and(|idle| idle >= STALE);
            let reused = connection.idle_for().is_some();
            // An HTTP/2 endpoint may refuse a stream without having looked at it, when it is about to stop.
            let refusable = connection.version() == Version::HTTP_2 && self.bodiless && spent.unsent == 0;
            let copied = stale || refusable || (may_resend && spent.resent < retries.attempts());
            let copy = copied.then(|| copy_of(&request));
            let Sending { response, progress } = self.send(connection, request, endpoint)?;
            let outcome = within(self.limits(), progress.as_deref(), pin!(response)).await;
            let error = match outcome {
                Ok(Ok(response)) => {
                    endpoint.note_success();
                    self.note_time();
                    match copy {
                        Some(copy) if retries.cover_status(response.status()) && self.pays(&spent) => {
                            spent.resent += 1;
                            spent.failed = Some(index);
                            request = *copy;
                            continue;
                        }
                        _ => return Ok(response),
                    }
                }
                Ok(Err(failure)) => match failure.into_parts() {
                    (error, Some(whole)) => {
                        spent.unsent += 1;
                        if spent.unsent >= UNSENT {
                            return Err(error);
                        }
                        spent.failed = (!reused).then_some(index);
                        request = whole;
                        continue;
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
                request = *copy;
                continue;
            }
            let met_a_close = stale && spent.resent == 0 && error.kind() == ErrorKind::Closed;
            let resend = met_a_close || (retries.cover_error(&error) && self.pays(&spent));
            if !resend {
                return Err(error);
            }
            spent.resent += 1;
            spent.failed = (!met_a_close).then_some(index);
            request = *copy;
        }
    }

    /// Whether the request may be sent once more, and the upstream's budget has paid for it.
    fn pays(&self, spent: &Spent) -> bool {
        self.replayable
            && spent.resent < self.settings.retries.attempts()
            && self.settings.upstream.budget().pay()
    }

    /// Sends one attempt on its way.
    fn send(
        &self,
        mut connection: Connection<RequestBody>,
        mut request: Request<RequestBody>,
        endpoint: &Endpoint,
    ) -> Result<Sending<impl Future<Output = Sent> + use<>>, Error> {
        let Settings { upstream, preserve_host, .. } = self.settings;
        let version = connection.version();
        self.destination.write(&mut request, version, upstream.scheme(), &endpoint.host, *preserve_host)?;
        if version == Version::HTTP_11 {
            if self.upgrading {
                Upgrade::write(request.headers_mut());
            }
            if let Some(responder) = interim::responder(self.record.as_ref(), self.client_version) {
                connection = connection.relay_interim(responder);
            }
        }
        let progress = request.body().progress();
        Ok(Sending { response: connection.send(request), progress })
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
