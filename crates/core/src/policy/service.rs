use std::{
    fmt, mem,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use tower_service::Service;

use super::{Decision, Policy, PolicyFuture};
use crate::ResponseBody;

/// The service that [`PolicyLayer`](super::PolicyLayer) makes.
pub struct PolicyService<P, S> {
    policy: Arc<P>,
    inner: S,
}

impl<P, S> PolicyService<P, S> {
    pub(super) fn new(policy: Arc<P>, inner: S) -> Self {
        Self { policy, inner }
    }

    /// The service inside.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The service inside, to be changed.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The service inside, alone.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<P, S, ReqBody, ResBody> Service<Request<ReqBody>> for PolicyService<P, S>
where
    P: Policy,
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = PolicyFuture<P, S, ReqBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let (mut head, body) = request.into_parts();
        match self.policy.decide(&mut head) {
            Decision::Allow(mut grant) => {
                self.policy.granted(&mut grant, &mut head);
                let response = self.inner.call(Request::from_parts(head, body));
                PolicyFuture::admitted(Arc::clone(&self.policy), grant, response)
            }
            Decision::Refuse(rejection) => PolicyFuture::answered(rejection.answer(&head)),
            Decision::Answer(response) => PolicyFuture::answered(response),
            Decision::Later(decision) => {
                // The clone takes our place; the service that was polled ready goes with the request.
                let clone = self.inner.clone();
                let ready = mem::replace(&mut self.inner, clone);
                PolicyFuture::undecided(Arc::clone(&self.policy), decision, head, body, ready)
            }
        }
    }
}

impl<P, S: Clone> Clone for PolicyService<P, S> {
    fn clone(&self) -> Self {
        Self { policy: Arc::clone(&self.policy), inner: self.inner.clone() }
    }
}

impl<P: Policy, S: fmt::Debug> fmt::Debug for PolicyService<P, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PolicyService")
            .field("policy", &self.policy.name())
            .field("inner", &self.inner)
            .finish()
    }
}
