use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response, request};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::Policy;
use crate::{Rejection, ResponseBody};

pin_project! {
    /// The future of [`PolicyService`](super::PolicyService).
    pub struct PolicyFuture<P, S, ReqBody>
    where
        P: Policy,
        S: Service<Request<ReqBody>>,
    {
        policy: Option<Arc<P>>,
        #[pin]
        state: State<P::Grant, P::Future, S, S::Future, ReqBody>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<G, D, S, F, ReqBody> {
        Answered { response: Option<Response<Bytes>> },
        Undecided { #[pin] decision: D, waiting: Option<Waiting<S, ReqBody>> },
        Admitted { #[pin] response: F, grant: Option<G> },
    }
}

/// A request that waits for the decision, with the service that was polled ready for it.
struct Waiting<S, ReqBody> {
    head: request::Parts,
    body: ReqBody,
    ready: S,
}

const POLLED_AFTER_COMPLETION: &str = "a future is not polled after it has completed";

impl<P, S, ReqBody> PolicyFuture<P, S, ReqBody>
where
    P: Policy,
    S: Service<Request<ReqBody>>,
{
    pub(super) fn answered(response: Response<Bytes>) -> Self {
        Self { policy: None, state: State::Answered { response: Some(response) } }
    }

    pub(super) fn admitted(policy: Arc<P>, grant: P::Grant, response: S::Future) -> Self {
        Self { policy: Some(policy), state: State::Admitted { response, grant: Some(grant) } }
    }

    pub(super) fn undecided(
        policy: Arc<P>,
        decision: P::Future,
        head: request::Parts,
        body: ReqBody,
        ready: S,
    ) -> Self {
        let waiting = Some(Waiting { head, body, ready });
        Self { policy: Some(policy), state: State::Undecided { decision, waiting } }
    }
}

impl<P, S, ReqBody, ResBody> Future for PolicyFuture<P, S, ReqBody>
where
    P: Policy,
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
{
    type Output = Result<Response<ResponseBody<ResBody>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.state.as_mut().project() {
                StateProjection::Answered { response } => {
                    let response = response.take().expect(POLLED_AFTER_COMPLETION);
                    return Poll::Ready(Ok(response.map(ResponseBody::own)));
                }
                StateProjection::Undecided { decision, waiting } => {
                    let decided = ready!(decision.poll(cx));
                    let Waiting { mut head, body, mut ready } = waiting.take().expect(POLLED_AFTER_COMPLETION);
                    match (decided, this.policy.as_ref()) {
                        (Ok(mut grant), Some(policy)) => {
                            policy.granted(&mut grant, &mut head);
                            let response = ready.call(Request::from_parts(head, body));
                            this.state.set(State::Admitted { response, grant: Some(grant) });
                        }
                        (Err(rejection), _) => {
                            let response = Some(rejection.answer(&head));
                            this.state.set(State::Answered { response });
                        }
                        (Ok(_), None) => unreachable!("only an answered future has no policy"),
                    }
                }
                StateProjection::Admitted { response, grant } => {
                    let response = ready!(response.poll(cx))?;
                    let (mut head, body) = response.into_parts();
                    if let (Some(policy), Some(grant)) = (this.policy.as_ref(), grant.take()) {
                        policy.respond(grant, &mut head);
                    }
                    return Poll::Ready(Ok(Response::from_parts(head, ResponseBody::inner(body))));
                }
            }
        }
    }
}

impl<P, S, ReqBody> fmt::Debug for PolicyFuture<P, S, ReqBody>
where
    P: Policy,
    S: Service<Request<ReqBody>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PolicyFuture").finish_non_exhaustive()
    }
}

pin_project! {
    /// The future of an optional policy: what it grants, as `Some`.
    #[derive(Debug)]
    pub struct Granted<F> {
        #[pin]
        future: F,
    }
}

impl<F> Granted<F> {
    pub(super) fn new(future: F) -> Self {
        Self { future }
    }
}

impl<F, G> Future for Granted<F>
where
    F: Future<Output = Result<G, Rejection>>,
{
    type Output = Result<Option<G>, Rejection>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().future.poll(cx).map_ok(Some)
    }
}
