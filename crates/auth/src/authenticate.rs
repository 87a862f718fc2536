//! The trait of all authenticators.

use std::future::Future;

use gatewright_core::Principal;
use http::{HeaderName, request::Parts};

use crate::{Cause, Challenge, Identity, Outcome, Refusal};

/// Finds out who calls from the head of a request.
///
/// [`Jwt`](crate::Jwt), [`ApiKeys`](crate::ApiKeys) and the other authenticators of this crate implement it, and so
/// can your own. [`AuthLayer`](crate::AuthLayer) makes a layer of any of them; [`Any`](crate::Any) and
/// [`All`](crate::All) combine them.
///
/// The contract:
///
/// 1. [`authenticate`](Self::authenticate) reads the request and changes nothing. It never blocks. Slow work (a
///    password's hash, a question to another service) goes into [`Attempt::Later`]; work that needs a processor
///    runs outside the async threads.
/// 2. A request without this kind of credential is [`Outcome::NoCredential`], so that another authenticator of an
///    `Any` may find its own. A bad or duplicate credential is [`Outcome::Refused`], never `NoCredential`.
/// 3. If a decision needs a service that is away, the outcome is [`Refusal::unavailable`]. No request is admitted
///    because an answer is missing.
/// 4. Reasons are short, stable words in `snake_case` (`jwt_expired`, `unknown_key`). They reach the log and the
///    metrics, never the client. They contain nothing of the credential.
/// 5. [`remove_credentials`](Self::remove_credentials) is called for each admitted request, on every authenticator
///    of the layer, whichever of them admitted the request: a key that nobody had to look at is still not for the
///    service. Then the client's fields with the names of [`header_names`](Self::header_names) are removed. Only
///    then are the header fields of the [`Identity`](crate::Identity) set.
/// 6. A panic is a bug, not a refusal.
///
/// [A guide](https://github.com/gatewright/gatewright/blob/main/docs/guide/write-an-authenticator.md) shows how to
/// write an authenticator.
///
/// A builder is not an authenticator, and the compiler says which call is missing:
///
/// ```compile_fail,E0277
/// use gatewright_auth::{ApiKeys, AuthLayer};
///
/// let layer = AuthLayer::new(ApiKeys::from_file("keys.yaml"));
/// ```
///
/// [`Refusal::unavailable`]: crate::Refusal::unavailable
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no authenticator",
    label = "this type does not implement `Authenticate`",
    note = "a builder (`ApiKeysBuilder`, `BasicBuilder`, `IntrospectionBuilder`) becomes one by `.build()?`",
    note = "a `Jwt` becomes one by `.issuer(…)` and `.audience(…)`, or by `.any_issuer()` and `.any_audience()`"
)]
pub trait Authenticate: Send + Sync + 'static {
    /// The future of an attempt that has to wait; [`Immediate`] if attempts never wait.
    type Future: Future<Output = Outcome> + Send;

    /// The name in logs, in `snake_case`: `jwt`, `api_key`, `mtls`, `basic`.
    fn name(&self) -> &'static str;

    /// Finds out who calls.
    fn authenticate(&self, request: &Parts) -> Attempt<Self::Future>;

    /// The challenges of a refusal, for `WWW-Authenticate` (RFC 9110, section 11.6.1). Empty if no scheme exists,
    /// as with client certificates; a refusal without any challenge is a 403.
    fn challenges(&self, cause: Cause<'_>) -> Vec<Challenge>;

    /// Takes this authenticator's credentials out of an admitted request.
    fn remove_credentials(&self, request: &mut Parts) {
        let _ = request;
    }

    /// The header fields in which it looks for credentials. A layer asks once, and removes these fields from the
    /// trailers of every admitted request, because [`remove_credentials`](Self::remove_credentials) sees the head
    /// only. `Authorization` and `Cookie` need not be named: trailers never carry them.
    fn credential_names(&self) -> Vec<HeaderName> {
        Vec::new()
    }

    /// The header fields that only this authenticator may set for the service. A layer asks once. It removes the
    /// client's fields with these names from every admitted request, under every alias (`X_User_Id`) and in
    /// trailers too, even if the authenticator sets none of them for that request.
    fn header_names(&self) -> Vec<HeaderName> {
        Vec::new()
    }
}

/// The result of asking an authenticator.
#[derive(Debug)]
#[allow(clippy::exhaustive_enums, reason = "an answer is there, or it is not yet")]
pub enum Attempt<F = Immediate> {
    /// The outcome is known. This costs no allocation.
    Now(Outcome),
    /// The outcome is not known yet.
    Later(F),
}

impl<F> Attempt<F> {
    /// Maps the future of an attempt that has to wait.
    pub(crate) fn map_later<T>(self, map: impl FnOnce(F) -> T) -> Attempt<T> {
        match self {
            Self::Now(outcome) => Attempt::Now(outcome),
            Self::Later(future) => Attempt::Later(map(future)),
        }
    }
}

impl<F> From<Outcome> for Attempt<F> {
    fn from(outcome: Outcome) -> Self {
        Self::Now(outcome)
    }
}

impl<F> From<Principal> for Attempt<F> {
    fn from(principal: Principal) -> Self {
        Self::Now(principal.into())
    }
}

impl<F> From<Identity> for Attempt<F> {
    fn from(identity: Identity) -> Self {
        Self::Now(identity.into())
    }
}

impl<F> From<Refusal> for Attempt<F> {
    fn from(refusal: Refusal) -> Self {
        Self::Now(refusal.into())
    }
}

/// The future of an authenticator that never waits.
pub type Immediate = std::future::Ready<Outcome>;
