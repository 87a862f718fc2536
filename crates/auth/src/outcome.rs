//! The outcome of an authentication: an identity or a refusal.

use std::{borrow::Cow, fmt, sync::Arc};

use gatewright_core::Principal;
use http::{HeaderName, HeaderValue};

use crate::Challenge;

/// The outcome of an authentication.
#[derive(Debug)]
#[allow(
    clippy::exhaustive_enums,
    reason = "an authenticator of another crate returns one of these, and a layer handles them all"
)]
pub enum Outcome {
    /// The caller is known.
    Authenticated(Identity),
    /// The caller need not be known: the request goes on without a principal.
    Anonymous,
    /// The request has no credential of this kind.
    NoCredential,
    /// The request has a credential that is bad, or that cannot be judged now.
    Refused(Refusal),
}

impl From<Principal> for Outcome {
    fn from(principal: Principal) -> Self {
        Self::Authenticated(principal.into())
    }
}

impl From<Identity> for Outcome {
    fn from(identity: Identity) -> Self {
        Self::Authenticated(identity)
    }
}

impl From<Refusal> for Outcome {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// The caller, and the header fields that tell the service about it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Identity {
    principal: Principal,
    headers: Headers,
}

/// The headers of one verified credential. All requests with that credential share them.
pub(crate) type Headers = Option<Arc<[(HeaderName, HeaderValue)]>>;

impl Identity {
    /// This principal, without header fields for the service.
    pub fn new(principal: Principal) -> Self {
        Self { principal, headers: None }
    }

    /// Adds header fields for the service. They replace the client's fields with these names.
    #[must_use]
    pub fn headers(mut self, headers: impl IntoIterator<Item = (HeaderName, HeaderValue)>) -> Self {
        let before = self.headers.iter().flat_map(|headers| headers.iter().cloned());
        let headers: Vec<_> = before.chain(headers).collect();
        self.headers = (!headers.is_empty()).then(|| headers.into());
        self
    }

    /// The caller.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The header fields for the service.
    pub fn header_fields(&self) -> &[(HeaderName, HeaderValue)] {
        self.headers.as_deref().unwrap_or_default()
    }

    pub(crate) fn into_parts(self) -> (Principal, Headers) {
        (self.principal, self.headers)
    }
}

impl From<Principal> for Identity {
    fn from(principal: Principal) -> Self {
        Self::new(principal)
    }
}

/// Why a credential does not admit its holder. Only the operator sees the reason.
#[derive(Debug)]
pub struct Refusal {
    kind: RefusalKind,
    reason: Cow<'static, str>,
    // Set by a combination of authenticators, if its challenges are not those of each member by itself.
    challenges: Option<Vec<Challenge>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RefusalKind {
    Invalid,
    Forbidden,
    Unavailable,
}

impl Refusal {
    fn new(kind: RefusalKind, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, reason: reason.into(), challenges: None }
    }

    /// The credential is bad: 401. The reason is a short stable word for logs and metrics.
    pub fn invalid(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::new(RefusalKind::Invalid, reason)
    }

    /// The credential is good, but its holder may not do this: 403.
    pub fn forbidden(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::new(RefusalKind::Forbidden, reason)
    }

    /// The credential cannot be judged now: 503.
    pub fn unavailable(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::new(RefusalKind::Unavailable, reason)
    }

    /// The reason, as a short stable word.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    pub(crate) fn kind(&self) -> RefusalKind {
        self.kind
    }

    pub(crate) fn with_challenges(mut self, challenges: Vec<Challenge>) -> Self {
        self.challenges = Some(challenges);
        self
    }

    pub(crate) fn into_parts(self) -> (RefusalKind, Cow<'static, str>, Option<Vec<Challenge>>) {
        (self.kind, self.reason, self.challenges)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}
