use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use gatewright_core::Principal;
use http::{HeaderName, request::Parts};
use serde_json::Map;

use super::{Authenticator, AuthenticatorFuture};
use crate::{Attempt, Authenticate, Cause, Challenge, Identity, Outcome};

/// Accepts a caller whom all of several authenticators know.
///
/// The principal is that of the first authenticator, with the scopes, limits and claims of all. If two have a claim
/// of the same name, the earlier one counts.
///
/// ```
/// use gatewright_auth::{All, AuthLayer};
/// # use gatewright_auth::{Algorithm, Jwks, Jwt, KeyError};
/// # let device = Jwt::new(Jwks::secret(Algorithm::Hs256, &[7; 32])?).issuer("https://id.example/").audience("api");
/// # let user = device.clone();
///
/// let layer = AuthLayer::new(All::of(device).and(user)).scopes(["orders:write"]);
/// # Ok::<(), KeyError>(())
/// ```
///
/// Customised: a certificate, and a token of either of two issuers.
///
/// ```
/// use gatewright_auth::{All, Any, AuthLayer, Mtls};
/// # use gatewright_auth::{Algorithm, Jwks, Jwt};
/// # let staff = Jwt::new(Jwks::secret(Algorithm::Hs256, &[7; 32])?).issuer("https://id.example/").audience("api");
/// # let partner = staff.clone();
///
/// let devices = Mtls::new().san("spiffe://example.com/device/*")?;
/// let layer = AuthLayer::new(All::of(devices).and(Any::of(staff).or(partner)));
/// # let _ = layer;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct All(Arc<[Authenticator]>);

impl All {
    /// Begins with this authenticator; [`and`](Self::and) adds others.
    pub fn of<A: Authenticate<Future: 'static>>(authenticator: A) -> Self {
        Self(Arc::new([Authenticator::new(authenticator)]))
    }

    /// Adds another authenticator.
    #[must_use]
    pub fn and<A: Authenticate<Future: 'static>>(self, authenticator: A) -> Self {
        self.0.iter().cloned().chain([Authenticator::new(authenticator)]).collect()
    }
}

/// Without any authenticator, nobody is admitted.
impl FromIterator<Authenticator> for All {
    fn from_iter<T: IntoIterator<Item = Authenticator>>(authenticators: T) -> Self {
        Self(authenticators.into_iter().collect())
    }
}

impl Authenticate for All {
    type Future = AllFuture;

    fn name(&self) -> &'static str {
        "all"
    }

    fn authenticate(&self, request: &Parts) -> Attempt<AllFuture> {
        let mut attempts = Vec::with_capacity(self.0.len());
        let mut missing = self.0.is_empty();
        let mut waits = false;
        for member in &*self.0 {
            match member.authenticate(request) {
                Attempt::Now(Outcome::Refused(refusal)) => return Attempt::Now(refusal.into()),
                Attempt::Now(Outcome::NoCredential) => missing = true,
                Attempt::Now(outcome) => attempts.push(Part::Known(outcome)),
                Attempt::Later(attempt) => {
                    waits = true;
                    attempts.push(Part::Waiting(attempt));
                }
            }
        }
        if missing {
            Attempt::Now(Outcome::NoCredential)
        } else if waits {
            Attempt::Later(AllFuture { attempts })
        } else {
            Attempt::Now(merge(attempts))
        }
    }

    fn challenges(&self, cause: Cause<'_>) -> Vec<Challenge> {
        self.0.iter().flat_map(|member| member.challenges(cause)).collect()
    }

    fn remove_credentials(&self, request: &mut Parts) {
        for member in &*self.0 {
            member.remove_credentials(request);
        }
    }

    fn credential_names(&self) -> Vec<HeaderName> {
        self.0.iter().flat_map(Authenticate::credential_names).collect()
    }

    fn header_names(&self) -> Vec<HeaderName> {
        self.0.iter().flat_map(Authenticate::header_names).collect()
    }
}

/// The future of [`All`].
pub struct AllFuture {
    attempts: Vec<Part>,
}

enum Part {
    Known(Outcome),
    Waiting(AuthenticatorFuture),
}

impl Future for AllFuture {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        let mut waits = false;
        for part in &mut self.attempts {
            let Part::Waiting(attempt) = part else { continue };
            match Pin::new(attempt).poll(cx) {
                Poll::Pending => waits = true,
                Poll::Ready(outcome @ (Outcome::Refused(_) | Outcome::NoCredential)) => {
                    return Poll::Ready(outcome);
                }
                Poll::Ready(outcome) => *part = Part::Known(outcome),
            }
        }
        if waits { Poll::Pending } else { Poll::Ready(merge(std::mem::take(&mut self.attempts))) }
    }
}

/// Merges the identities of all authenticators. None of them has refused.
fn merge(attempts: Vec<Part>) -> Outcome {
    let mut identities = attempts.into_iter().filter_map(|part| match part {
        Part::Known(Outcome::Authenticated(identity)) => Some(identity),
        _ => None,
    });
    let Some(first) = identities.next() else { return Outcome::Anonymous };
    identities.fold(first, join).into()
}

fn join(first: Identity, second: Identity) -> Identity {
    let (one, other) = (first.principal(), second.principal());
    let mut claims = Map::new();
    for (name, value) in other.claims().chain(one.claims()) {
        claims.insert(name.to_owned(), value.clone());
    }
    let mut scopes: Vec<&str> = one.scopes().collect();
    scopes.extend(other.scopes().filter(|scope| !one.has_scope(scope)));
    let builder = Principal::builder(one.id(), one.method()).scopes(scopes).claims(claims);
    let builder = match one.credential() {
        Some(credential) => builder.credential(credential),
        None => builder,
    };
    let quotas = one.quotas().iter().chain(other.quotas());
    let principal = quotas.fold(builder, |builder, quota| builder.quota(*quota)).build();
    let headers = first.header_fields().iter().chain(second.header_fields()).cloned();
    Identity::new(principal).headers(headers)
}

impl fmt::Debug for All {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("All").field(&self.0).finish()
    }
}

impl fmt::Debug for AllFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AllFuture").finish_non_exhaustive()
    }
}
