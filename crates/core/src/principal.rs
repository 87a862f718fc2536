//! Who calls.

use std::{fmt, sync::Arc};

use serde_json::{Map, Value};

/// The caller that an authenticator has verified: who, by which method, with which scopes and claims.
///
/// Cheap to clone. Its fields are private, so that only [`Principal::builder`] makes one.
#[derive(Clone, PartialEq)]
pub struct Principal(Arc<Inner>);

#[derive(PartialEq)]
struct Inner {
    id: Box<str>,
    method: Box<str>,
    scopes: Vec<Box<str>>,
    claims: Map<String, Value>,
}

impl Principal {
    /// Starts a principal: its `id` (a token's `sub`, a key's owner), and the `method` that verified it (`jwt`,
    /// `api_key`, `mtls`).
    pub fn builder(id: impl Into<Box<str>>, method: impl Into<Box<str>>) -> PrincipalBuilder {
        PrincipalBuilder(Inner { id: id.into(), method: method.into(), scopes: Vec::new(), claims: Map::new() })
    }

    /// Who calls.
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// By which method it was verified.
    pub fn method(&self) -> &str {
        &self.0.method
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
}

/// The claims may be personal data, so they are not printed.
impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Principal")
            .field("id", &self.0.id)
            .field("method", &self.0.method)
            .field("scopes", &self.0.scopes)
            .finish_non_exhaustive()
    }
}

/// Builds a [`Principal`].
pub struct PrincipalBuilder(Inner);

impl PrincipalBuilder {
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
