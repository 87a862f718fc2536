use std::{any::Any, fmt, sync::Arc};

use http::Extensions;

use crate::{OnUpgrade, upgrade::TunnelLeases};

/// A value that lives as long as the exchange that it was granted to: until the response's body has ended, has failed or
/// is dropped. Where the exchange becomes a tunnel (a WebSocket), the value lives until the tunnel ends.
///
/// A policy gives one in [`Policy::lease`](super::Policy::lease): the permit of a limit, say. Clones share the value, which
/// is dropped with the last of them.
#[derive(Clone)]
#[must_use = "a lease that is dropped ends at once"]
pub struct Lease(#[expect(dead_code, reason = "it is there to be dropped")] Arc<dyn Any + Send + Sync>);

impl Lease {
    /// Leases this value.
    pub fn new(value: impl Send + Sync + 'static) -> Self {
        Self(Arc::new(value))
    }

    /// Joins two leases to one that keeps both values.
    pub(crate) fn and(self, other: Option<Self>) -> Self {
        match other {
            Some(other) => Self::new((self, other)),
            None => self,
        }
    }

    /// Gives the lease to the tunnel that the request asks for, when it asks for one: of our own server, or of hyper's.
    pub(super) fn extend_to_tunnel(&self, request: &mut Extensions) {
        if Self::may_become_tunnel(request) {
            self.lend_to_tunnel(request);
        }
    }

    /// Whether the request asks for a tunnel.
    #[doc(hidden)]
    pub fn may_become_tunnel(request: &Extensions) -> bool {
        request.get::<OnUpgrade>().is_some() || request.get::<hyper::upgrade::OnUpgrade>().is_some()
    }

    /// Gives the lease to the tunnel that the request asks for.
    #[doc(hidden)]
    pub fn lend_to_tunnel(&self, request: &mut Extensions) {
        match request.get::<OnUpgrade>() {
            Some(upgrade) => upgrade.keep(self.clone()),
            None => TunnelLeases::add_to(request, self.clone()),
        }
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").finish_non_exhaustive()
    }
}
