use std::{
    fmt, mem,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::{BodyPolicy, BodyPolicyFuture, Look, RequestBody, buffered::Buffering, layer::Shared, too_large};
use crate::{
    BoxError, PolicyVerdict, ResponseBody,
    policy::{note, note_refusal},
};

/// The service that [`BodyPolicyLayer`](super::BodyPolicyLayer) makes.
pub struct BodyPolicyService<P, S> {
    shared: Arc<Shared<P>>,
    inner: S,
}

impl<P, S> BodyPolicyService<P, S> {
    pub(super) fn new(shared: Arc<Shared<P>>, inner: S) -> Self {
        Self { shared, inner }
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

impl<P, S, B, ResBody> Service<Request<B>> for BodyPolicyService<P, S>
where
    P: BodyPolicy,
    B: Body<Data = Bytes, Error: Into<BoxError>>,
    S: Service<Request<RequestBody<B>>, Response = Response<ResBody>> + Clone,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = BodyPolicyFuture<P, S, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (head, body) = request.into_parts();
        let Shared { named, budget } = &*self.shared;
        let name = named.policy.name();
        let look = named.policy.look(&head);
        let cap = match look {
            Look::Nothing => u64::MAX,
            Look::Length(cap) | Look::Whole(cap) => cap,
        };
        // `Content-Length` tells before a byte is read, and before a client that waits for `100 Continue` sends one.
        if body.size_hint().lower() > cap {
            let rejection = too_large(name);
            note_refusal(&named.label, &rejection, None, &head.extensions);
            return BodyPolicyFuture::answered(rejection.answer(&head));
        }
        match look {
            Look::Nothing | Look::Length(_) => {
                note(&named.label, PolicyVerdict::Admitted, None, &head.extensions);
                let body = match look {
                    Look::Length(cap) => RequestBody::counted(body, cap, name),
                    _ => RequestBody::untouched(body),
                };
                BodyPolicyFuture::passed(self.inner.call(Request::from_parts(head, body)))
            }
            Look::Whole(cap) => {
                // The clone takes our place; the service that was polled ready goes with the request.
                let clone = self.inner.clone();
                let ready = mem::replace(&mut self.inner, clone);
                let buffering = Buffering::new(budget, cap);
                BodyPolicyFuture::reading(Arc::clone(&self.shared), head, body, buffering, ready)
            }
        }
    }
}

impl<P, S: Clone> Clone for BodyPolicyService<P, S> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), inner: self.inner.clone() }
    }
}

impl<P: BodyPolicy, S: fmt::Debug> fmt::Debug for BodyPolicyService<P, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BodyPolicyService")
            .field("policy", &self.shared.named.policy.name())
            .field("inner", &self.inner)
            .finish()
    }
}
