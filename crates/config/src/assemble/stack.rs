use std::{collections::HashMap, sync::Arc};

use gatewright_core::{Body, PolicyService};
use gatewright_proxy::ProxyService;
use gatewright_rewrite::Rewrite;
use gatewright_router::{Route, RouterBuilder};

use super::{Changes, nowhere::Nowhere, upstreams::Shared};
use crate::settings::{self, Forwarding};

/// The layers of one route, ready to be called.
#[derive(Clone)]
pub(super) enum Stack {
    Forward(PolicyService<Option<Rewrite>, ProxyService>),
    Redirect(PolicyService<Rewrite, Nowhere>),
    /// In the place of one that could not be built.
    Nowhere(Nowhere),
}

impl Stack {
    /// Makes a route of it.
    pub(super) fn add_to(self, router: RouterBuilder<Body>, route: Route) -> RouterBuilder<Body> {
        match self {
            Self::Forward(service) => router.route(route, service),
            Self::Redirect(service) => router.route(route, service),
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
    /// `None` for a redirect, and for an upstream that could not be built.
    pub(super) upstream: Option<Shared>,
}

/// The stacks of all routes. The next configuration takes over those whose routes it has too.
#[derive(Default)]
pub(super) struct Stacks(HashMap<MadeOf, Stack>);

impl Stacks {
    pub(super) fn get(&self, made_of: &MadeOf) -> Option<Stack> {
        self.0.get(made_of).cloned()
    }

    pub(super) fn insert(&mut self, made_of: MadeOf, stack: Stack) {
        self.0.insert(made_of, stack);
    }

    /// What is different from these in `after`.
    pub(super) fn changes(&self, after: &Self) -> Changes {
        let kept = self.0.keys().filter(|made_of| after.0.contains_key(*made_of)).count();
        Changes::new(self.0.len(), kept, after.0.len())
    }
}
