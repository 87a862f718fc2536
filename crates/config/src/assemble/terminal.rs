//! What answers a route in the end.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    task::{Context, Poll},
};

use gatewright_core::{Body, BoxError, Error, PolicyService, Rejection};
use gatewright_proxy::ProxyService;
use gatewright_rewrite::Rewrite;
use http::{Request, Response, StatusCode};
use tower::{ServiceExt, util::BoxCloneSyncService};
use tower_service::Service;

/// The one service that answers a route in the end, whatever layers stand around it.
#[derive(Clone)]
pub(super) enum Terminal {
    /// Sends the request to an upstream.
    Proxy(ProxyService),
    /// Answers with a redirect.
    Redirect(PolicyService<Rewrite, NoUpstream>),
    /// Answers with 404.
    NoUpstream(NoUpstream),
    /// Any other service: one with layers around it already, or one that is given in place of the proxy.
    Other(RouteService),
}

/// A service of a route whose type is erased.
pub(super) type RouteService = BoxCloneSyncService<Request<Body>, Response<Body>, Error>;

/// Erases the type of a service.
pub(super) fn erase<S, B>(service: S) -> RouteService
where
    S: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
    B: http_body::Body<Data = bytes::Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let unified = service.map_response(|response: Response<B>| response.map(Body::new));
    BoxCloneSyncService::new(unified.map_err(Error::from_service))
}

impl Terminal {
    /// The same with its type erased.
    pub(super) fn into_service(self) -> RouteService {
        match self {
            Self::Proxy(service) => erase(service),
            Self::Redirect(service) => erase(service),
            Self::NoUpstream(service) => erase(service),
            Self::Other(service) => service,
        }
    }
}

/// The service behind a redirect, and that of a route whose stack could not be built. A request comes here only when the
/// redirect does not fit its path.
#[derive(Debug, Clone, Copy)]
pub(super) struct NoUpstream;

impl Service<Request<Body>> for NoUpstream {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let rejection = Rejection::new(StatusCode::NOT_FOUND, "redirect", "does_not_fit")
            .detail("The redirect does not fit this path.");
        ready(Ok(rejection.answer(&request.into_parts().0).map(Body::once)))
    }
}
