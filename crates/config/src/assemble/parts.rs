//! All that a configuration is built into, save its access log.

use super::{
    Assembly,
    listeners::{self, BuiltListener},
    routes::{self, Routes},
    shared::Shared,
};
use crate::{read::Reader, settings::Settings};

pub(super) struct Parts {
    pub(super) listeners: Vec<BuiltListener>,
    pub(super) shared: Shared,
    pub(super) routes: Routes,
}

impl Parts {
    /// Builds what settings say, with what `before` has of it already. What is wrong is reported; there are no parts
    /// when no router can be made of the routes.
    pub(super) fn build(
        settings: &Settings,
        before: Option<&Self>,
        assembly: &Assembly,
        reader: &mut Reader<'_>,
    ) -> Option<Self> {
        let listeners_before = before.map(|before| &*before.listeners).unwrap_or_default();
        let listeners = listeners::build(&settings.listeners, listeners_before, reader);
        let mut shared = Shared::following(before.map(|before| &before.shared), assembly.time());
        shared.build(settings, reader);
        let stacks = before.map(|before| &before.routes.stacks);
        let routes = routes::build(settings, &mut shared, stacks, assembly, reader)?;
        shared.settle();
        Some(Self { listeners, shared, routes })
    }
}
