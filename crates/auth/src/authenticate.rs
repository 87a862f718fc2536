//! The trait of everything that can say who calls.

use std::future::Future;

use gatewright_core::Principal;
use http::{HeaderName, request::Parts};

use crate::{Cause, Challenge, Identity, Outcome, Refusal};

/// Says who calls, from the head of a request.
///
/// [`Jwt`](crate::Jwt), [`ApiKeys`](crate::ApiKeys) and the others of this crate implement it, and a program's own
/// may; [`AuthLayer`](crate::AuthLayer) makes a layer of any of them, [`Any`](crate::Any) and [`All`](crate::All)
/// combine them.
///
/// The contract:
///
/// 1. [`authenticate`](Self::authenticate) looks at the request and changes nothing. It never blocks: what takes long
///    (a password's hash, a question to another service) goes into [`Attempt::Later`], off the async threads where it
///    needs a processor.
/// 2. A request without this kind of credential is [`Outcome::NoCredential`], so that another authenticator of an
///    `Any` may find its own. A credential that is there and not good, or is there twice, is [`Outcome::Refused`],
///    never `NoCredential`.
/// 3. What cannot be decided, because something that has to be asked is away, is [`Refusal::unavailable`]. Nothing is
///    ever admitted for want of an answer.
/// 4. Reasons are short, stable words in `snake_case` (`jwt_expired`, `unknown_key`). They reach the log and the
///    metrics, never the client, and hold nothing of the credential.
/// 5. [`remove_credentials`](Self::remove_credentials) is called for each request that is admitted, on every
///    authenticator of the layer, whichever of them it was that admitted it: a key that nobody had to look at is still
///    not for the service. What clients sent in the fields of [`header_names`](Self::header_names) is removed too. Only
///    then are the header fields of the [`Identity`](crate::Identity) set.
/// 6. A panic is a bug, not a refusal.
///
/// [How to write one](https://github.com/gatewright/gatewright/blob/main/docs/guide/write-an-authenticator.md) is a guide of its own.
///
/// A builder is no authenticator yet, and the compiler says what it lacks:
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
    label = "this cannot say who calls",
    note = "a builder (`ApiKeysBuilder`, `BasicBuilder`, `IntrospectionBuilder`) becomes one by `.build()?`",
    note = "a `Jwt` becomes one by `.issuer(…)` and `.audience(…)`, or by what says that it needs none"
)]
pub trait Authenticate: Send + Sync + 'static {
    /// An attempt that has to wait; [`Immediate`] for an authenticator that never does.
    type Future: Future<Output = Outcome> + Send;

    /// Its name in logs, in `snake_case`: `jwt`, `api_key`, `mtls`, `basic`.
    fn name(&self) -> &'static str;

    /// Looks who calls.
    fn authenticate(&self, request: &Parts) -> Attempt<Self::Future>;

    /// How a client may show who it is: the `WWW-Authenticate` of a refusal (RFC 9110, section 11.6.1). Empty when
    /// there is no scheme for it, as with client certificates; a refusal without any challenge is a 403.
    fn challenges(&self, cause: Cause<'_>) -> Vec<Challenge>;

    /// Takes its credentials out of a request that is about to go on.
    fn remove_credentials(&self, request: &mut Parts) {
        let _ = request;
    }

    /// The header fields in which it looks for credentials. A layer asks once, and takes these fields out of the trailers of
    /// every request that goes on: [`remove_credentials`](Self::remove_credentials) sees no more than the head.
    /// `Authorization` and `Cookie` need not be named, for no trailer has them.
    fn credential_names(&self) -> Vec<HeaderName> {
        Vec::new()
    }

    /// The header fields in which it alone tells the service who calls. A layer asks once, and removes these fields of
    /// clients from every request that goes on, under every alias (`X_User_Id`), in trailers too, whether or not there
    /// is something to tell in them.
    fn header_names(&self) -> Vec<HeaderName> {
        Vec::new()
    }
}

/// What has become of looking who calls.
#[derive(Debug)]
#[allow(clippy::exhaustive_enums, reason = "an answer is there, or it is not yet")]
pub enum Attempt<F = Immediate> {
    /// The outcome is there. This costs no allocation.
    Now(Outcome),
    /// The outcome waits for something.
    Later(F),
}

impl<F> Attempt<F> {
    /// The attempt with its future made another, as a combination of authenticators does.
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
