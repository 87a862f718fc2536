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
