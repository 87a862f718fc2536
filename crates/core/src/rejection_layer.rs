//! Refusals in the shape that a program's own clients know.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::{Rejection, ResponseBody};

/// Gives refusals a shape of your own, in place of `application/problem+json`.
///
/// The function gets the [`Rejection`] and the response that it became: the status, and header fields such as
/// `WWW-Authenticate`, `Retry-After` and `X-Request-Id`. Start from those fields, since clients rely on them. The layer stands around all layers whose
/// refusals it shapes. A refusal to a gRPC client comes here too: leave a response whose content type is
/// `application/grpc` as it is, or the client does not understand it.
///
/// ```
/// use gatewright_core::{PolicyLayer, Rejection, RejectionLayer, policy_fn};
/// use http::{HeaderValue, Request, Response, StatusCode, header::CONTENT_TYPE, request::Parts};
/// use http_body_util::BodyExt;
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let closed = policy_fn("closed", |_: &mut Parts| {
///     Err(Rejection::new(StatusCode::FORBIDDEN, "closed", "not_open").detail("We open at nine."))
/// });
/// let service = ServiceBuilder::new()
///     .layer(RejectionLayer::new(|rejection, response| {
///         let (mut head, _) = response.into_parts();
///         head.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
///         let message = rejection.detail_text().unwrap_or_default();
///         Response::from_parts(head, format!(r#"{{"error":"{message}"}}"#).into())
///     }))
///     .layer(PolicyLayer::new(closed))
///     .service(service_fn(async |_: Request<()>| Ok::<_, std::convert::Infallible>(Response::new(String::new()))));
///
/// let response = service.oneshot(Request::new(())).await?;
/// assert_eq!(response.status(), 403);
/// assert_eq!(response.into_body().collect().await?.to_bytes(), r#"{"error":"We open at nine."}"#);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RejectionLayer {
    shape: Shape,
}

type Shape = Arc<dyn Fn(&Rejection, Response<()>) -> Response<Bytes> + Send + Sync>;

impl RejectionLayer {
    /// A layer that makes responses with this function.
    pub fn new(shape: impl Fn(&Rejection, Response<()>) -> Response<Bytes> + Send + Sync + 'static) -> Self {
        Self { shape: Arc::new(shape) }
    }
}

impl<S> Layer<S> for RejectionLayer {
    type Service = RejectionService<S>;

    fn layer(&self, inner: S) -> RejectionService<S> {
        RejectionService { shape: Arc::clone(&self.shape), inner }
    }
}

impl fmt::Debug for RejectionLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RejectionLayer").finish_non_exhaustive()
    }
}

/// The service that [`RejectionLayer`] makes.
#[derive(Clone)]
pub struct RejectionService<S> {
    shape: Shape,
    inner: S,
}

impl<S> RejectionService<S> {
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

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for RejectionService<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = RejectionFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        RejectionFuture { inner: self.inner.call(request), shape: Arc::clone(&self.shape) }
    }
}

impl<S: fmt::Debug> fmt::Debug for RejectionService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RejectionService").field("inner", &self.inner).finish_non_exhaustive()
    }
}

pin_project! {
    /// The future of [`RejectionService`].
    pub struct RejectionFuture<F> {
        #[pin]
        inner: F,
        shape: Shape,
    }
}

impl<F, B, E> Future for RejectionFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<ResponseBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.inner.poll(cx))?;
        let Some(rejection) = response.extensions().get::<Rejection>().cloned() else {
            return Poll::Ready(Ok(response.map(ResponseBody::inner)));
        };
        let mut shaped = (this.shape)(&rejection, response.map(|_| ()));
        // An outer layer labels the response by the refusal, whatever its shape.
        shaped.extensions_mut().insert(rejection);
        Poll::Ready(Ok(shaped.map(ResponseBody::own)))
    }
}

impl<F> fmt::Debug for RejectionFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RejectionFuture").finish_non_exhaustive()
    }
}
