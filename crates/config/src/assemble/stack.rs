use std::{collections::HashMap, sync::Arc};

use gatewright_auth::{Auth, Authenticator};
use gatewright_core::{Body, PolicyLayer, PolicyService};
use gatewright_guard::IpFilter;
use gatewright_proxy::ProxyService;
use gatewright_rate_limit::{ConcurrencyLimitLayer, ConcurrencyLimitService, RateLimit};
use gatewright_rewrite::Rewrite;
use gatewright_router::{Route, RouterBuilder};
use tower_layer::Layer;

use super::{Changes, auth::RouteAuth, limits::Limit, nowhere::Nowhere, upstreams::Shared};
use crate::settings::{self, Forwarding};

/// The layers of one route, ready to be called.
#[derive(Clone)]
pub(super) enum Stack {
    /// With nothing around it, as most routes are: their requests are not moved through what does nothing.
    Proxy(ProxyService),
    Forward(Forward),
    Redirect(Redirect),
    /// The same behind guards.
    GuardedForward(Guarded<Forward>),
    GuardedRedirect(Guarded<Redirect>),
    BoundedForward(Guarded<ConcurrencyLimitService<Forward>>),
    BoundedRedirect(Guarded<ConcurrencyLimitService<Redirect>>),
    /// In the place of one that could not be built.
    Nowhere(Nowhere),
}

/// The rewrite stands next to the proxy, so that all before it see the request as the client sent it.
pub(super) type Forward = PolicyService<Option<Rewrite>, ProxyService>;
pub(super) type Redirect = PolicyService<Rewrite, Nowhere>;

/// Outermost first, the cheap before the dear: addresses, limits that need not know who calls, who calls, limits by that.
pub(super) type Guarded<S> = PolicyService<
    Option<IpFilter>,
    PolicyService<
        Option<RateLimit>,
        PolicyService<Option<Auth<Authenticator>>, PolicyService<Option<RateLimit>, S>>,
    >,
>;

/// What stands around a route.
#[derive(Default)]
pub(super) struct Guards {
    pub(super) addresses: Option<IpFilter>,
    pub(super) before_auth: Option<RateLimit>,
    pub(super) auth: Option<Auth<Authenticator>>,
    pub(super) after_auth: Option<RateLimit>,
    /// Innermost, so that only those count as under way that nothing else has refused.
    pub(super) concurrency: Option<ConcurrencyLimitLayer>,
}

impl Guards {
    fn is_none(&self) -> bool {
        self.addresses.is_none()
            && self.before_auth.is_none()
            && self.auth.is_none()
            && self.after_auth.is_none()
    }

    fn around<S>(self, inner: S) -> Guarded<S> {
        let inner = PolicyLayer::new(self.after_auth).layer(inner);
        let inner = PolicyLayer::new(self.auth).layer(inner);
        let inner = PolicyLayer::new(self.before_auth).layer(inner);
        PolicyLayer::new(self.addresses).layer(inner)
    }
}

impl Stack {
    pub(super) fn forward(rewrite: Option<Rewrite>, proxy: ProxyService, guards: Guards) -> Self {
        if rewrite.is_none() && guards.is_none() && guards.concurrency.is_none() {
            return Self::Proxy(proxy);
        }
        let service = PolicyLayer::new(rewrite).layer(proxy);
        match guards.concurrency.clone() {
            Some(limit) => Self::BoundedForward(guards.around(limit.layer(service))),
            None if guards.is_none() => Self::Forward(service),
            None => Self::GuardedForward(guards.around(service)),
        }
    }

    pub(super) fn redirect(service: Redirect, guards: Guards) -> Self {
        match guards.concurrency.clone() {
            Some(limit) => Self::BoundedRedirect(guards.around(limit.layer(service))),
            None if guards.is_none() => Self::Redirect(service),
            None => Self::GuardedRedirect(guards.around(service)),
        }
    }

    /// Makes a route of it.
    pub(super) fn add_to(self, router: RouterBuilder<Body>, route: Route) -> RouterBuilder<Body> {
        match self {
            Self::Proxy(service) => router.route(route, service),
            Self::Forward(service) => router.route(route, service),
            Self::Redirect(service) => router.route(route, service),
            Self::GuardedForward(service) => router.route(route, service),
            Self::GuardedRedirect(service) => router.route(route, service),
            Self::BoundedForward(service) => router.route(route, service),
            Self::BoundedRedirect(service) => router.route(route, service),
            Self::Nowhere(service) => router.route(route, service),
        }
    }
}

/// All that a stack was made of. No two routes of a file have the same: they would be in conflict.
#[derive(PartialEq, Eq, Hash)]
pub(super) struct MadeOf {
    pub(super) route: Arc<settings::Route>,
    /// With the file's defaults.
    pub(super) forwarding: Forwarding,
    /// `None` when that was reported.
    pub(super) auth: Option<RouteAuth>,
    pub(super) guards: settings::Guards,
    pub(super) limits: Vec<Limit>,
    /// `None` for a redirect, and for an upstream that could not be built.
    pub(super) upstream: Option<Shared>,
}

/// The stacks of all routes. The next configuration takes over those whose routes it has too.
#[derive(Default)]
pub(super) struct Stacks {
    built: HashMap<MadeOf, Stack>,
    taken_over: usize,
}

impl Stacks {
    /// The stack of a route: that of `before` when it was made of the same, or else one that is built now.
    pub(super) fn add(
        &mut self,
        made_of: MadeOf,
        before: Option<&Self>,
        build: impl FnOnce(&MadeOf) -> Stack,
    ) -> Stack {
        let known = before.and_then(|before| before.built.get(&made_of)).cloned();
        self.taken_over += usize::from(known.is_some());
        let stack = known.unwrap_or_else(|| build(&made_of));
        self.built.insert(made_of, stack.clone());
        stack
    }

    /// What has become of those of `before`.
    pub(super) fn changes(&self, before: &Self) -> Changes {
        Changes::new(before.built.len(), self.taken_over, self.built.len())
    }
}
