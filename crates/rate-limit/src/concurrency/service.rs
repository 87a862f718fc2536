use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use gatewright_core::{OnUpgrade, Rejection, RequestRecord, ResponseBody};
use http::{Request, Response, StatusCode, request::Parts};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{
    body::Permitted,
    layer::Settings,
    permits::{Held, Permits},
};

const NAME: &str = "concurrency-limit";

/// The service that [`ConcurrencyLimitLayer`](super::ConcurrencyLimitLayer) makes.
///
/// It is no policy of `core`'s mechanism: a policy is done with a response when it has seen its head, and a permit has
/// to go with the body.
#[derive(Clone)]
pub struct ConcurrencyLimitService<S> {
    inner: S,
    settings: Arc<Settings>,
}

impl<S> ConcurrencyLimitService<S> {
    pub(super) fn new(inner: S, settings: Arc<Settings>) -> Self {
        Self { inner, settings }
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

impl Settings {
    /// A permit; none is needed on trial.
    fn admit(&self, parts: &Parts) -> Result<Option<Held>, Rejection> {
        let refusal = match self.key.of(parts) {
            Ok((key, _)) => match Permits::take(&self.permits, &key) {
                Some(permit) => {
                    // The response to an upgrade ends with its head, and what was asked for only begins there.
                    let Some(upgrade) = parts.extensions.get::<OnUpgrade>() else {
                        return Ok(Some(Held::Alone(permit)));
                    };
                    let permit = Arc::new(permit);
                    upgrade.keep(Arc::clone(&permit));
                    return Ok(Some(Held::Shared(permit)));
                }
                None => Rejection::new(StatusCode::TOO_MANY_REQUESTS, NAME, "too_many_at_once")
                    .detail("Too many requests at once. Try again when one of them has ended.")
                    .header(http::header::RETRY_AFTER, 1.into()),
            },
            Err(_) => Rejection::new(StatusCode::FORBIDDEN, NAME, "no_key"),
        };
        self.refused.fetch_add(1, Ordering::Relaxed);
        if self.dry_run {
            if let Some(record) = RequestRecord::of(&parts.extensions) {
                record.with(|summary| summary.would_reject = Some(refusal));
            }
            return Ok(None);
        }
        Err(refusal)
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for ConcurrencyLimitService<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
{
    type Response = Response<ResponseBody<Permitted<ResBody>>>;
    type Error = S::Error;
    type Future = ConcurrencyLimitFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let (parts, body) = request.into_parts();
        match self.settings.admit(&parts) {
            Ok(permit) => ConcurrencyLimitFuture {
                state: State::Admitted { response: self.inner.call(Request::from_parts(parts, body)), permit },
            },
            Err(refusal) => {
                ConcurrencyLimitFuture { state: State::Refused { response: Some(refusal.answer(&parts)) } }
            }
        }
    }
}

pin_project! {
    /// The future of [`ConcurrencyLimitService`].
    pub struct ConcurrencyLimitFuture<F> {
        #[pin]
        state: State<F>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F> {
        Refused { response: Option<Response<Bytes>> },
        Admitted { #[pin] response: F, permit: Option<Held> },
    }
}

impl<F, B, E> Future for ConcurrencyLimitFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<ResponseBody<Permitted<B>>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProjection::Refused { response } => {
                let response = response.take().expect("a future is not polled after it has completed");
                Poll::Ready(Ok(response.map(ResponseBody::own)))
            }
            StateProjection::Admitted { response, permit } => {
                let response = ready!(response.poll(cx))?;
                Poll::Ready(Ok(response.map(|body| ResponseBody::inner(Permitted::new(body, permit.take())))))
            }
        }
    }
}

impl<F> fmt::Debug for ConcurrencyLimitFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConcurrencyLimitFuture").finish_non_exhaustive()
    }
}

impl<S: fmt::Debug> fmt::Debug for ConcurrencyLimitService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConcurrencyLimitService").field("inner", &self.inner).finish_non_exhaustive()
    }
}
