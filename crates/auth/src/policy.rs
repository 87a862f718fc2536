//! Authentication as a policy: finds the caller, checks it against the requirements of the route, and records it.

use std::{
    fmt,
    future::Future,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use gatewright_core::{Decision, Policy, Principal, Rejection, RequestRecord, TakeReady, claims, hop_by_hop};
use http::{HeaderName, HeaderValue, StatusCode, header::WWW_AUTHENTICATE, request::Parts};
use pin_project_lite::pin_project;

use crate::{
    Attempt, Authenticate, Cause, Challenge, Identity, Outcome, Refusal, fields, outcome::RefusalKind,
    requirements::Requirements,
};

/// The policy's name in logs and metrics.
const POLICY: &str = "auth";

/// The policy of [`AuthLayer`](crate::AuthLayer), for stacks that are assembled from optional policies.
pub struct Auth<A> {
    shared: Arc<Shared<A>>,
}

struct Shared<A> {
    authenticator: Arc<A>,
    requirements: Requirements,
    /// Fields that clients may not set.
    reserved: Arc<[HeaderName]>,
    /// The reserved fields, and the fields in which callers send credentials.
    not_in_trailers: Arc<[HeaderName]>,
}

/// The caller of an admitted request, if it is known.
#[derive(Debug)]
pub struct Admission(Option<Identity>);

impl<A: Authenticate> Auth<A> {
    pub(crate) fn new(authenticator: Arc<A>, requirements: Requirements, reserved: &[HeaderName]) -> Self {
        let distinct = |names: Vec<HeaderName>, more: &[HeaderName]| {
            more.iter().fold(names, |mut names, name| {
                if !names.contains(name) {
                    names.push(name.clone());
                }
                names
            })
        };
        let reserved = distinct(authenticator.header_names(), reserved);
        let not_in_trailers = distinct(reserved.clone(), &authenticator.credential_names()).into();
        let reserved = reserved.into();
        Self { shared: Arc::new(Shared { authenticator, requirements, reserved, not_in_trailers }) }
    }
}

impl<A: Authenticate> Policy for Auth<A> {
    type Grant = Admission;
    type Future = AuthFuture<A>;

    fn name(&self) -> &'static str {
        POLICY
    }

    fn decide(&self, request: &mut Parts) -> Decision<Admission, AuthFuture<A>> {
        forget_principal(request);
        let attempt = self.shared.authenticator.authenticate(request);
        let record = RequestRecord::of(&request.extensions);
        match attempt {
            Attempt::Later(attempt) => {
                let (shared, record) = (Arc::clone(&self.shared), record.cloned());
                Decision::Later(AuthFuture { attempt, shared, record })
            }
            Attempt::Now(outcome) => match self.shared.judge(outcome, record) {
                Ok(admission) => Decision::Allow(admission),
                Err(rejection) => Decision::Refuse(rejection),
            },
        }
    }

    fn granted(&self, Admission(identity): &mut Admission, request: &mut Parts) {
        self.shared.authenticator.remove_credentials(request);
        for name in &*self.shared.reserved {
            fields::remove(&mut request.headers, name);
        }
        let (principal, headers) = identity.take().map(Identity::into_parts).unzip();
        let headers = headers.flatten();
        remember(principal, &self.shared.not_in_trailers, headers.is_some(), request);
        if let Some(headers) = headers {
            fields::set(&mut request.headers, &headers);
        }
    }
}

/// Forgets a principal that an outer layer or a client has set.
fn forget_principal(request: &mut Parts) {
    if let Some(record) = RequestRecord::of(&request.extensions) {
        record.with(|summary| summary.principal = None);
    }
    request.extensions.remove::<Principal>();
}

/// Records the caller, and the fields that trailers may not have. Without a record, the principal goes into the
/// extensions. If fields are barred from trailers, a record is made, because a proxy behind this layer has to know
/// them.
///
/// Before the first field of this layer is set, two kinds of the client's fields are removed: fields that claim an
/// identity, and fields that `Connection` names. A proxy would otherwise remove this layer's fields together with
/// them. Inside a [`ClientInfoLayer`](gatewright_core::ClientInfoLayer), they are removed already.
fn remember(principal: Option<Principal>, barred: &Arc<[HeaderName]>, tells: bool, request: &mut Parts) {
    let Parts { headers, extensions, .. } = request;
    if RequestRecord::of(extensions).is_none() {
        if let Some(principal) = &principal {
            extensions.insert(principal.clone());
        }
        if tells || !barred.is_empty() {
            extensions.insert(RequestRecord::new(None));
        }
    }
    let Some(record) = RequestRecord::of(extensions) else { return };
    let forgotten = record.with_layers(|summary, layers| {
        summary.principal = principal;
        layers.bar_from_trailers(barred);
        let forgotten = layers.claims_removed || layers.identity_removed;
        layers.identity_removed |= tells;
        forgotten
    });
    if tells && !forgotten {
        hop_by_hop::remove_nominated(headers);
        claims::remove(headers, true);
    }
}

impl<A: Authenticate> Shared<A> {
    fn judge(&self, outcome: Outcome, record: Option<&RequestRecord>) -> Result<Admission, Rejection> {
        match outcome {
            Outcome::Authenticated(identity) => match self.requirements.check(identity.principal()) {
                Ok(()) => Ok(Admission(Some(identity))),
                Err(unmet) => {
                    // The log names the caller that the route refuses.
                    if let Some(record) = record {
                        record.with(|summary| summary.principal = Some(identity.principal().clone()));
                    }
                    Err(self.insufficient(unmet.reason, unmet.scope))
                }
            },
            Outcome::Anonymous if self.requirements.is_empty() => Ok(Admission(None)),
            Outcome::Anonymous | Outcome::NoCredential => {
                Err(self.unauthenticated("no_credential".into(), None))
            }
            Outcome::Refused(refusal) => Err(self.refuse(refusal)),
        }
    }

    fn refuse(&self, refusal: Refusal) -> Rejection {
        let (kind, reason, challenges) = refusal.into_parts();
        match kind {
            RefusalKind::Invalid => {
                let challenges = challenges.unwrap_or_else(|| self.authenticator.challenges(Cause::Refused));
                self.unauthenticated(reason, Some(challenges))
            }
            RefusalKind::Forbidden => {
                Rejection::new(StatusCode::FORBIDDEN, POLICY, reason).detail("The caller may not do this.")
            }
            RefusalKind::Unavailable => Rejection::new(StatusCode::SERVICE_UNAVAILABLE, POLICY, reason)
                .detail("Who calls cannot be verified now."),
        }
    }

    fn unauthenticated(
        &self,
        reason: std::borrow::Cow<'static, str>,
        challenges: Option<Vec<Challenge>>,
    ) -> Rejection {
        let challenges = challenges.unwrap_or_else(|| self.authenticator.challenges(Cause::NoCredential));
        // A 401 must have a challenge (RFC 9110, section 15.5.2).
        let status = if challenges.is_empty() { StatusCode::FORBIDDEN } else { StatusCode::UNAUTHORIZED };
        let rejection = Rejection::new(status, POLICY, reason).detail("Valid credentials are required.");
        challenge(rejection, challenges)
    }

    fn insufficient(&self, reason: &'static str, scope: Option<&str>) -> Rejection {
        let rejection =
            Rejection::new(StatusCode::FORBIDDEN, POLICY, reason).detail("The caller may not do this.");
        match scope {
            Some(scope) => challenge(rejection, self.authenticator.challenges(Cause::InsufficientScope(scope))),
            None => rejection,
        }
    }
}

fn challenge(rejection: Rejection, challenges: Vec<Challenge>) -> Rejection {
    let mut values: Vec<HeaderValue> = Vec::new();
    for value in challenges.into_iter().filter_map(Challenge::into_header) {
        if !values.contains(&value) {
            values.push(value);
        }
    }
    values.into_iter().fold(rejection, |rejection, value| rejection.header(WWW_AUTHENTICATE, value))
}

pin_project! {
    /// The decision of an authenticator that has to wait.
    pub struct AuthFuture<A: Authenticate> {
        #[pin]
        attempt: A::Future,
        shared: Arc<Shared<A>>,
        record: Option<RequestRecord>,
    }
}

impl<A: Authenticate> Future for AuthFuture<A> {
    type Output = Result<Admission, Rejection>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let outcome = ready!(this.attempt.poll(cx));
        Poll::Ready(this.shared.judge(outcome, this.record.as_ref()))
    }
}

impl<A: Authenticate, S: Clone> TakeReady<S> for AuthFuture<A> {
    fn take_ready(&self, service: &mut S) -> S {
        let clone = service.clone();
        mem::replace(service, clone)
    }
}

impl<A: Authenticate> fmt::Debug for AuthFuture<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthFuture").finish_non_exhaustive()
    }
}

impl<A> Clone for Auth<A> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<A: Authenticate> fmt::Debug for Auth<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth")
            .field("authenticator", &self.shared.authenticator.name())
            .field("requirements", &self.shared.requirements)
            .finish()
    }
}
