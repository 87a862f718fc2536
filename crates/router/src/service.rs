use std::{
    convert::Infallible,
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use gatewright_core::{Body, ReplyFormat, RequestRecord};
use http::{HeaderValue, Request, Response, StatusCode, header, request};
use tower_service::Service;

use crate::{
    RouterBuilder,
    decide::Unrouted,
    erased::ErasedService,
    explanation::Explanation,
    failure::{Failure, OnError},
    future::RouterFuture,
    route_info::RouteInfo,
    table::Table,
};

/// Sends each request to the service of its route.
///
/// The router is always ready and never fails: an error of a route's service becomes a response, by the table of
/// [`gatewright_core::problem`] or by [`RouterBuilder::on_error`]. A clone costs one reference count.
///
/// ```
/// use gatewright_core::Body;
/// use gatewright_router::{Route, RouterService};
/// use http::{Method, Request, Response};
/// use tower::{ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let answer = |text: &'static str| {
///     service_fn(move |_: Request<Body>| async move {
///         Ok::<_, std::convert::Infallible>(Response::new(Body::from(text)))
///     })
/// };
/// let router = RouterService::builder()
///     .path_prefix("/v1/orders", answer("orders"))
///     .route(Route::path("/v1/orders/{id}").methods([Method::DELETE]), answer("an order to delete"))
///     .build()?;
///
/// let response = router.clone().oneshot(Request::get("/v1/orders/7").body(Body::empty())?).await?;
/// assert_eq!(response.status(), 200);
/// let response = router.oneshot(Request::get("/v2/orders").body(Body::empty())?).await?;
/// assert_eq!(response.status(), 404);
/// # Ok(())
/// # }
/// ```
pub struct RouterService<ReqBody = Body>(Arc<Shared<ReqBody>>);

struct Shared<ReqBody> {
    table: Table,
    services: Box<[Box<dyn ErasedService<ReqBody>>]>,
    on_error: Option<OnError>,
}

impl<ReqBody> RouterService<ReqBody> {
    /// Starts a router without routes.
    pub fn builder() -> RouterBuilder<ReqBody> {
        RouterBuilder::new()
    }

    /// The routes, in the order in which they were added.
    pub fn routes(&self) -> impl ExactSizeIterator<Item = &RouteInfo> {
        self.0.table.rules.iter().map(|rule| &rule.info)
    }

    /// Says which route takes a request, and why, without sending the request anywhere.
    ///
    /// [`call`](Service::call) makes the same decision by the same function. The listener and the scheme come from the
    /// [`RequestRecord`] in the extensions, if there is one.
    ///
    /// ```
    /// use gatewright_core::Body;
    /// use gatewright_router::{MisfitKind, Route, RouterService};
    /// # use http::{Method, Request, Response};
    /// # let orders = tower::service_fn(|_: Request<Body>| async {
    /// #     Ok::<_, std::convert::Infallible>(Response::new(Body::empty()))
    /// # });
    /// # let new_order = orders.clone();
    ///
    /// let router: RouterService = RouterService::builder()
    ///     .route(Route::path_prefix("/v1/orders").name("orders"), orders)
    ///     .route(Route::path_prefix("/v1/orders").name("new-order").methods([Method::POST]), new_order)
    ///     .build()?;
    ///
    /// let (head, ()) = Request::get("/v1//orders/7").body(())?.into_parts();
    /// let explanation = router.explain(&head);
    /// assert_eq!(explanation.route().map(|route| route.name()), Some("orders"));
    /// assert_eq!(explanation.candidates()[0].misfits()[0].kind(), MisfitKind::Method);
    /// assert_eq!(
    ///     explanation.to_string(),
    ///     "GET /v1//orders/7 goes to the route `orders: path_prefix /v1/orders`.\n\
    ///      The canonical path is /v1/orders/7.\n\
    ///      The other routes for this path, in order of precedence:\n\
    ///      - `new-order: path_prefix /v1/orders, methods POST` does not fit: \
    ///      the method is GET, and the route takes POST."
    /// );
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn explain(&self, head: &request::Parts) -> Explanation {
        self.0.table.explain(head)
    }

    pub(crate) fn new(
        table: Table,
        services: Box<[Box<dyn ErasedService<ReqBody>>]>,
        on_error: Option<OnError>,
    ) -> Self {
        Self(Arc::new(Shared { table, services, on_error }))
    }
}

/// The answer to `OPTIONS *`.
fn of_server(allow: &HeaderValue) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(header::ALLOW, allow.clone());
    response
}

impl<ReqBody> Service<Request<ReqBody>> for RouterService<ReqBody> {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = RouterFuture;

    /// Always ready: the route is known only with the request, and the route's service is then polled.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<ReqBody>) -> RouterFuture {
        let Shared { table, services, on_error } = &*self.0;
        let (mut head, body) = request.into_parts();
        let route = match table.decide(&mut head) {
            Ok(route) => route,
            Err(Unrouted::Refused(refusal)) => {
                let rejection = refusal.rejection();
                tracing::debug!(
                    method = %head.method,
                    path = head.uri.path(),
                    reason = rejection.reason(),
                    why = table.explain(&head).candidates_in_one_line(),
                    "no route takes the request"
                );
                return RouterFuture::answered(rejection.answer(&head).map(Body::once));
            }
            Err(Unrouted::WholeServer) => return RouterFuture::answered(of_server(&table.allow)),
        };
        tracing::debug!(
            method = %head.method,
            path = head.uri.path(),
            route = table.rule(route).info.name(),
            "a route takes the request"
        );
        let record = RequestRecord::of(&head.extensions).cloned();
        if let Some(record) = &record {
            record.with(|summary| summary.route = Some(table.rule(route).info.label().clone()));
        }
        let failure = Failure { format: ReplyFormat::of(&head), record, on_error: on_error.clone() };
        let response = services[route as usize].call(Request::from_parts(head, body));
        RouterFuture::routed(response, failure)
    }
}

impl<ReqBody> Clone for RouterService<ReqBody> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// The names of the routes.
impl<ReqBody> fmt::Debug for RouterService<ReqBody> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.routes().map(RouteInfo::name);
        f.write_str("RouterService ")?;
        f.debug_list().entries(names).finish()
    }
}
