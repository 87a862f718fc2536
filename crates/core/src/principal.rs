//! Who calls.

use std::{fmt, sync::Arc};

use serde_json::{Map, Value};

use crate::Quota;

/// The caller that an authenticator has verified: who, by which method, with which scopes and claims.
///
/// Cheap to clone. Its fields are private, so that only [`Principal::builder`] makes one.
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
