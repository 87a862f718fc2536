use std::{collections::HashMap, sync::Arc};

use gatewright_core::{PolicyLayer, PolicyService, Quota};
use http::request;
use tower_layer::Layer;

use crate::{
    headers::Fields,
    key::Key,
    limits::Limits,
    own_limits::OwnLimits,
    policy::{Cost, Counters, Counts, RateLimit, Settings},
    store::{LocalStore, Store},
};

/// Limits how often each caller may come.
///
/// All services that it makes, and all their clones, share one state; so do clones of the layer. See the
/// [crate's page](crate) for the rules.
///
/// ```
/// use gatewright_rate_limit::{Key, Quota, RateLimitLayer};
/// use http::{Request, Response};
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // One a second for everybody together. Without a key, each caller has a limit of its own.
/// let orders = ServiceBuilder::new()
///     .layer(RateLimitLayer::new(Quota::per_second(1).burst(2)).key(Key::everything()))
///     .service(service_fn(async |_: Request<()>| Ok::<_, std::convert::Infallible>(Response::new(()))));
///
/// for status in [200, 200, 429] {
///     assert_eq!(orders.clone().oneshot(Request::new(())).await?.status(), status);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "a layer does nothing until it is put around a service"]
pub struct RateLimitLayer {
    quotas: Vec<Quota>,
    consumers: HashMap<Box<str>, Vec<Quota>>,
    name: Box<str>,
    scope: Box<str>,
    key: Key,
    cost: Cost,
    store: Store,
    fields: Fields,
    dry_run: bool,
    counts: Arc<Counters>,
    others: Vec<Self>,
}

/// The service that [`RateLimitLayer`] makes.
pub type RateLimitService<S> = PolicyService<RateLimit, S>;

impl RateLimitLayer {
    /// Limits each caller to this quota: by principal, or by client address where there is none.
    pub fn new(quota: Quota) -> Self {
        Self {
            quotas: vec![quota],
            consumers: HashMap::new(),
            name: Box::default(),
            scope: Box::default(),
            key: Key::principal_or_ip(),
            cost: Cost::Fixed(1),
            store: LocalStore::new().into(),
            fields: Fields::default(),
            dry_run: false,
            counts: Arc::default(),
            others: Vec::new(),
        }
    }

    /// Adds a quota that holds as well, per day beside per second say. A request that one refuses takes nothing from
    /// the others.
    pub fn and(mut self, quota: Quota) -> Self {
        self.quotas.push(quota);
        self
    }

    /// Adds a limit that is another in every way: its key, its cost, its store. A request that one of them refuses takes
    /// nothing from the others; only of what was taken in Redis nothing is given back.
    ///
    /// ```
    /// use gatewright_rate_limit::{Key, Quota, RateLimitLayer};
    ///
    /// // What each caller may, and what the route bears.
    /// let layer = RateLimitLayer::new(Quota::per_second(50))
    ///     .beside(RateLimitLayer::new(Quota::per_second(1000)).key(Key::route()).name("route"));
    /// # let _ = layer;
    /// ```
    pub fn beside(mut self, other: Self) -> Self {
        self.others.push(other);
        self
    }

    /// Sets whose requests are counted together.
    pub fn key(self, key: Key) -> Self {
        Self { key, ..self }
    }

    /// Sets how many units each request takes; one unless said otherwise. A request that takes more than a bucket
    /// can hold is always refused, and one that takes none never.
    pub fn cost(self, units: u32) -> Self {
        Self { cost: Cost::Fixed(units), ..self }
    }

    /// Sets how many units a request takes, by its head.
    pub fn cost_of(self, cost: impl Fn(&request::Parts) -> u32 + Send + Sync + 'static) -> Self {
        Self { cost: Cost::Of(Arc::new(cost)), ..self }
    }

    /// Gives a consumer quotas of its own, by the principal's id, in the place of everybody's. Quotas that the
    /// principal itself carries ([`Principal::quotas`](gatewright_core::Principal::quotas), those of an API key say)
    /// stand above these. Both count only where the key is the principal's.
    pub fn consumer(mut self, id: impl Into<Box<str>>, quotas: impl IntoIterator<Item = Quota>) -> Self {
        let quotas: Vec<_> = quotas.into_iter().collect();
        // None at all would be no limit at all.
        if !quotas.is_empty() {
            self.consumers.insert(id.into(), quotas);
        }
        self
    }

    /// Sets where the buckets are kept. By default a [`LocalStore`] of the layer's own.
    pub fn store(self, store: impl Into<Store>) -> Self {
        Self { store: store.into(), ..self }
    }

    /// Names the limits, for the `RateLimit` fields; unnamed ones are called by their period. Layers that share a
    /// store have buckets of their own when their names differ, or their [scopes](Self::scope).
    pub fn name(self, name: impl Into<Box<str>>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// Sets the buckets apart from those of other layers that share the store, also where their names are the same. It is
    /// not seen in any header.
    pub fn scope(self, scope: impl Into<Box<str>>) -> Self {
        Self { scope: scope.into(), ..self }
    }

    /// Writes the older `X-RateLimit-Limit`, `-Remaining` and `-Reset` (in seconds from now) too, for the limit that
    /// is nearest to its end.
    pub fn legacy_headers(mut self) -> Self {
        self.fields.legacy = true;
        self
    }

    /// Writes no `RateLimit` fields. Refusals still have their `Retry-After`.
    pub fn without_headers(mut self) -> Self {
        self.fields.none = true;
        self
    }

    /// Refuses nobody, and only counts whom it would have refused: in [`counts`](Self::counts), and in the request's
    /// record, where the access log finds it. Responses are not touched.
    pub fn dry_run(self) -> Self {
        Self { dry_run: true, ..self }
    }

    /// What all services of this layer have counted so far.
    pub fn counts(&self) -> Counts {
        self.counts.read()
    }

    /// The policy by itself, for stacks assembled of optional policies.
    pub fn into_policy(self) -> RateLimit {
        let mut settings = Vec::with_capacity(1 + self.others.len());
        self.settings(&mut settings);
        RateLimit(settings.into())
    }

    fn settings(self, all: &mut Vec<Arc<Settings>>) {
        let consumers = self.consumers.into_iter();
        let consumers =
            consumers.map(|(id, quotas)| (id, Arc::new(Limits::new(&self.name, &self.scope, &quotas))));
        all.push(Arc::new(Settings {
            limits: Arc::new(Limits::new(&self.name, &self.scope, &self.quotas)),
            consumers: consumers.collect(),
            own: OwnLimits::new(self.name, self.scope),
            key: self.key,
            cost: self.cost,
            store: self.store,
            fields: self.fields,
            dry_run: self.dry_run,
            counts: self.counts,
        }));
        for other in self.others {
            other.settings(all);
        }
    }
}

impl<S> Layer<S> for RateLimitLayer {
    type Service = RateLimitService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        PolicyLayer::new(self.clone().into_policy()).layer(inner)
    }
}
