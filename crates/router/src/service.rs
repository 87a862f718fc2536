use std::{
    convert::Infallible,
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use gatewright_core::{
    Body, Rejection, RequestRecord,
    path::{self, EncodedSlash, PathError, canonical, without_parameters},
};
use http::{Method, Request, Response, request};
use tower_service::Service;

use crate::{
    RouterBuilder,
    erased::ErasedService,
    future::RouterFuture,
    refusal,
    table::{Found, Table},
};

/// Sends each request to the service of its route.
///
/// It is always ready, and it never fails: what a route's service cannot do becomes a response, by the one table of
/// [`gatewright_core::problem`]. A clone costs one reference count.
pub struct RouterService<ReqBody = Body>(Arc<Shared<ReqBody>>);

struct Shared<ReqBody> {
    table: Table,
    services: Box<[Box<dyn ErasedService<ReqBody>>]>,
}

impl<ReqBody> RouterService<ReqBody> {
    /// Starts a router without routes.
    pub fn builder() -> RouterBuilder<ReqBody> {
        RouterBuilder::new()
    }

    pub(crate) fn new(table: Table, services: Box<[Box<dyn ErasedService<ReqBody>>]>) -> Self {
        Self(Arc::new(Shared { table, services }))
    }
}

impl Table {
    /// The route of a request, whose path is made canonical in its URI.
    fn route(&self, head: &mut request::Parts) -> Result<u32, Rejection> {
        // A CONNECT in authority form has no path (RFC 9112, section 3.2.3), and no route takes it.
        if head.method == Method::CONNECT && head.uri.path().is_empty() {
            return Err(refusal::method_not_allowed(&[]));
        }
        let slash = if self.encoded_slash { EncodedSlash::Keep } else { EncodedSlash::Refuse };
        let path = canonical(head.uri.path(), slash).map_err(refusal::bad_path)?;
        let found = self.find(head, &path);
        // The router takes encoded slashes as soon as one route does; for all others they are refused here.
        let is_slash_allowed = matches!(found, Found::Route(route) if self.rule(route).encoded_slash);
        if self.encoded_slash && !is_slash_allowed && path.contains("%2F") {
            return Err(refusal::bad_path(PathError::EncodedSlash));
        }
        let route = match found {
            Found::Route(route) => route,
            Found::MethodNotAllowed(methods) => return Err(refusal::method_not_allowed(&methods)),
            Found::Nothing => return Err(refusal::no_route()),
        };
        // Some services take parameters away: what is another route's to them has to pass what stands before that one.
        if !self.rule(route).names_parameter
            && let Some(bare) = without_parameters(&path)
            && matches!(self.find(head, &bare), Found::Route(other) if other != route)
        {
            return Err(refusal::bad_path(PathError::Parameter));
        }
        if path != head.uri.path() {
            let path = path.into_owned();
            path::replace(&mut head.uri, &path).map_err(refusal::bad_path)?;
        }
        Ok(route)
    }
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
        let Shared { table, services } = &*self.0;
        let (mut head, body) = request.into_parts();
        let route = match table.route(&mut head) {
            Ok(route) => route,
            Err(rejection) => return RouterFuture::answered(refusal::answer(rejection, &head.extensions)),
        };
        let record = RequestRecord::of(&head.extensions).cloned();
        if let Some(record) = &record {
            record.with(|summary| summary.route = Some(Arc::clone(&table.rule(route).name)));
        }
        let response = services[route as usize].call(Request::from_parts(head, body));
        RouterFuture::routed(response, record)
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
