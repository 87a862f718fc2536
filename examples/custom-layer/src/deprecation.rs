//! A plain Tower layer. It does not depend on Gatewright, and works around any HTTP service.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use http::{HeaderValue, Request, Response};
use tower::{Layer, Service};

/// Adds a header to each response that says until when the API will exist (`Sunset`, RFC 8594).
#[derive(Clone)]
pub(crate) struct DeprecationLayer {
    sunset: HeaderValue,
}

impl DeprecationLayer {
    /// `sunset` is an HTTP date.
    pub(crate) fn new(sunset: &'static str) -> Self {
        Self { sunset: HeaderValue::from_static(sunset) }
    }
}

impl<S> Layer<S> for DeprecationLayer {
    type Service = DeprecationService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        DeprecationService { inner, sunset: self.sunset.clone() }
    }
}

#[derive(Clone)]
pub(crate) struct DeprecationService<S> {
    inner: S,
    sunset: HeaderValue,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for DeprecationService<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    // Boxed for brevity. Gatewright's layers have futures of their own types, which cost no allocation.
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let sunset = self.sunset.clone();
        let response = self.inner.call(request);
        Box::pin(async move {
            let mut response = response.await?;
            response.headers_mut().insert("sunset", sunset);
            Ok(response)
        })
    }
}
