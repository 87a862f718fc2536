use std::{
    collections::VecDeque,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{HeaderName, request::Parts};

use super::{Authenticator, AuthenticatorFuture};
use crate::{Attempt, Authenticate, Cause, Challenge, Outcome, Refusal, outcome::RefusalKind};

/// Accepts a caller whom one of several authenticators knows. The first one in order decides.
///
/// A bad credential does not hide a good one of another kind. Without a good credential, the answer is 503 if one
/// cannot be judged now, or else 401 with the challenges of all authenticators.
///
/// ```
/// use gatewright_auth::{Any, AuthLayer};
/// # use gatewright_auth::{Algorithm, Jwks, Jwt, KeyError};
/// # let app = Jwt::new(Jwks::secret(Algorithm::Hs256, &[7; 32])?).issuer("https://id.example/").audience("api");
/// # let partner = app.clone();
///
/// let layer = AuthLayer::new(Any::of(app).or(partner));
/// # Ok::<(), KeyError>(())
/// ```
///
/// Customised: authenticators from a list, and requests without any credential admitted too.
///
/// ```
/// use gatewright_auth::{Anonymous, Any, AuthLayer, Authenticator, Mtls};
/// # use gatewright_auth::{Algorithm, Jwks, Jwt, KeyError};
/// # let app = Jwt::new(Jwks::secret(Algorithm::Hs256, &[7; 32])?).issuer("https://id.example/").audience("api");
///
/// let listed = [Authenticator::new(app), Authenticator::new(Mtls::new())];
/// let layer = AuthLayer::new(listed.into_iter().collect::<Any>().or(Anonymous::new()));
/// # let _ = layer;
/// # Ok::<(), KeyError>(())
/// ```
#[derive(Clone)]
pub struct Any(Arc<[Authenticator]>);

impl Any {
    /// Begins with this authenticator; [`or`](Self::or) adds others.
    pub fn of<A: Authenticate<Future: 'static>>(authenticator: A) -> Self {
        Self(Arc::new([Authenticator::new(authenticator)]))
    }

    /// Adds another authenticator.
    #[must_use]
    pub fn or<A: Authenticate<Future: 'static>>(self, authenticator: A) -> Self {
        self.0.iter().cloned().chain([Authenticator::new(authenticator)]).collect()
    }
}

/// Without any authenticator, nobody is admitted.
impl FromIterator<Authenticator> for Any {
    fn from_iter<T: IntoIterator<Item = Authenticator>>(authenticators: T) -> Self {
        Self(authenticators.into_iter().collect())
    }
}

impl Authenticate for Any {
    type Future = AnyFuture;

    fn name(&self) -> &'static str {
        "any"
    }

    fn authenticate(&self, request: &Parts) -> Attempt<AnyFuture> {
        let mut failures = Failures::default();
        let mut waiting = VecDeque::new();
        for (index, member) in self.0.iter().enumerate() {
            match member.authenticate(request) {
                Attempt::Later(attempt) => waiting.push_back((index, attempt)),
                Attempt::Now(Outcome::Authenticated(identity)) if waiting.is_empty() => {
                    return Attempt::Now(Outcome::Authenticated(identity));
                }
                // Earlier authenticators are awaited first, so that the same request always has the same caller.
                Attempt::Now(Outcome::Authenticated(identity)) => {
                    let last = Some(Outcome::Authenticated(identity));
                    return Attempt::Later(AnyFuture { members: self.0.clone(), waiting, last, failures });
                }
                Attempt::Now(outcome) => failures.add(index, outcome),
            }
        }
        if waiting.is_empty() {
            Attempt::Now(failures.outcome(&self.0))
        } else {
            Attempt::Later(AnyFuture { members: self.0.clone(), waiting, last: None, failures })
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

/// The future of [`Any`].
pub struct AnyFuture {
    members: Arc<[Authenticator]>,
    waiting: VecDeque<(usize, AuthenticatorFuture)>,
    last: Option<Outcome>,
    failures: Failures,
}

impl Future for AnyFuture {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        while let Some((index, attempt)) = self.waiting.front_mut() {
            let index = *index;
            let outcome = ready!(Pin::new(attempt).poll(cx));
            self.waiting.pop_front();
            match outcome {
                Outcome::Authenticated(identity) => return Poll::Ready(Outcome::Authenticated(identity)),
                outcome => self.failures.add(index, outcome),
            }
        }
        let this = &mut *self;
        Poll::Ready(this.last.take().unwrap_or_else(|| this.failures.outcome(&this.members)))
    }
}

/// The outcomes of the authenticators that have not identified the caller.
#[derive(Debug, Default)]
struct Failures {
    refusals: Vec<(usize, Refusal)>,
    anonymous: bool,
}

impl Failures {
    fn add(&mut self, index: usize, outcome: Outcome) {
        match outcome {
            Outcome::Refused(refusal) => self.refusals.push((index, refusal)),
            Outcome::Anonymous => self.anonymous = true,
            Outcome::NoCredential | Outcome::Authenticated(_) => {}
        }
    }

    fn outcome(&mut self, members: &[Authenticator]) -> Outcome {
        for kind in [RefusalKind::Unavailable, RefusalKind::Invalid, RefusalKind::Forbidden] {
            if let Some(index) = self.refusals.iter().position(|(_, refusal)| refusal.kind() == kind) {
                let challenges = self.challenges(members);
                return self.refusals.swap_remove(index).1.with_challenges(challenges).into();
            }
        }
        if self.anonymous { Outcome::Anonymous } else { Outcome::NoCredential }
    }

    /// The challenges of all authenticators. Only those with a bad credential name an error.
    fn challenges(&self, members: &[Authenticator]) -> Vec<Challenge> {
        let is_refused = |index| self.refusals.iter().any(|(refused, _)| *refused == index);
        let cause = |index| if is_refused(index) { Cause::Refused } else { Cause::NoCredential };
        members.iter().enumerate().flat_map(|(index, member)| member.challenges(cause(index))).collect()
    }
}

impl fmt::Debug for Any {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Any").field(&self.0).finish()
    }
}

impl fmt::Debug for AnyFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyFuture").finish_non_exhaustive()
    }
}
