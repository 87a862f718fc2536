use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use tower_service::Service;

use super::{Decision, Named, Policy, PolicyFuture, TakeReady, note, note_refusal};
use crate::{PolicyVerdict, ResponseBody};

/// The service that [`PolicyLayer`](super::PolicyLayer) makes.
///
/// It asks `Clone` of the inner service only when the policy may have to wait: see [`TakeReady`].
pub struct PolicyService<P, S> {
    policy: Arc<Named<P>>,
    inner: S,
}

impl<P, S> PolicyService<P, S> {
    pub(super) fn new(policy: Arc<Named<P>>, inner: S) -> Self {
        Self { policy, inner }
    }

    /// The policy.
    pub fn policy(&self) -> &P {
        &self.policy.policy
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
    P: Policy<Future: TakeReady<S>>,
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = PolicyFuture<P, S, ReqBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let (mut head, body) = request.into_parts();
        let Named { policy, label } = &*self.policy;
        match policy.decide(&mut head) {
            Decision::Allow(mut grant) => {
                note(label, PolicyVerdict::Admitted, None, &head.extensions);
                policy.granted(&mut grant, &mut head);
                let lease =
                    policy.lease(&mut grant).inspect(|lease| lease.extend_to_tunnel(&mut head.extensions));
                let response = self.inner.call(Request::from_parts(head, body));
                PolicyFuture::admitted(Arc::clone(&self.policy), grant, lease, response)
            }
            Decision::Refuse(rejection) => {
                note_refusal(label, &rejection, None, &head.extensions);
                PolicyFuture::answered(rejection.answer(&head))
            }
            Decision::Answer(response) => {
                note(label, PolicyVerdict::Answered, None, &head.extensions);
                PolicyFuture::answered(response)
            }
            Decision::Later(decision) => {
                let ready = decision.take_ready(&mut self.inner);
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
            .field("policy", &self.policy().name())
            .field("inner", &self.inner)
            .finish()
    }
}
