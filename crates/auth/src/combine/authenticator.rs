use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{HeaderName, request::Parts};

use crate::{Attempt, Authenticate, Cause, Challenge, Outcome};

/// An authenticator with its type erased. Cheap to clone; clones share the authenticator's state.
///
/// An attempt that has to wait is boxed. An attempt that is decided at once is not.
#[derive(Clone)]
pub struct Authenticator(Arc<dyn Erased>);

/// The future of an [`Authenticator`].
pub struct AuthenticatorFuture(Pin<Box<dyn Future<Output = Outcome> + Send>>);

trait Erased: Send + Sync {
    fn name(&self) -> &'static str;
    fn authenticate(&self, request: &Parts) -> Attempt<AuthenticatorFuture>;
    fn challenges(&self, cause: Cause<'_>) -> Vec<Challenge>;
    fn remove_credentials(&self, request: &mut Parts);
    fn credential_names(&self) -> Vec<HeaderName>;
    fn header_names(&self) -> Vec<HeaderName>;
}

impl<A: Authenticate<Future: 'static>> Erased for A {
    fn name(&self) -> &'static str {
        Authenticate::name(self)
    }

    fn authenticate(&self, request: &Parts) -> Attempt<AuthenticatorFuture> {
        Authenticate::authenticate(self, request).map_later(|future| AuthenticatorFuture(Box::pin(future)))
    }

    fn challenges(&self, cause: Cause<'_>) -> Vec<Challenge> {
        Authenticate::challenges(self, cause)
    }

    fn remove_credentials(&self, request: &mut Parts) {
        Authenticate::remove_credentials(self, request);
    }

    fn credential_names(&self) -> Vec<HeaderName> {
        Authenticate::credential_names(self)
    }

    fn header_names(&self) -> Vec<HeaderName> {
        Authenticate::header_names(self)
    }
}

impl Authenticator {
    /// Erases the authenticator's type.
    pub fn new<A: Authenticate<Future: 'static>>(authenticator: A) -> Self {
        Self(Arc::new(authenticator))
    }
}

impl Authenticate for Authenticator {
    type Future = AuthenticatorFuture;

    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn authenticate(&self, request: &Parts) -> Attempt<AuthenticatorFuture> {
        self.0.authenticate(request)
    }

    fn challenges(&self, cause: Cause<'_>) -> Vec<Challenge> {
        self.0.challenges(cause)
    }

    fn remove_credentials(&self, request: &mut Parts) {
        self.0.remove_credentials(request);
    }

    fn credential_names(&self) -> Vec<HeaderName> {
        self.0.credential_names()
    }

    fn header_names(&self) -> Vec<HeaderName> {
        self.0.header_names()
    }
}

impl Future for AuthenticatorFuture {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Authenticator").field(&self.0.name()).finish()
    }
}

impl fmt::Debug for AuthenticatorFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthenticatorFuture").finish_non_exhaustive()
    }
}
