//! The requirements of a route on its callers.

use gatewright_core::Principal;

use crate::claim_path::{self, ClaimPath};

/// The requirements of a route on a caller who is known.
#[derive(Debug, Clone, Default)]
pub(crate) struct Requirements {
    scopes: Vec<Box<str>>,
    /// The scopes as a challenge has them (RFC 6750, section 3): one text with spaces.
    scopes_text: String,
    claims: Vec<OneOf>,
}

/// A claim that must contain one of these values.
#[derive(Debug, Clone)]
struct OneOf {
    path: ClaimPath,
    values: Vec<Box<str>>,
    reason: &'static str,
}

/// The first requirement that the caller does not meet.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unmet<'a> {
    pub(crate) reason: &'static str,
    pub(crate) scope: Option<&'a str>,
}

impl Requirements {
    pub(crate) fn add_scopes<T: Into<Box<str>>>(&mut self, scopes: impl IntoIterator<Item = T>) {
        self.scopes.extend(scopes.into_iter().map(Into::into));
        self.scopes_text = self.scopes.join(" ");
    }

    pub(crate) fn add_claim<T: Into<Box<str>>>(
        &mut self,
        path: ClaimPath,
        values: impl IntoIterator<Item = T>,
        reason: &'static str,
    ) {
        self.claims.push(OneOf { path, values: values.into_iter().map(Into::into).collect(), reason });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.scopes.is_empty() && self.claims.is_empty()
    }

    pub(crate) fn check(&self, principal: &Principal) -> Result<(), Unmet<'_>> {
        if !self.scopes.iter().all(|scope| principal.has_scope(scope)) {
            return Err(Unmet { reason: "insufficient_scope", scope: Some(&self.scopes_text) });
        }
        match self.claims.iter().find(|claim| !claim.is_met(principal)) {
            Some(claim) => Err(Unmet { reason: claim.reason, scope: None }),
            None => Ok(()),
        }
    }
}

impl OneOf {
    fn is_met(&self, principal: &Principal) -> bool {
        let held = self.path.of(principal).into_iter().flat_map(claim_path::texts);
        held.into_iter().any(|held| self.values.iter().any(|value| **value == *held))
    }
}
