//! All that a configuration is built into, save its access log.

use gatewright_core::Body;
use gatewright_router::RouterService;

use super::{
    auth::Authenticators,
    limits::Limits,
    listeners::{self, BuiltListener},
    lists::Lists,
    routes,
    stack::Stacks,
    upstreams::Upstreams,
};
use crate::{read::Reader, settings::Settings};

pub(super) struct Parts {
    pub(super) listeners: Vec<BuiltListener>,
    pub(super) upstreams: Upstreams,
    pub(super) auth: Authenticators,
    pub(super) limits: Limits,
    pub(super) lists: Lists,
    pub(super) stacks: Stacks,
    pub(super) router: RouterService<Body>,
}

/// What the stacks of several routes may have in common.
pub(super) struct Shared {
    pub(super) upstreams: Upstreams,
    pub(super) auth: Authenticators,
    pub(super) limits: Limits,
    pub(super) lists: Lists,
}

impl Parts {
    /// Builds what settings say, with what `before` has of it already. What is wrong is reported; there are no parts
    /// when no router can be made of the routes.
    pub(super) fn build(settings: &Settings, before: Option<&Self>, reader: &mut Reader<'_>) -> Option<Self> {
        let listeners_before = before.map(|before| &*before.listeners).unwrap_or_default();
        let listeners = listeners::build(&settings.listeners, listeners_before, reader);
        let mut upstreams = Upstreams::following(before.map(|before| &before.upstreams));
        upstreams.build(&settings.upstreams, &settings.defaults, reader);
        let mut auth = Authenticators::following(before.map(|before| &before.auth));
        auth.build(settings.auth.as_deref(), &settings.listeners, reader);
        let mut limits = Limits::following(before.map(|before| &before.limits));
        limits.build(&settings.limits, reader);
        let lists = Lists::following(before.map(|before| &before.lists));
        let stacks = before.map(|before| &before.stacks);
        let mut shared = Shared { upstreams, auth, limits, lists };
        let (router, stacks) = routes::build(settings, &mut shared, stacks, reader)?;
        let Shared { mut upstreams, mut auth, mut limits, mut lists } = shared;
        upstreams.settle();
        auth.settle();
        limits.settle();
        lists.settle();
        Some(Self { listeners, upstreams, auth, limits, lists, stacks, router })
    }
}
