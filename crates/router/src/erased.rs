use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};

use bytes::Bytes;
use gatewright_core::{Body, BoxError, Error};
use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

/// The service of a route, with its type erased. Each request boxes one future.
pub(crate) trait ErasedService<ReqBody>: Send + Sync {
    fn call(&self, request: Request<ReqBody>) -> ErasedFuture;
}

pub(crate) type ErasedFuture = Pin<Box<dyn Future<Output = Result<Response<Body>, Error>> + Send>>;

impl<S, ReqBody, ResBody> ErasedService<ReqBody> for S
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    ReqBody: Send + 'static,
    ResBody: http_body::Body<Data = Bytes> + Send + 'static,
    ResBody::Error: Into<BoxError>,
{
    fn call(&self, request: Request<ReqBody>) -> ErasedFuture {
        let mut service = self.clone();
        // Most services are always ready. The request then goes in at once, and the future does not carry it. If the service is
        // not ready, the future polls it again, with the waker of the task that waits.
        match service.poll_ready(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => Box::pin(Called { response: Service::call(&mut service, request) }),
            Poll::Ready(Err(error)) => Box::pin(std::future::ready(Err(Error::from_service(error)))),
            Poll::Pending => Box::pin(Call { service, request: Some(request), response: None }),
        }
    }
}

pin_project! {
    /// The response of a service that was ready at once.
    struct Called<F> {
        #[pin]
        response: F,
    }
}

impl<F, ResBody, E> Future for Called<F>
where
    F: Future<Output = Result<Response<ResBody>, E>>,
    E: Into<BoxError>,
    ResBody: http_body::Body<Data = Bytes> + Send + 'static,
    ResBody::Error: Into<BoxError>,
{
    type Output = Result<Response<Body>, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let response = ready!(self.project().response.poll(cx)).map_err(Error::from_service)?;
        Poll::Ready(Ok(response.map(Body::new)))
    }
}

pin_project! {
    /// Waits until its clone of the service is ready, and calls that same clone.
    struct Call<S, ReqBody, F> {
        service: S,
        request: Option<Request<ReqBody>>,
        #[pin]
        response: Option<F>,
    }
}

impl<S, ReqBody, ResBody> Future for Call<S, ReqBody, S::Future>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    S::Error: Into<BoxError>,
    ResBody: http_body::Body<Data = Bytes> + Send + 'static,
    ResBody::Error: Into<BoxError>,
{
    type Output = Result<Response<Body>, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            if let Some(response) = this.response.as_mut().as_pin_mut() {
                let response = ready!(response.poll(cx)).map_err(Error::from_service)?;
                return Poll::Ready(Ok(response.map(Body::new)));
            }
            ready!(this.service.poll_ready(cx)).map_err(Error::from_service)?;
            let request = this.request.take().expect("a request is sent once");
            this.response.set(Some(this.service.call(request)));
        }
    }
}
