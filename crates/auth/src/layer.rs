use std::{fmt, sync::Arc};

use gatewright_core::{PolicyLayer, PolicyService};
use http::HeaderName;
use tower_layer::Layer;

use crate::{Anonymous, Auth, Authenticate, ClaimPath, requirements::Requirements};

/// Lets a request go on only if its caller is known.
///
/// # Example
///
/// ```
/// use gatewright_auth::{ApiKeys, AuthLayer, NewApiKey};
/// use http::{Request, Response};
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let key = NewApiKey::builder("acme").generate()?;
/// let orders = ServiceBuilder::new()
///     .layer(AuthLayer::new(ApiKeys::from_yaml(key.entry()).build()?))
///     .service(service_fn(async |_: Request<()>| Ok::<_, std::convert::Infallible>(Response::new(()))));
///
/// let response = orders.clone().oneshot(Request::new(())).await?;
/// assert_eq!(response.status(), 401);
/// let request = Request::get("/").header("x-api-key", key.secret()).body(())?;
/// assert_eq!(orders.oneshot(request).await?.status(), 200);
/// # Ok(())
/// # }
/// ```
///
/// Customised: a scope and a role are required, and clients may not set a header field in which other routes tell
/// the service who calls.
///
/// ```
/// use gatewright_auth::{Algorithm, AuthLayer, Jwks, Jwt};
/// use http::HeaderName;
///
/// # let secret = [7; 32];
/// let users = Jwt::new(Jwks::secret(Algorithm::Hs256, &secret)?).issuer("https://id.example/").audience("api");
/// let layer = AuthLayer::new(users)
///     .scopes(["orders:write"])
///     .roles("realm_access.roles", ["clerk", "admin"])
///     .claim("tenant", ["t1"])
///     .reserve_headers([HeaderName::from_static("x-acme-partner")]);
/// # let _ = layer;
/// # Ok::<(), gatewright_auth::KeyError>(())
/// ```
#[must_use = "a layer does nothing until it is put around a service"]
pub struct AuthLayer<A> {
    authenticator: Arc<A>,
    requirements: Requirements,
    reserved: Vec<HeaderName>,
}

/// The service of [`AuthLayer`].
pub type AuthService<A, S> = PolicyService<Auth<A>, S>;

impl<A: Authenticate> AuthLayer<A> {
    /// Asks this authenticator. All services that the layer makes share the authenticator's state.
    pub fn new(authenticator: A) -> Self {
        Self {
            authenticator: Arc::new(authenticator),
            requirements: Requirements::default(),
            reserved: Vec::new(),
        }
    }

    /// Requires all of these scopes, in addition to those of earlier calls.
    pub fn scopes<T: Into<Box<str>>>(mut self, scopes: impl IntoIterator<Item = T>) -> Self {
        self.requirements.add_scopes(scopes);
        self
    }

    /// Requires one of these roles. The claim at `path` (`roles`, `realm_access.roles`) holds a caller's roles, as
    /// a text or a list of texts. All repeated calls have to be met.
    pub fn roles<T: Into<Box<str>>>(
        mut self,
        path: impl Into<ClaimPath>,
        roles: impl IntoIterator<Item = T>,
    ) -> Self {
        self.requirements.add_claim(path.into(), roles, "insufficient_role");
        self
    }

    /// Requires that the claim at `path` is one of these values, or is a list with one of them. All repeated calls
    /// have to be met.
    pub fn claim<T: Into<Box<str>>>(
        mut self,
        path: impl Into<ClaimPath>,
        values: impl IntoIterator<Item = T>,
    ) -> Self {
        self.requirements.add_claim(path.into(), values, "claim_not_met");
        self
    }

    /// Removes these header fields from clients' requests, under every alias and with any authenticator. An
    /// authenticator removes the fields that it sets itself. Name a field here if a service behind several routes
    /// trusts it, but only the authenticator of another route sets it.
    ///
    /// ```
    /// use gatewright_auth::AuthLayer;
    /// use http::{HeaderName, Request, Response};
    /// use tower::{ServiceBuilder, ServiceExt, service_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let open = ServiceBuilder::new()
    ///     .layer(AuthLayer::none().reserve_headers([HeaderName::from_static("x-tenant")]))
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
    pub fn reserve_headers(mut self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        self.reserved.extend(names);
        self
    }

    /// The policy alone, for stacks that are assembled from optional policies.
    pub fn into_policy(self) -> Auth<A> {
        Auth::new(self.authenticator, self.requirements, &self.reserved)
    }
}

impl AuthLayer<Anonymous> {
    /// Lets all requests go on without a principal. A principal that an outer layer has set is removed.
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
            reserved: self.reserved.clone(),
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
