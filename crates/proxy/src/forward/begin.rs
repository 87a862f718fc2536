//! The beginning of a request, and its further attempts.

use std::sync::Arc;

use gatewright_core::{Body, Error, ErrorKind, RequestRecord};
use http::{Request, Response};
use http_body::Body as _;
use tokio::time::Instant;

use super::{attempt::Attempt, exchange::Exchange, retry_state::RetryState, trace};
use crate::{
    head, replay::Replay, request_body::RequestBody, response_body::ProxyBody, retries::is_idempotent,
    settings::Settings, tunnel::Upgrade, upstream::Pick,
};

/// How far a request comes without waiting.
#[expect(clippy::large_enum_variant, reason = "the larger one is the usual one")]
pub(super) enum First {
    /// It is on its way.
    Sent(Attempt),
    /// This endpoint has been chosen for it, and has no connection that is ready.
    Unsent(Pick, Request<RequestBody>),
}

impl Exchange {
    pub(super) fn begin(settings: Arc<Settings>, request: Request<Body>) -> Result<(Self, First), Error> {
        let (mut parts, body) = request.into_parts();
        let record = RequestRecord::of(&parts.extensions).cloned();
        let upgrade = Upgrade::asked_for(&mut parts, &body);
        let client_version = parts.version;
        let destination = head::prepare(&mut parts, record.as_ref(), settings.pass_method_override)
            .inspect_err(|error| {
                if error.kind() == ErrorKind::Loop {
                    settings.upstream.note_failure(error);
                }
            })?;
        let mut replayable = upgrade.is_none() && is_idempotent(&parts.method);
        let mut replay = None;
        let body = if body.is_end_stream() {
            RequestBody::empty()
        } else {
            let kept = settings.retries.kept_body();
            replayable &= kept > 0 && body.size_hint().lower() <= kept as u64;
            if replayable {
                let (kept, first) = Replay::keep(RequestBody::unwatched(body, record.clone()), kept);
                replay = Some(kept);
                first
            } else {
                RequestBody::new(body, record.clone())
            }
        };
        let request = Request::from_parts(parts, body);
        let started = Instant::now();
        let exchange =
            Self { settings, destination, client_version, upgrade, replayable, replay, started, record };
        let upstream = &exchange.settings.upstream;
        if exchange.may_resend(&RetryState::default()) {
            upstream.budget().earn();
        }
        let pick = upstream.pick(None, started)?;
        let first = match pick.endpoint().pool.ready(exchange.require()) {
            Some(connection) => {
                exchange.note_endpoint(pick.endpoint());
                First::Sent(exchange.attempt(connection, request, pick, &RetryState::default(), started)?)
            }
            None => First::Unsent(pick, request),
        };
        Ok((exchange, first))
    }

    /// Attempts until there is an answer or no reason to go on.
    pub(super) async fn go_on(
        mut self,
        mut pick: Pick,
        mut request: Request<RequestBody>,
        mut retry_state: RetryState,
    ) -> Result<Response<ProxyBody>, Error> {
        let Settings { upstream, retries, .. } = &*self.settings;
        loop {
            let endpoint = pick.endpoint();
            self.note_endpoint(endpoint);
            let require = self.require();
            let checkout = async {
                // Whatever closed one idle connection may be closing all of them.
                if retry_state.met_a_close {
                    endpoint.pool.checkout_new(require).await
                } else {
                    endpoint.pool.checkout(require).await
                }
            };
            match checkout.await {
                Ok(connection) => {
                    let now = Instant::now();
                    pick.send(now);
                    let Attempt { response, mut sent } =
                        self.attempt(connection, request, pick, &retry_state, now)?;
                    request = match response.await {
                        Ok(Ok(response)) => {
                            match self.judge_response(response.status(), &mut sent, &mut retry_state) {
                                None => return self.answer(response, sent.pick),
                                Some(again) => {
                                    sent.pick.complete();
                                    again
                                }
                            }
                        }
                        Ok(Err(failure)) => self.judge_failure(failure, sent, &mut retry_state)?,
                        Err(timeout) => self.judge_error(timeout, sent, &mut retry_state)?,
                    };
                }
                Err(error) => {
                    if let Some(record) = self.traced() {
                        trace::fail(record, &error);
                    }
                    retry_state.failed = Some(endpoint.id());
                    pick.fail_unconnected(&error);
                    retry_state.unconnected += 1;
                    // Every target is asked once, and the same ones again as often as retries allow.
                    let targets = u32::try_from(upstream.endpoint_count()).unwrap_or(u32::MAX);
                    if retry_state.unconnected >= targets.saturating_add(retries.attempts()) {
                        return Err(error);
                    }
                }
            }
            pick = self.pick(&retry_state)?;
        }
    }
}
