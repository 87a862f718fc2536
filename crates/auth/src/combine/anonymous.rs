use http::request::Parts;

use crate::{Attempt, Authenticate, Cause, Challenge, Immediate, Outcome};

/// Asks for nothing, and says so in the code. In an [`Any`](crate::Any), it admits requests without a credential,
/// but not those with a bad one.
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
/// Customised: an [`Any`](crate::Any) that admits requests without a credential.
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
