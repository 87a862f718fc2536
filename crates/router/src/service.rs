use std::{
    convert::Infallible,
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use gatewright_core::{
    Body, Rejection, ReplyFormat, RequestRecord,
    path::{self, EncodedSlash, PathError, PathRules, canonical, without_parameters},
};
use http::{HeaderValue, Method, Request, Response, StatusCode, header, request};
use tower_service::Service;

use crate::{
    RouterBuilder,
    erased::ErasedService,
    failure::{Failure, OnError},
    future::RouterFuture,
    refusal,
    table::{Found, Table},
};

/// Sends each request to the service of its route.
///
/// It is always ready, and it never fails: what a route's service cannot do becomes a response, by the one table of
/// [`gatewright_core::problem`] or as [`RouterBuilder::on_error`] says. A clone costs one reference count.
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

    pub(crate) fn new(
        table: Table,
        services: Box<[Box<dyn ErasedService<ReqBody>>]>,
        on_error: Option<OnError>,
    ) -> Self {
        Self(Arc::new(Shared { table, services, on_error }))
    }
}

/// Why a request goes to no route.
enum Unrouted {
    Refused(Rejection),
    /// It asks about the server, not about anything on it (RFC 9110, section 9.3.7).
    OfServer,
}

impl From<Rejection> for Unrouted {
    fn from(rejection: Rejection) -> Self {
        Self::Refused(rejection)
    }
}

impl Table {
    /// The route of a request, whose path is made canonical in its URI.
    fn route(&self, head: &mut request::Parts) -> Result<u32, Unrouted> {
        // A CONNECT in authority form has no path (RFC 9112, section 3.2.3), and no route takes it.
        if head.method == Method::CONNECT && head.uri.path().is_empty() {
            return Err(refusal::method_not_allowed(&[]).into());
        }
        let slash = if self.encoded_slash { EncodedSlash::Keep } else { EncodedSlash::Refuse };
        let mut path = canonical(head.uri.path(), slash).map_err(|error| unrouted(error, head))?;
        let found = self.find(head, &path);
        // The router takes encoded slashes as soon as one route does; for all others they are refused here.
        let is_slash_allowed = matches!(found, Found::Route(route) if self.rule(route).encoded_slash);
        if self.encoded_slash && !is_slash_allowed && path.contains("%2F") {
            return Err(refusal::bad_path(PathError::EncodedSlash).into());
        }
        let route = match found {
            Found::Route(route) => route,
            Found::MethodNotAllowed(methods) => return Err(refusal::method_not_allowed(&methods).into()),
            Found::Nothing => return Err(refusal::no_route().into()),
        };
        if self.empty_segments && self.rule(route).empty_segments {
            let rules = PathRules::from(slash).keep_empty_segments();
            let whole = canonical(head.uri.path(), rules).map_err(refusal::bad_path)?;
            if whole != path {
                if !matches!(self.find(head, &whole), Found::Route(same) if same == route) {
                    return Err(refusal::no_route().into());
                }
                path = whole;
            }
        }
        // Some services take parameters away: what is another route's to them has to pass what stands before that one.
        if !self.rule(route).names_parameter
            && let Some(bare) = without_parameters(&path)
            && matches!(self.find(head, &bare), Found::Route(other) if other != route)
        {
            return Err(refusal::bad_path(PathError::Parameter).into());
        }
        if path != head.uri.path() {
            let path = path.into_owned();
            path::replace(&mut head.uri, &path).map_err(refusal::bad_path)?;
        }
        Ok(route)
    }
}

/// What to do about a path that is none.
#[cold]
fn unrouted(error: PathError, head: &request::Parts) -> Unrouted {
    match head.uri.path_and_query() {
        Some(target) if head.method == Method::OPTIONS && target.as_str() == "*" => Unrouted::OfServer,
        _ => Unrouted::Refused(refusal::bad_path(error)),
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

    /// Always ready: which route's readiness counts is known only with the request.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<ReqBody>) -> RouterFuture {
        let Shared { table, services, on_error } = &*self.0;
        let (mut head, body) = request.into_parts();
        let route = match table.route(&mut head) {
            Ok(route) => route,
            Err(Unrouted::Refused(rejection)) => {
                tracing::debug!(
                    method = %head.method,
                    path = head.uri.path(),
                    reason = rejection.reason(),
                    why = table.explain(&head, head.uri.path()),
                    "no route takes the request"
                );
                return RouterFuture::answered(rejection.answer(&head).map(Body::once));
            }
            Err(Unrouted::OfServer) => return RouterFuture::answered(of_server(&table.allow)),
        };
        tracing::debug!(
            method = %head.method,
            path = head.uri.path(),
            route = &*table.rule(route).name,
            "a route takes the request"
        );
        let record = RequestRecord::of(&head.extensions).cloned();
        if let Some(record) = &record {
            record.with(|summary| summary.route = Some(table.rule(route).name.clone()));
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
        let names = self.0.table.rules.iter().map(|rule| &rule.name);
        f.write_str("RouterService ")?;
        f.debug_list().entries(names).finish()
    }
}
