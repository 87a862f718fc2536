use http::request::Parts;

use crate::{Attempt, Authenticate, Cause, Challenge, Immediate, Outcome};

/// Asks for nothing: `none`, written out. In an [`Any`](crate::Any) it lets those in who show no credential, and not
/// those who show a bad one.
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
