//! The verifier behind [`Jwt`](crate::Jwt), which its settings and its clones share.

#[cfg(feature = "remote")]
use std::sync::Arc;
use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use serde_json::Value;

use super::{
    fault::Fault,
    issuer::{Issuer, Verified},
    token::Token,
};
#[cfg(feature = "remote")]
use crate::{Attempt, Refusal};
use crate::{Clock, Outcome, bearer::TokenPlaces, digest::Digest, token_cache::TokenCache};

/// Verifies tokens of its issuers, and remembers good ones.
pub(super) struct Verifier {
    pub(super) issuers: Vec<Issuer>,
    pub(super) places: TokenPlaces,
    pub(super) realm: Option<Box<str>>,
    pub(super) max_size: usize,
    pub(super) clock: Clock,
    pub(super) cache: TokenCache<Cached>,
}

/// A verified token, and the index of its issuer.
pub(super) struct Cached {
    verified: Verified,
    issuer: usize,
}

impl Verifier {
    /// A copy of the settings, with an empty cache.
    pub(super) fn copy(&self) -> Self {
        Self {
            issuers: self.issuers.clone(),
            places: self.places.clone(),
            realm: self.realm.clone(),
            max_size: self.max_size,
            clock: self.clock.clone(),
            cache: self.cache.emptied(),
        }
    }

    /// The remembered outcome of a token, if it is still valid.
    #[inline]
    pub(super) fn remembered(&self, token: Digest, now: u64) -> Option<Outcome> {
        self.cache.get(token, |cached| {
            self.is_good(cached, now).then(|| Outcome::Authenticated(cached.verified.identity.clone()))
        })
    }

    #[inline]
    fn is_good(&self, cached: &Cached, now: u64) -> bool {
        cached.verified.lifetime.holds(now)
            && self.issuers[cached.issuer].keys.generation() == cached.verified.generation
    }

    /// Verifies a token that is not remembered.
    pub(super) fn verify(&self, text: &str, digest: Digest, now: u64) -> Result<Outcome, Failed> {
        let token = Token::parse(text)?;
        let issuer = self.issuer(token.claims.get("iss"))?;
        match self.issuers[issuer].verify(token, now) {
            Ok(verified) => {
                let identity = verified.identity.clone();
                self.cache.insert(digest, Cached { verified, issuer }, |held| !self.is_good(held, now));
                Ok(Outcome::Authenticated(identity))
            }
            Err(fault) => Err(Failed { fault, issuer: Some(issuer) }),
        }
    }

    /// The issuer whose keys verify the token. The token's `iss` chooses the issuer, and proves nothing.
    fn issuer(&self, named: Option<&Value>) -> Result<usize, Fault> {
        let of_name =
            |name: Option<&str>| self.issuers.iter().position(|issuer| issuer.name.as_deref() == name);
        let found = match named {
            None => None,
            Some(Value::String(name)) => of_name(Some(name)),
            Some(_) => return Err(Fault::UnknownIssuer),
        };
        let missing = if named.is_none() { Fault::NoIssuer } else { Fault::UnknownIssuer };
        found.or_else(|| of_name(None)).ok_or(missing)
    }
}

/// A token that failed, and the issuer that it names.
pub(super) struct Failed {
    pub(super) fault: Fault,
    #[cfg_attr(not(feature = "remote"), allow(dead_code, reason = "only remote keys can be fetched again"))]
    issuer: Option<usize>,
}

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Self {
        Self { fault, issuer: None }
    }
}

#[cfg(feature = "remote")]
impl Verifier {
    /// Waits for newer keys, if a fetch may bring a key for this token.
    pub(super) fn retry(self: &Arc<Self>, failed: Failed, text: &str, digest: Digest) -> Attempt<JwtFuture> {
        let fetching = match (failed.fault, failed.issuer) {
            (Fault::UnknownKey | Fault::KeysUnavailable, Some(issuer)) => self.issuers[issuer].keys.newer(),
            _ => None,
        };
        let Some(fetching) = fetching else { return Attempt::Now(Refusal::from(failed.fault).into()) };
        let (verifier, text) = (Arc::clone(self), Box::<str>::from(text));
        Attempt::Later(JwtFuture(Box::pin(async move {
            fetching.ended().await;
            match verifier.verify(&text, digest, verifier.clock.seconds()) {
                Ok(outcome) => outcome,
                Err(failed) => Refusal::from(failed.fault).into(),
            }
        })))
    }
}

/// The future of [`Jwt`](crate::Jwt): a token waits for its issuer's keys.
pub struct JwtFuture(Pin<Box<dyn Future<Output = Outcome> + Send>>);

impl Future for JwtFuture {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for JwtFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtFuture").finish_non_exhaustive()
    }
}
