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

use super::progress::{Next, Progress};
use crate::{
    ResponseBody,
    policy::{Named, Policy},
};

pin_project! {
    /// The future of [`PolicyListService`](super::PolicyListService).
    pub struct PolicyListFuture<P, S, ReqBody>
    where
        P: Policy,
        S: Service<Request<ReqBody>>,
    {
        #[pin]
        state: State<P, P::Future, S, S::Future, ReqBody>,
    }
}

pin_project! {
    // 1. A request waits for one policy at a time, and the policies before that one have granted.
    // 2. The service that was polled ready goes along with the request while it waits, and is called once.
    // 3. Each grant is handed back once: with the response, or with the answer of a policy further in.
    #[project = StateProjection]
    enum State<P, D, S, F, ReqBody>
    where
        P: Policy,
    {
        Answered { response: Option<Response<Bytes>> },
        Undecided { #[pin] decision: D, since: Instant, waiting: Option<Waiting<P, S, ReqBody>> },
        Admitted { #[pin] response: F, policies: Arc<[Named<P>]>, progress: Progress<P::Grant> },
    }
}

/// A request that waits for a decision, with the service that was polled ready for it.
struct Waiting<P: Policy, S, ReqBody> {
    policies: Arc<[Named<P>]>,
    progress: Progress<P::Grant>,
    head: request::Parts,
    body: ReqBody,
    ready: S,
}

const POLLED_AFTER_COMPLETION: &str = "a future is not polled after it has completed";

impl<P, S, ReqBody> PolicyListFuture<P, S, ReqBody>
where
    P: Policy,
    S: Service<Request<ReqBody>>,
{
    pub(super) fn answered(response: Response<Bytes>) -> Self {
        Self { state: State::Answered { response: Some(response) } }
    }

    pub(super) fn admitted(
        policies: Arc<[Named<P>]>,
        progress: Progress<P::Grant>,
        response: S::Future,
    ) -> Self {
        Self { state: State::Admitted { response, policies, progress } }
    }

    pub(super) fn undecided(
        policies: Arc<[Named<P>]>,
        progress: Progress<P::Grant>,
        decision: P::Future,
        head: request::Parts,
        body: ReqBody,
        ready: S,
    ) -> Self {
        let waiting = Some(Waiting { policies, progress, head, body, ready });
        Self { state: State::Undecided { decision, since: Instant::now(), waiting } }
    }
}

impl<P, S, ReqBody, ResBody> Future for PolicyListFuture<P, S, ReqBody>
where
    P: Policy,
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
{
    type Output = Result<Response<ResponseBody<ResBody>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            match state.as_mut().project() {
                StateProjection::Answered { response } => {
                    let response = response.take().expect(POLLED_AFTER_COMPLETION);
                    return Poll::Ready(Ok(response.map(ResponseBody::own)));
                }
                StateProjection::Undecided { decision, since, waiting } => {
                    let decided = ready!(decision.poll(cx));
                    let waited = since.elapsed();
                    let mut waiting = waiting.take().expect(POLLED_AFTER_COMPLETION);
                    let Waiting { policies, progress, head, .. } = &mut waiting;
                    let next = progress.resume(decided, waited, policies, head);
                    state.set(match next {
                        Next::Admitted => {
                            let Waiting { policies, progress, head, body, mut ready } = waiting;
                            let response = ready.call(Request::from_parts(head, body));
                            State::Admitted { response, policies, progress }
                        }
                        Next::Answered(response) => State::Answered { response: Some(response) },
                        Next::Wait(decision) => {
                            State::Undecided { decision, since: Instant::now(), waiting: Some(waiting) }
                        }
                    });
                }
                StateProjection::Admitted { response, policies, progress } => {
                    let response = ready!(response.poll(cx))?;
                    let (mut head, body) = response.into_parts();
                    progress.respond(policies, &mut head);
                    let body = ResponseBody::leased(body, progress.take_lease());
                    return Poll::Ready(Ok(Response::from_parts(head, body)));
                }
            }
        }
    }
}

impl<P, S, ReqBody> fmt::Debug for PolicyListFuture<P, S, ReqBody>
where
    P: Policy,
    S: Service<Request<ReqBody>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PolicyListFuture").finish_non_exhaustive()
    }
}
