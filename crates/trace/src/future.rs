use std::{
    any::Any,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use gatewright_core::{BoxError, Error, ErrorKind, problem::REQUEST_ID};
use http::{HeaderMap, HeaderValue, Response, header::CONTENT_LENGTH};
use pin_project_lite::pin_project;

use crate::{TraceBody, account::Account, tunnel::Tunnel};

pin_project! {
    /// The future of [`TraceService`](crate::TraceService).
    pub struct TraceFuture<F> {
        #[pin]
        inner: F,
        request_id: Option<HeaderValue>,
        // Dropped with the future when the client goes away, and that writes the line.
        account: Option<Account>,
        tunnel: Option<Tunnel>,
    }
}

impl<F> TraceFuture<F> {
    pub(crate) fn new(
        inner: F,
        request_id: HeaderValue,
        account: Option<Account>,
        tunnel: Option<Tunnel>,
    ) -> Self {
        Self { inner, request_id: Some(request_id), account, tunnel }
    }
}

impl<F, B, E> Future for TraceFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    E: 'static,
    B: http_body::Body,
    B::Error: 'static,
{
    type Output = Result<Response<TraceBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let outcome = ready!(this.inner.poll(cx));
        let mut account = this.account.take();
        let mut response = match outcome {
            Ok(response) => response,
            Err(error) => {
                if let Some(account) = &mut account {
                    account.fail(kind_of(&error));
                }
                return Poll::Ready(Err(error));
            }
        };
        if let Some(id) = this.request_id.take() {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        if let Some(account) = &mut account {
            account.response_begins(&response);
        }
        if let Some(tunnel) = this.tunnel.take() {
            account = account.and_then(|account| tunnel.take_over(account));
        }
        let declared = content_length(response.headers());
        Poll::Ready(Ok(response.map(|body| TraceBody::new(body, declared, account))))
    }
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The kind of an error of ours, and of what tower's layers box; any other is the gateway's own fault as far as we can tell.
pub(crate) fn kind_of(error: &dyn Any) -> ErrorKind {
    match (error.downcast_ref::<Error>(), error.downcast_ref::<BoxError>()) {
        (Some(ours), _) => ours.kind(),
        (None, Some(boxed)) => ErrorKind::of(&**boxed),
        (None, None) => ErrorKind::Internal,
    }
}

impl<F> fmt::Debug for TraceFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TraceFuture").finish_non_exhaustive()
    }
}
