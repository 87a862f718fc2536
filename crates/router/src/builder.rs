use std::{fmt, sync::Arc};

use bytes::Bytes;
use gatewright_core::{BoxError, Error, Rejection};
use http::{Request, Response};
use tower_service::Service;

use crate::{BuildError, Route, RouterService, compile::compile, erased::ErasedService, failure::OnError};

/// Builds a [`RouterService`] from routes, each with its service.
///
/// The order of the calls does not matter.
#[must_use = "a router is made by `build`"]
pub struct RouterBuilder<ReqBody> {
    routes: Vec<Route>,
    services: Vec<Box<dyn ErasedService<ReqBody>>>,
    on_error: Option<OnError>,
}

impl<ReqBody> RouterBuilder<ReqBody> {
    pub(crate) fn new() -> Self {
        Self { routes: Vec::new(), services: Vec::new(), on_error: None }
    }

    /// Adds a route of one path, or of the paths of one pattern: see [`Route::path`].
    pub fn path<S, ResBody>(self, path: impl Into<String>, service: S) -> Self
    where
        S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
        S::Error: Into<BoxError>,
        ReqBody: Send + 'static,
        ResBody: http_body::Body<Data = Bytes> + Send + 'static,
        ResBody::Error: Into<BoxError>,
    {
        self.route(Route::path(path), service)
    }

    /// Adds a route of a path and all below it: see [`Route::path_prefix`].
    pub fn path_prefix<S, ResBody>(self, prefix: impl Into<String>, service: S) -> Self
    where
        S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
        S::Error: Into<BoxError>,
        ReqBody: Send + 'static,
        ResBody: http_body::Body<Data = Bytes> + Send + 'static,
        ResBody::Error: Into<BoxError>,
    {
        self.route(Route::path_prefix(prefix), service)
    }

    /// Adds a route of the paths that a regex matches: see [`Route::path_regex`].
    pub fn path_regex<S, ResBody>(self, regex: impl Into<String>, service: S) -> Self
    where
        S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
        S::Error: Into<BoxError>,
        ReqBody: Send + 'static,
        ResBody: http_body::Body<Data = Bytes> + Send + 'static,
        ResBody::Error: Into<BoxError>,
    {
        self.route(Route::path_regex(regex), service)
    }

    /// Adds a route. Each request calls a clone of `service`, once the clone is ready. So the clones of a service with a limit
    /// must share the limit.
    pub fn route<S, ResBody>(mut self, route: Route, service: S) -> Self
    where
        S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
        S::Error: Into<BoxError>,
        ReqBody: Send + 'static,
        ResBody: http_body::Body<Data = Bytes> + Send + 'static,
        ResBody::Error: Into<BoxError>,
    {
        self.routes.push(route);
        self.services.push(Box::new(service));
        self
    }

    /// Sets a function that decides about the failures of routes. If it gives a [`Rejection`], the client gets that
    /// rejection. If it gives `None`, the client gets the answer of the table in [`gatewright_core::problem`]. A service that
    /// fails with a `Rejection` needs no such function. The [`source`](std::error::Error::source) of the error is the
    /// service's own error.
    ///
    /// ```
    /// use std::{error::Error as _, io};
    ///
    /// use gatewright_core::{Body, Rejection};
    /// use gatewright_router::RouterService;
    /// use http::{Request, Response, StatusCode};
    /// use tower::{ServiceExt, service_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let full = service_fn(async |_: Request<Body>| Err::<Response<Body>, _>(io::Error::from(io::ErrorKind::StorageFull)));
    /// let router = RouterService::builder()
    ///     .path("/files", full)
    ///     .on_error(|error| {
    ///         let error = error.source()?.downcast_ref::<io::Error>()?;
    ///         let is_full = error.kind() == io::ErrorKind::StorageFull;
    ///         is_full.then(|| Rejection::new(StatusCode::INSUFFICIENT_STORAGE, "files", "disk_full"))
    ///     })
    ///     .build()?;
    ///
    /// let response = router.oneshot(Request::put("/files").body(Body::empty())?).await?;
    /// assert_eq!(response.status(), StatusCode::INSUFFICIENT_STORAGE);
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_error(mut self, judge: impl Fn(&Error) -> Option<Rejection> + Send + Sync + 'static) -> Self {
        self.on_error = Some(OnError(Arc::new(judge)));
        self
    }

    /// Makes the router.
    ///
    /// # Errors
    ///
    /// When a route cannot be read, when two routes can take the same request and nothing ranks them, and when a route
    /// can never match. The error holds all such problems and names the routes.
    pub fn build(self) -> Result<RouterService<ReqBody>, BuildError> {
        let table = compile(&self.routes)?;
        Ok(RouterService::new(table, self.services.into(), self.on_error))
    }
}

impl<ReqBody> fmt::Debug for RouterBuilder<ReqBody> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouterBuilder").field("routes", &self.routes).finish_non_exhaustive()
    }
}
