use std::{fmt, sync::Arc};

use gatewright_core::{PolicyLayer, PolicyService};
use http::HeaderName;
use tower_layer::Layer;

use crate::{Anonymous, Auth, Authenticate, ClaimPath, requirements::Requirements};

/// Lets only those requests go on of which it is known who calls.
#[must_use = "a layer does nothing until it is put around a service"]
pub struct AuthLayer<A> {
    authenticator: Arc<A>,
    requirements: Requirements,
    claimed: Arc<[HeaderName]>,
}

/// The service that [`AuthLayer`] makes.
pub type AuthService<A, S> = PolicyService<Auth<A>, S>;

impl<A: Authenticate> AuthLayer<A> {
    /// Asks this authenticator. All services that the layer makes share its state.
    pub fn new(authenticator: A) -> Self {
        Self {
            authenticator: Arc::new(authenticator),
            requirements: Requirements::default(),
            claimed: Arc::default(),
        }
    }

    /// Requires all of these scopes, beside those required before.
    pub fn scopes<T: Into<Box<str>>>(mut self, scopes: impl IntoIterator<Item = T>) -> Self {
        self.requirements.add_scopes(scopes);
        self
    }

    /// Requires one of these roles, which stand in the claim at `path` (`roles`, `realm_access.roles`) as a text or a
    /// list of texts. Repeated calls all have to be met.
    pub fn roles<T: Into<Box<str>>>(
        mut self,
        path: impl Into<ClaimPath>,
        roles: impl IntoIterator<Item = T>,
    ) -> Self {
        self.requirements.add_claim(path.into(), roles, "insufficient_role");
        self
    }

    /// Requires that the claim at `path` is, or as a list holds, one of these values. Repeated calls all have to be
    /// met.
    pub fn claim<T: Into<Box<str>>>(
        mut self,
        path: impl Into<ClaimPath>,
        values: impl IntoIterator<Item = T>,
    ) -> Self {
        self.requirements.add_claim(path.into(), values, "claim_not_met");
        self
    }

    /// Removes these fields from all requests that go on, before it sets its own: those in which other layers tell the same
    /// services who calls. A client that one of them has let in could otherwise speak in the name of another's.
    ///
    /// ```
    /// use gatewright_auth::AuthLayer;
    /// use http::{HeaderName, Request, Response};
    /// use tower::{ServiceBuilder, ServiceExt, service_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let open = ServiceBuilder::new()
    ///     .layer(AuthLayer::none().claimed_headers([HeaderName::from_static("x-tenant")]))
    ///     .service(service_fn(async |request: Request<String>| {
    ///         assert!(request.headers().is_empty());
    ///         Ok::<_, std::convert::Infallible>(Response::new(String::new()))
    ///     }));
    ///
    /// let request = Request::get("/").header("x-tenant", "forged").header("x_tenant", "forged");
    /// let response = open.oneshot(request.body(String::new()).unwrap()).await.unwrap();
    /// assert_eq!(response.status(), 200);
    /// # }
    /// ```
    pub fn claimed_headers(mut self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        self.claimed = self.claimed.iter().cloned().chain(names).collect();
        self
    }

    /// The policy by itself, for stacks assembled of optional policies.
    pub fn into_policy(self) -> Auth<A> {
        Auth::new(self.authenticator, self.requirements, self.claimed)
    }
}

impl AuthLayer<Anonymous> {
    /// Lets all requests go on, without a principal: one that an outer layer has set is removed.
    pub fn none() -> Self {
        Self::new(Anonymous::new())
    }
}

impl<A: Authenticate, S> Layer<S> for AuthLayer<A> {
    type Service = AuthService<A, S>;

    fn layer(&self, inner: S) -> Self::Service {
        PolicyLayer::new(self.clone().into_policy()).layer(inner)
    }
}

impl<A> Clone for AuthLayer<A> {
    fn clone(&self) -> Self {
        Self {
            authenticator: Arc::clone(&self.authenticator),
            requirements: self.requirements.clone(),
            claimed: Arc::clone(&self.claimed),
        }
    }
}

impl<A: Authenticate> fmt::Debug for AuthLayer<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthLayer")
            .field("authenticator", &self.authenticator.name())
            .field("requirements", &self.requirements)
            .finish()
    }
}
