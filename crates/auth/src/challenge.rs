//! `WWW-Authenticate` (RFC 9110, section 11.6.1).

use http::HeaderValue;

/// Why a client gets a challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause<'a> {
    /// The request has no credential.
    NoCredential,
    /// The request has a bad credential.
    Refused,
    /// The caller is known but lacks one of these scopes. Spaces separate the scopes.
    InsufficientScope(&'a str),
}

/// One challenge: a scheme and its parameters.
///
/// ```
/// use gatewright_auth::Challenge;
///
/// let challenge = Challenge::new("Bearer").parameter("realm", "orders").parameter("error", "invalid_token");
/// assert_eq!(challenge.to_string(), r#"Bearer realm="orders", error="invalid_token""#);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge(String);

impl Challenge {
    /// A challenge of this scheme, without parameters.
    pub fn new(scheme: &'static str) -> Self {
        Self(scheme.to_owned())
    }

    /// Adds a parameter. Its value is put in quotes; characters that a header cannot hold are left out.
    #[must_use]
    pub fn parameter(mut self, name: &'static str, value: &str) -> Self {
        self.0.push_str(if self.0.contains(' ') { ", " } else { " " });
        self.0.push_str(name);
        self.0.push_str("=\"");
        for character in value.chars().filter(|character| matches!(character, ' '..='~')) {
            if matches!(character, '"' | '\\') {
                self.0.push('\\');
            }
            self.0.push(character);
        }
        self.0.push('"');
        self
    }

    pub(crate) fn into_header(self) -> Option<HeaderValue> {
        HeaderValue::try_from(self.0).ok()
    }
}

impl std::fmt::Display for Challenge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The challenge for bearer tokens (RFC 6750, section 3), both JSON Web Tokens and opaque ones.
pub(crate) fn bearer(realm: Option<&str>, cause: Cause<'_>) -> Challenge {
    let challenge = Challenge::new("Bearer");
    let challenge = match realm {
        Some(realm) => challenge.parameter("realm", realm),
        None => challenge,
    };
    match cause {
        Cause::NoCredential => challenge,
        Cause::Refused => challenge.parameter("error", "invalid_token"),
        Cause::InsufficientScope(scope) => {
            challenge.parameter("error", "insufficient_scope").parameter("scope", scope)
        }
    }
}
