use std::{fmt, sync::Arc};

use tower_layer::Layer;

use super::{Policy, PolicyService};

/// Puts a [`Policy`] around a service.
pub struct PolicyLayer<P> {
    policy: Arc<P>,
}

impl<P: Policy> PolicyLayer<P> {
    /// A layer of this policy. All services that it makes, and their clones, share the policy's state.
    pub fn new(policy: P) -> Self {
        Self { policy: Arc::new(policy) }
    }
}

impl<P, S> Layer<S> for PolicyLayer<P> {
    type Service = PolicyService<P, S>;

    fn layer(&self, inner: S) -> Self::Service {
        PolicyService::new(Arc::clone(&self.policy), inner)
    }
}

impl<P> Clone for PolicyLayer<P> {
    fn clone(&self) -> Self {
        Self { policy: Arc::clone(&self.policy) }
    }
}

impl<P: Policy> fmt::Debug for PolicyLayer<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PolicyLayer").field(&self.policy.name()).finish()
    }
}
