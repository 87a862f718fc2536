//! What the stacks of several routes may have in common.

use gatewright_core::Clock;

use super::{auth::Authenticators, limits::Limits, lists::Lists, upstreams::Upstreams};
use crate::{read::Reader, settings::Settings};

pub(super) struct Shared {
    pub(super) upstreams: Upstreams,
    pub(super) auth: Authenticators,
    pub(super) limits: Limits,
    pub(super) lists: Lists,
}

impl Shared {
    /// Replaces these; nothing has been built yet.
    pub(super) fn following(before: Option<&Self>, clock: &Clock) -> Self {
        Self {
            upstreams: Upstreams::following(before.map(|before| &before.upstreams)),
            auth: Authenticators::following(before.map(|before| &before.auth), clock),
            limits: Limits::following(before.map(|before| &before.limits), clock),
            lists: Lists::following(before.map(|before| &before.lists)),
        }
    }

    /// Builds all that the file names apart from its routes.
    pub(super) fn build(&mut self, settings: &Settings, reader: &mut Reader<'_>) {
        self.upstreams.build(&settings.upstreams, &settings.defaults, reader);
        self.auth.build(settings.auth.as_deref(), &settings.listeners, reader);
        self.limits.build(&settings.limits, reader);
    }

    /// Forgets what no route uses any longer.
    pub(super) fn settle(&mut self) {
        self.upstreams.settle();
        self.auth.settle();
        self.limits.settle();
        self.lists.settle();
    }
}
