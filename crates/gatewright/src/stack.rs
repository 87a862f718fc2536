//! The layers of a route in the order that is right.

use std::fmt;

use gatewright_auth::{Anonymous, Auth, AuthLayer, Authenticate};
use gatewright_core::{PolicyLayer, PolicyService};
use gatewright_guard::{IpFilter, IpFilterLayer};
use gatewright_rate_limit::{ConcurrencyLimit, ConcurrencyLimitLayer, RateLimit, RateLimitLayer};
use gatewright_rewrite::{Rewrite, RewriteLayer};
use tower_layer::Layer;

/// Stacks the layers of a route in [the order that is right](crate#the-order-of-layers), whatever the order of the calls.
/// A layer that is left out costs next to nothing.
///
/// ```
/// use gatewright::{IpFilterLayer, Key, ProxyService, Quota, RateLimitLayer, RewriteLayer, Stack};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let orders = Stack::new()
///     .rewrite(RewriteLayer::new().replace_prefix("/v1/orders", "/internal/orders"))
///     .limit(RateLimitLayer::new(Quota::per_second(50).burst(100)).key(Key::principal()))
///     .addresses(IpFilterLayer::new().deny("203.0.113.0/24".parse()?))
///     .service(ProxyService::builder().target("order-service:8080").build()?);
/// # let _ = orders;
/// # Ok(())
/// # }
/// ```
#[must_use = "a stack does nothing until it is put around a service"]
pub struct Stack<A: Authenticate = Anonymous> {
    addresses: Option<IpFilterLayer>,
    limit_before_auth: Option<RateLimitLayer>,
    auth: Option<AuthLayer<A>>,
    limit: Option<RateLimitLayer>,
    concurrency: Option<ConcurrencyLimitLayer>,
    rewrite: Option<RewriteLayer>,
}

/// The service that a [`Stack`] makes.
pub type StackService<A, S> = PolicyService<
    Option<IpFilter>,
    PolicyService<
        Option<RateLimit>,
        PolicyService<
            Option<Auth<A>>,
            PolicyService<
                Option<RateLimit>,
                PolicyService<Option<ConcurrencyLimit>, PolicyService<Option<Rewrite>, S>>,
            >,
        >,
    >,
>;

impl Stack {
    /// A stack without a layer.
    pub fn new() -> Self {
        Self {
            addresses: None,
            limit_before_auth: None,
            auth: None,
            limit: None,
            concurrency: None,
            rewrite: None,
        }
    }
}

impl Default for Stack {
    fn default() -> Self {
        Self::new()
    }
}

impl<A: Authenticate> Stack<A> {
    /// Outermost: a stranger costs one look at a table.
    pub fn addresses(mut self, layer: IpFilterLayer) -> Self {
        self.addresses = Some(layer);
        self
    }

    /// A limit that need not know who calls, by address say. It holds off a flood before it costs the verification of
    /// credentials.
    pub fn limit_before_auth(mut self, layer: RateLimitLayer) -> Self {
        self.limit_before_auth = Some(layer);
        self
    }

    /// Who calls, behind the limits that need not know.
    pub fn auth<B: Authenticate>(self, layer: AuthLayer<B>) -> Stack<B> {
        let Self { addresses, limit_before_auth, auth: _, limit, concurrency, rewrite } = self;
        Stack { addresses, limit_before_auth, auth: Some(layer), limit, concurrency, rewrite }
    }

    /// A limit that may know who calls, behind the authentication.
    pub fn limit(mut self, layer: RateLimitLayer) -> Self {
        self.limit = Some(layer);
        self
    }

    /// A bound on the requests under way, behind all layers that refuse.
    pub fn concurrency(mut self, layer: ConcurrencyLimitLayer) -> Self {
        self.concurrency = Some(layer);
        self
    }

    /// Innermost: all layers before it see the request as the client sent it.
    pub fn rewrite(mut self, layer: RewriteLayer) -> Self {
        self.rewrite = Some(layer);
        self
    }

    /// Puts the stack around a service.
    pub fn service<S>(&self, inner: S) -> StackService<A, S> {
        self.layer(inner)
    }
}

impl<A: Authenticate, S> Layer<S> for Stack<A> {
    type Service = StackService<A, S>;

    fn layer(&self, inner: S) -> Self::Service {
        let limit =
            |layer: &Option<RateLimitLayer>| PolicyLayer::new(layer.clone().map(RateLimitLayer::into_policy));
        let rewrite = self.rewrite.clone().map(RewriteLayer::into_policy);
        let concurrency = self.concurrency.clone().map(ConcurrencyLimitLayer::into_policy);
        let auth = self.auth.clone().map(AuthLayer::into_policy);
        let addresses = self.addresses.clone().map(IpFilterLayer::into_policy);
        let inner = PolicyLayer::new(concurrency).layer(PolicyLayer::new(rewrite).layer(inner));
        let inner = PolicyLayer::new(auth).layer(limit(&self.limit).layer(inner));
        PolicyLayer::new(addresses).layer(limit(&self.limit_before_auth).layer(inner))
    }
}

impl<A: Authenticate> Clone for Stack<A> {
    fn clone(&self) -> Self {
        Self {
            addresses: self.addresses.clone(),
            limit_before_auth: self.limit_before_auth.clone(),
            auth: self.auth.clone(),
            limit: self.limit.clone(),
            concurrency: self.concurrency.clone(),
            rewrite: self.rewrite.clone(),
        }
    }
}

impl<A: Authenticate> fmt::Debug for Stack<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stack").field("auth", &self.auth).finish_non_exhaustive()
    }
}
