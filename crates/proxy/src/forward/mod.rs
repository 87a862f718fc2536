//! The way of one request: choose an endpoint, send, look at the answer, send again where that is safe.
//!
//! 1. A request is in one state: its first attempt is under way, it is further along, or nothing was sent and its outcome
//!    is decided.
//! 2. The first attempt is under way only when its endpoint had a connection ready. Everything that has to wait for a
//!    connection is further along.
//! 3. A state follows from the first attempt once: the response, an error, or a further attempt. The other two states
//!    end the request.
//! 4. At most one attempt is under way. Its endpoint is held by a [`Pick`](crate::upstream::Pick), which goes to the
//!    response's body with the answer, and is gone before the next attempt begins.
//! 5. A request is sent again only when it was given back, or when it is replayable and the upstream's budget has paid.

mod answer;
mod attempt;
mod begin;
mod exchange;
mod judge;
mod retry_state;
mod trace;

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use gatewright_client::Sending;
use gatewright_core::{Body, Error};
use http::{Request, Response};
use pin_project_lite::pin_project;

use self::{
    attempt::{Attempt, Sent},
    begin::First,
    exchange::Exchange,
    retry_state::RetryState,
};
use crate::{
    deadline::Deadline, max_forwards, request_body::RequestBody, response_body::ProxyBody, settings::Settings,
};

pin_project! {
    /// A request on its way through.
    // The usual way, one attempt over a connection that is ready, is written out: a request is encoded at once and is not
    // carried along, and no nested futures are moved into one another. Everything else is boxed.
    pub(crate) struct Forwarding {
        #[pin]
        state: State,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State {
        First {
            #[pin]
            response: Deadline<Sending<RequestBody>>,
            exchange: Option<Exchange>,
            sent: Option<Sent>,
        },
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
                State::First { response, exchange: Some(exchange), sent: Some(sent) }
            }
            Ok((exchange, First::Unsent(pick, request))) => {
                State::Further { response: Box::pin(exchange.go_on(pick, request, RetryState::default())) }
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
                StateProjection::First { response, exchange: kept, sent } => {
                    let outcome = ready!(response.poll(cx));
                    // The exchange stays where it is: most requests end here, and moving it costs.
                    let exchange = kept.as_mut().expect(POLLED_AFTER_COMPLETION);
                    let mut sent = sent.take().expect(POLLED_AFTER_COMPLETION);
                    let mut retry_state = RetryState::default();
                    let request = match outcome {
                        Ok(Ok(response)) => {
                            match exchange.judge_response(response.status(), &mut sent, &mut retry_state) {
                                None => return Poll::Ready(exchange.answer(response, sent.pick)),
                                Some(request) => {
                                    sent.pick.complete();
                                    request
                                }
                            }
                        }
                        Ok(Err(failure)) => exchange.judge_failure(failure, sent, &mut retry_state)?,
                        Err(timeout) => exchange.judge_error(timeout, sent, &mut retry_state)?,
                    };
                    let pick = exchange.pick(&retry_state)?;
                    let exchange = kept.take().expect(POLLED_AFTER_COMPLETION);
                    let response = Box::pin(exchange.go_on(pick, request, retry_state));
                    state.set(State::Further { response });
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

#[cfg(test)]
mod tests;
