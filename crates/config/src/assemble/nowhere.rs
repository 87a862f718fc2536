use std::{
    convert::Infallible,
    future::{Ready, ready},
    task::{Context, Poll},
};

use gatewright_core::{Body, Rejection};
use http::{Request, Response, StatusCode};
use tower_service::Service;

/// What stands behind a redirect. Only a request that the redirect's path does not fit comes here, and where a stack could
/// not be built.
#[derive(Debug, Clone, Copy)]
pub(super) struct Nowhere;

impl Service<Request<Body>> for Nowhere {
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
