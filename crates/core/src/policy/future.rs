use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use bytes::Bytes;
use http::{Request, Response, request};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{Lease, Named, Policy, note, note_refusal};
use crate::{PolicyVerdict, ResponseBody};

pin_project! {
    /// The future of [`PolicyService`](super::PolicyService).
    pub struct PolicyFuture<P, S, ReqBody>
    where
        P: Policy,
        S: Service<Request<ReqBody>>,
    {
        policy: Option<Arc<Named<P>>>,
        #[pin]
        state: State<P::Grant, P::Future, S, S::Future, ReqBody>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<G, D, S, F, ReqBody> {
        Answered { response: Option<Response<Bytes>> },
        Undecided { #[pin] decision: D, waiting: Option<Waiting<S, ReqBody>> },
        Admitted { #[pin] response: F, grant: Option<G>, lease: Option<Lease> },
    }
}

/// A request that waits for the decision, with the service that was polled ready for it.
struct Waiting<S, ReqBody> {
    head: request::Parts,
    body: ReqBody,
    ready: S,
    since: Instant,
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

    pub(super) fn admitted(
        policy: Arc<Named<P>>,
        grant: P::Grant,
        lease: Option<Lease>,
        response: S::Future,
    ) -> Self {
        Self { policy: Some(policy), state: State::Admitted { response, grant: Some(grant), lease } }
    }

    pub(super) fn undecided(
        policy: Arc<Named<P>>,
        decision: P::Future,
        head: request::Parts,
        body: ReqBody,
        ready: S,
    ) -> Self {
        let waiting = Some(Waiting { head, body, ready, since: Instant::now() });
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
                    let Waiting { mut head, body, mut ready, since } =
                        waiting.take().expect(POLLED_AFTER_COMPLETION);
                    let Some(Named { policy, label }) = this.policy.as_deref() else {
                        unreachable!("only an answered future has no policy")
                    };
                    let waited = Some(since.elapsed());
                    match decided {
                        Ok(mut grant) => {
                            note(label, PolicyVerdict::Admitted, waited, &head.extensions);
                            policy.granted(&mut grant, &mut head);
                            let lease = policy.lease(&mut grant);
                            let lease = lease.inspect(|lease| lease.extend_to_tunnel(&mut head.extensions));
                            let response = ready.call(Request::from_parts(head, body));
                            this.state.set(State::Admitted { response, grant: Some(grant), lease });
                        }
                        Err(rejection) => {
                            note_refusal(label, &rejection, waited, &head.extensions);
                            let response = Some(rejection.answer(&head));
                            this.state.set(State::Answered { response });
                        }
                    }
                }
                StateProjection::Admitted { response, grant, lease } => {
                    let response = ready!(response.poll(cx))?;
                    let (mut head, body) = response.into_parts();
                    if let (Some(named), Some(grant)) = (this.policy.as_ref(), grant.take()) {
                        named.policy.respond(grant, &mut head);
                    }
                    let body = ResponseBody::leased(body, lease.take());
                    return Poll::Ready(Ok(Response::from_parts(head, body)));
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
