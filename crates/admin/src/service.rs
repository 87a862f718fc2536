use std::{
    convert::Infallible,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use axum::Router;
use gatewright_core::Body;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use tower_service::Service;

use crate::{Admin, answer, host, router};

/// Fields of every response. The page loads its own files alone, and no other page may read or frame it.
const HEADERS: [(HeaderName, HeaderValue); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
    ),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
];

/// The service of an [`Admin`]: always ready, never fails, and reads no body. Clones share all state.
#[derive(Clone)]
pub struct AdminService {
    admin: Admin,
    router: Router,
}

impl AdminService {
    pub(crate) fn new(admin: Admin) -> Self {
        Self { router: router::router(&admin), admin }
    }

    /// The answer to a request that does not come as far as the router.
    fn refusal<B>(&self, request: &Request<B>) -> Option<Response<Body>> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut response = answer::problem(StatusCode::METHOD_NOT_ALLOWED, "The admin is read-only.");
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            return Some(response);
        }
        let is_probe = matches!(request.uri().path(), "/healthz" | "/readyz");
        if !is_probe && !host::is_known(request.uri(), request.headers(), self.admin.hosts()) {
            let detail = "The admin does not answer under this name. Ask for it by its IP address, or name it in `admin`'s `hosts`.";
            return Some(answer::problem(StatusCode::MISDIRECTED_REQUEST, detail));
        }
        None
    }
}

impl<B> Service<Request<B>> for AdminService {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = AdminFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> AdminFuture {
        let refusal = self.refusal(&request);
        let (mut parts, _) = request.into_parts();
        let mut router = self.router.clone();
        AdminFuture(Box::pin(async move {
            let mut response = match refusal {
                Some(refusal) => refusal,
                None => {
                    // What the server put there is no business of the handlers.
                    parts.extensions.clear();
                    let request = Request::from_parts(parts, axum::body::Body::empty());
                    let Ok(response) = router.call(request).await;
                    response.map(Body::new)
                }
            };
            for (name, value) in HEADERS {
                response.headers_mut().insert(name, value);
            }
            response
        }))
    }
}

impl fmt::Debug for AdminService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminService").field("admin", &self.admin).finish_non_exhaustive()
    }
}

/// The future of [`AdminService`].
pub struct AdminFuture(Pin<Box<dyn Future<Output = Response<Body>> + Send>>);

impl Future for AdminFuture {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx).map(Ok)
    }
}

impl fmt::Debug for AdminFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminFuture").finish_non_exhaustive()
    }
}
