use http::request::Parts;

use crate::{Attempt, Authenticate, Cause, Challenge, Immediate, Outcome};

/// Asks for nothing: `none`, written out. In an [`Any`](crate::Any) it lets those in who show no credential, and not
/// those who show a bad one.
///
/// # Example
///
/// ```
/// use gatewright_auth::AuthLayer;
///
/// let layer = AuthLayer::none();
/// # let _ = layer;
/// ```
///
/// Customised: in an [`Any`](crate::Any), where it lets in who shows nothing.
///
/// ```
/// use gatewright_auth::{Anonymous, Any, AuthLayer, Mtls};
///
/// let layer = AuthLayer::new(Any::of(Mtls::new()).or(Anonymous::new()));
/// # let _ = layer;
/// ```
#[derive(Debug, Clone, Default)]
pub struct Anonymous(());

impl Anonymous {
    /// Asks for nothing.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Authenticate for Anonymous {
    type Future = Immediate;

    fn name(&self) -> &'static str {
        "none"
    }

    fn authenticate(&self, _request: &Parts) -> Attempt {
        Attempt::Now(Outcome::Anonymous)
    }

    fn challenges(&self, _cause: Cause<'_>) -> Vec<Challenge> {
        Vec::new()
    }
}
