//! The service, and its future.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use gatewright_core::{Body, BoxError, Error};
use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::{forward::Forwarding, response_body::ProxyBody, settings::Settings, upstream::Upstream};

/// Sends each request to one of the targets of an [`Upstream`], and answers with its response.
///
/// It is always ready. Each request waits for a connection within its own time limits. Clones share everything.
///
/// ```no_run
/// use std::time::Duration;
///
/// use gatewright_core::Body;
/// use gatewright_proxy::ProxyService;
/// use http::Request;
/// use tower::ServiceExt;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let orders = ProxyService::builder().target("order-service:8080").timeout(Duration::from_secs(5)).build()?;
///
/// let request = Request::get("http://api.example.com/orders/1001").body(Body::empty())?;
/// let response = orders.oneshot(request).await?;
/// # let _ = response;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ProxyService {
    settings: Arc<Settings>,
}

impl ProxyService {
    pub(crate) fn new(settings: Settings) -> Self {
        Self { settings: Arc::new(settings) }
    }

    /// The upstream that it sends to.
    pub fn upstream(&self) -> &Upstream {
        &self.settings.upstream
    }
}

impl<B> Service<Request<B>> for ProxyService
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<ProxyBody>;
    type Error = Error;
    type Future = ProxyFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> ProxyFuture {
        let settings = Arc::clone(&self.settings);
        ProxyFuture { forwarding: Forwarding::begin(settings, request.map(Body::new)) }
    }
}

impl fmt::Debug for ProxyService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProxyService").field("settings", &self.settings).finish()
    }
}

pin_project! {
    /// The future of [`ProxyService`]. Dropping it cancels the request upstream.
    pub struct ProxyFuture {
        #[pin]
        forwarding: Forwarding,
    }
}

impl Future for ProxyFuture {
    type Output = Result<Response<ProxyBody>, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().forwarding.poll(cx)
    }
}

impl fmt::Debug for ProxyFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProxyFuture")
    }
}
