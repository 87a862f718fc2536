use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use tower_service::Service;

use super::{
    PolicyListFuture,
    progress::{Next, Progress},
};
use crate::{
    ResponseBody,
    policy::{Named, Policy, TakeReady},
};

/// The service that [`PolicyList`](super::PolicyList) makes.
pub struct PolicyListService<P, S> {
    policies: Arc<[Named<P>]>,
    inner: S,
}

impl<P, S> PolicyListService<P, S> {
    pub(super) fn new(policies: Arc<[Named<P>]>, inner: S) -> Self {
        Self { policies, inner }
    }

    /// The policies, outermost first.
    pub fn policies(&self) -> impl Iterator<Item = &P> {
        self.policies.iter().map(|named| &named.policy)
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

impl<P, S, ReqBody, ResBody> Service<Request<ReqBody>> for PolicyListService<P, S>
where
    P: Policy<Future: TakeReady<S>>,
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = PolicyListFuture<P, S, ReqBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let (mut head, body) = request.into_parts();
        let mut progress = Progress::new();
        match progress.advance(&self.policies, &mut head) {
            Next::Admitted => {
                let response = self.inner.call(Request::from_parts(head, body));
                PolicyListFuture::admitted(Arc::clone(&self.policies), progress, response)
            }
            Next::Answered(response) => PolicyListFuture::answered(response),
            Next::Wait(decision) => {
                let ready = decision.take_ready(&mut self.inner);
                PolicyListFuture::undecided(Arc::clone(&self.policies), progress, decision, head, body, ready)
            }
        }
    }
}

impl<P, S: Clone> Clone for PolicyListService<P, S> {
    fn clone(&self) -> Self {
        Self { policies: Arc::clone(&self.policies), inner: self.inner.clone() }
    }
}

impl<P: Policy, S: fmt::Debug> fmt::Debug for PolicyListService<P, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PolicyListService")
            .field("policies", &self.policies().map(P::name).collect::<Vec<_>>())
            .field("inner", &self.inner)
            .finish()
    }
}
