use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderName, HeaderValue};

use super::{authenticator::Introspection, settings::Settings};
use crate::{
    ClaimPath, Clock, ProviderError, form,
    provider::{Access, Endpoint},
};

/// Builds an [`Introspection`].
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct IntrospectionBuilder {
    url: Box<str>,
    access: Access,
    client: Option<HeaderValue>,
    settings: Settings,
}

/// The number of concurrent questions. Many tokens can be made up at once, and no more than this many reach the
/// issuer.
const MAX_CONNECTIONS: usize = 32;

/// The largest answer, in bytes. Thousands of answers are remembered.
const MAX_SIZE: usize = 32 * 1024;

impl Introspection {
    /// Asks at this URL.
    pub fn builder(url: &str) -> IntrospectionBuilder {
        IntrospectionBuilder::new(url)
    }
}

impl IntrospectionBuilder {
    fn new(url: &str) -> Self {
        let access = Access { max_connections: MAX_CONNECTIONS, max_size: MAX_SIZE, ..Access::default() };
        Self { url: url.into(), access, client: None, settings: Settings::default() }
    }

    /// The gateway's own client id and secret at the issuer (RFC 6749, section 2.3.1).
    pub fn client(mut self, id: &str, secret: &str) -> Self {
        let pair = format!("{}:{}", form::encode(id), form::encode(secret));
        self.client =
            HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair))).ok().map(|mut value| {
                value.set_sensitive(true);
                value
            });
        self
    }

    /// Trusts these certificate authorities, in PEM, instead of the system's.
    pub fn ca(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.access.ca = Some(pem.into());
        self
    }

    /// The time for one answer, from the connection to the last byte; 5 s unless set.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.access.timeout = timeout;
        self
    }

    /// Allows `http://` too. Anyone on the network path can then read all tokens.
    pub fn allow_cleartext(mut self) -> Self {
        self.access.cleartext = true;
        self
    }

    /// The time for which an answer is trusted at most, and so the time for which a revoked token stays valid; a
    /// minute unless set. An answer never outlives its `exp`.
    pub fn max_cache(mut self, time: Duration) -> Self {
        self.settings.max_cache = time.as_secs();
        self
    }

    /// The number of tokens that are remembered, rounded up to a power of two; 8192 unless set. With 0, none is
    /// remembered.
    pub fn cache_capacity(mut self, tokens: usize) -> Self {
        self.settings.capacity = tokens;
        self
    }

    /// Accepts tokens of this issuer (`iss`) only.
    pub fn issuer(mut self, issuer: impl Into<Box<str>>) -> Self {
        self.settings.issuer = Some(issuer.into());
        self
    }

    /// Accepts tokens for this audience (`aud`), and for the audiences of other calls. Without any call, the issuer
    /// alone decides whom a token is for.
    pub fn audience(mut self, audience: impl Into<Box<str>>) -> Self {
        self.settings.audiences.push(audience.into());
        self
    }

    /// The claim that names the caller; `sub` unless set. A token without it is refused.
    pub fn subject_claim(mut self, path: impl Into<ClaimPath>) -> Self {
        self.settings.subject = path.into();
        self
    }

    /// The claim that holds the scopes, as a list or as a text with spaces; `scope` unless set.
    pub fn scope_claim(mut self, path: impl Into<ClaimPath>) -> Self {
        self.settings.scopes = path.into();
        self
    }

    /// Passes a claim to the service in a header field; see [`Jwt::claim_header`](crate::Jwt::claim_header).
    pub fn claim_header(mut self, name: HeaderName, path: impl Into<ClaimPath>) -> Self {
        self.settings.headers.add(name, path.into());
        self
    }

    /// Looks in this header field too. The whole field is the token.
    pub fn from_header(mut self, name: HeaderName) -> Self {
        self.settings.places.header(name);
        self
    }

    /// Looks in this cookie too.
    pub fn from_cookie(mut self, name: &str) -> Self {
        self.settings.places.cookie(name);
        self
    }

    /// Looks in this query parameter too. The parameter is always taken out of the URI.
    pub fn from_query(mut self, name: &str) -> Self {
        self.settings.places.query(name);
        self
    }

    /// Leaves the token in the request for the service.
    pub fn forward_token(mut self) -> Self {
        self.settings.places.keep();
        self
    }

    /// The realm in challenges.
    pub fn realm(mut self, realm: impl Into<Box<str>>) -> Self {
        self.settings.realm = Some(realm.into());
        self
    }

    /// Replaces the system's clock.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.settings.clock = clock;
        self
    }

    /// Builds the authenticator.
    ///
    /// # Errors
    ///
    /// The URL is not a URL with `https`, or the certificate authorities cannot be read.
    pub fn build(self) -> Result<Introspection, ProviderError> {
        let endpoint = Endpoint::new(&self.url, &self.access)?;
        Ok(Introspection::new(endpoint, self.client, self.settings))
    }
}
