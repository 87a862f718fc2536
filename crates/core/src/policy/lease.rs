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
        if let Some(upgrade) = request.get::<OnUpgrade>() {
            upgrade.keep(self.clone());
        } else if request.get::<hyper::upgrade::OnUpgrade>().is_some() {
            TunnelLeases::add_to(request, self.clone());
        }
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").finish_non_exhaustive()
    }
}
