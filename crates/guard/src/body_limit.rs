use gatewright_core::{
    BodyPolicy, BodyPolicyLayer, BodyPolicyService, BufferedBody, Decision, Immediate, Look,
};
use http::request;
use tower_layer::Layer;

/// Bounds the bytes of a request's body.
///
/// 1. A longer body is refused with 413: before a byte of it is read when `Content-Length` tells, or else when the byte
///    too many comes.
/// 2. The body streams; nothing of it is kept. The service may have seen a part of a body that turns out too long.
/// 3. Trailers do not count.
///
/// `tower_http::limit::RequestBodyLimitLayer` does the same with a plain text as its answer. This layer answers as all
/// layers of Gatewright do, and its refusals stand in the access log.
///
/// ```
/// use gatewright_core::{Body, RequestBody};
/// use gatewright_guard::BodyLimitLayer;
/// use http::{Request, Response};
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let service = ServiceBuilder::new()
///     .layer(BodyLimitLayer::new(1 << 20))
///     .service(service_fn(async |_: Request<RequestBody<Body>>| {
///         Ok::<_, std::convert::Infallible>(Response::new(Body::empty()))
///     }));
///
/// let upload = Request::post("/").body(Body::from("x".repeat(2 << 20)))?;
/// assert_eq!(service.oneshot(upload).await?.status(), 413);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
#[must_use = "a layer does nothing until it is put around a service"]
pub struct BodyLimitLayer(BodyLimit);

/// The policy of [`BodyLimitLayer`].
#[derive(Debug, Clone, Copy)]
pub struct BodyLimit(u64);

/// The service that [`BodyLimitLayer`] makes.
pub type BodyLimitService<S> = BodyPolicyService<BodyLimit, S>;

impl BodyLimitLayer {
    /// Allows bodies of so many bytes.
    pub fn new(most: u64) -> Self {
        Self(BodyLimit(most))
    }

    /// The policy by itself.
    pub fn into_policy(self) -> BodyLimit {
        self.0
    }
}

impl<S> Layer<S> for BodyLimitLayer {
    type Service = BodyLimitService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        BodyPolicyLayer::new(self.0).layer(inner)
    }
}

impl BodyPolicy for BodyLimit {
    type Grant = ();
    type Future = Immediate;

    fn name(&self) -> &'static str {
        "body-limit"
    }

    fn look(&self, _: &request::Parts) -> Look {
        Look::Length(self.0)
    }

    /// Nothing is left to decide: the length is all that counts.
    fn decide(&self, _: &mut request::Parts, _: &BufferedBody) -> Decision<(), Immediate> {
        Decision::Allow(())
    }
}
