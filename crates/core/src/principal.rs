//! Who calls.

use std::{fmt, sync::Arc};

use http::Extensions;
use serde_json::{Map, Value};

use crate::{Quota, RequestRecord};

/// The caller that an authenticator has verified: who, by which method, with which scopes and claims.
///
/// Cheap to clone. Its fields are private, so that only [`Principal::builder`] makes one.
///
/// [`Principal::of`] finds the one of a request, whatever layers there are:
///
/// ```
/// use gatewright_core::{Principal, RequestRecord};
/// use http::Request;
///
/// // Some layer outside has found out who calls.
/// let record = RequestRecord::new(None);
/// record.with(|known| known.principal = Some(Principal::builder("u1", "jwt").scopes(["orders:read"]).build()));
/// let mut request = Request::new(());
/// request.extensions_mut().insert(record);
///
/// let principal = Principal::of(request.extensions()).expect("a layer has found out");
/// assert_eq!((principal.id(), principal.has_scope("orders:read")), ("u1", true));
/// ```
///
/// With the feature `axum` it is an extractor too: a handler that takes a `Principal` answers 403 where nobody has found
/// out who calls, and one that takes an `Option<Principal>` goes on.
#[derive(Clone, PartialEq)]
pub struct Principal(Arc<Inner>);

#[derive(PartialEq)]
struct Inner {
    id: Box<str>,
    method: Box<str>,
    credential: Option<Box<str>>,
    scopes: Vec<Box<str>>,
    claims: Map<String, Value>,
    quotas: Vec<Quota>,
}

impl Principal {
    /// Starts a principal: its `id` (a token's `sub`, a key's owner), and the `method` that verified it (`jwt`,
    /// `api_key`, `mtls`).
    pub fn builder(id: impl Into<Box<str>>, method: impl Into<Box<str>>) -> PrincipalBuilder {
        PrincipalBuilder(Inner {
            id: id.into(),
            method: method.into(),
            credential: None,
            scopes: Vec::new(),
            claims: Map::new(),
            quotas: Vec::new(),
        })
    }

    /// Who calls, by the extensions of a request: as the [`RequestRecord`] says where there is one, or as a layer without
    /// one has put it into the extensions. `None` when no layer has found out.
    pub fn of(extensions: &Extensions) -> Option<Self> {
        let recorded =
            RequestRecord::of(extensions).and_then(|record| record.with(|known| known.principal.clone()));
        recorded.or_else(|| extensions.get().cloned())
    }

    /// Who calls.
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// By which method it was verified.
    pub fn method(&self) -> &str {
        &self.0.method
    }

    /// Which of its credentials was shown, for logs: an API key's name, a certificate's serial number. Never the
    /// credential itself.
    pub fn credential(&self) -> Option<&str> {
        self.0.credential.as_deref()
    }

    /// Whether it holds this scope.
    pub fn has_scope(&self, scope: &str) -> bool {
        self.0.scopes.iter().any(|held| &**held == scope)
    }

    /// The scopes it holds.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.0.scopes.iter().map(|scope| &**scope)
    }

    /// A verified claim.
    pub fn claim(&self, name: &str) -> Option<&Value> {
        self.0.claims.get(name)
    }

    /// The verified claims.
    pub fn claims(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.claims.iter().map(|(name, value)| (&**name, value))
    }

    /// The limits of its own, which stand in the place of those that others have; empty when it has none.
    pub fn quotas(&self) -> &[Quota] {
        &self.0.quotas
    }
}

/// The claims may be personal data, so they are not printed.
impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Principal")
            .field("id", &self.0.id)
            .field("method", &self.0.method)
            .field("credential", &self.0.credential)
            .field("scopes", &self.0.scopes)
            .finish_non_exhaustive()
    }
}

/// Builds a [`Principal`].
pub struct PrincipalBuilder(Inner);

impl PrincipalBuilder {
    /// Says which of its credentials was shown, by a name that is no secret.
    #[must_use]
    pub fn credential(mut self, name: impl Into<Box<str>>) -> Self {
        self.0.credential = Some(name.into());
        self
    }

    /// Adds scopes.
    #[must_use]
    pub fn scopes<T: Into<Box<str>>>(mut self, scopes: impl IntoIterator<Item = T>) -> Self {
        self.0.scopes.extend(scopes.into_iter().map(Into::into));
        self
    }

    /// Sets the verified claims.
    #[must_use]
    pub fn claims(mut self, claims: Map<String, Value>) -> Self {
        self.0.claims = claims;
        self
    }

    /// Adds a limit of its own, as an API key may have. They stand in the place of the limits that others have.
    #[must_use]
    pub fn quota(mut self, quota: Quota) -> Self {
        self.0.quotas.push(quota);
        self
    }

    /// The principal.
    pub fn build(self) -> Principal {
        Principal(Arc::new(self.0))
    }
}

impl fmt::Debug for PrincipalBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrincipalBuilder").field("id", &self.0.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn principal(id: &str) -> Principal {
        Principal::builder(id, "test").build()
    }

    #[test]
    fn who_calls_is_found_wherever_a_layer_has_written_it() {
        for (recorded, inserted, expected) in [
            (None, None, None),
            (Some(None), None, None),
            (None, Some("bare"), Some("bare")),
            (Some(Some("recorded")), None, Some("recorded")),
            // A layer that made a record after the principal was found, as one inside the authentication does.
            (Some(None), Some("before"), Some("before")),
            (Some(Some("recorded")), Some("bare"), Some("recorded")),
        ] {
            let mut extensions = Extensions::new();
            if let Some(recorded) = recorded {
                let record = RequestRecord::new(None);
                record.with(|known| known.principal = recorded.map(principal));
                extensions.insert(record);
            }
            if let Some(inserted) = inserted {
                extensions.insert(principal(inserted));
            }
            let found = Principal::of(&extensions);
            assert_eq!(found.as_ref().map(Principal::id), expected, "{recorded:?} {inserted:?}");
        }
    }
}
