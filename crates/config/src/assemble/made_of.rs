//! What the stack of a route is made of, by which a reload knows it again.

use std::sync::Arc;

use super::{auth::RouteAuth, limits::Limit, upstreams::Shared};
use crate::settings::{self, Forwarding};

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
