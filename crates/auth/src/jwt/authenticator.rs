use std::{fmt, sync::Arc, time::Duration};

use http::{HeaderName, request::Parts};

use super::{
    Algorithm,
    fault::Fault,
    issuer::{Issuer, Required, types},
    verifier::{JwtFuture, Verifier},
};
use crate::{
    Attempt, Authenticate, Cause, Challenge, ClaimPath, Clock, Outcome, Refusal, bearer::TokenPlaces,
    challenge, token_cache::TokenCache,
};

/// Verifies signed JSON Web Tokens (RFC 7519, RFC 7515).
///
/// A setting of tokens (audiences, algorithms, claims and their headers) applies to the issuers that exist when it
/// is called. [`or`](Self::or) adds issuers that have settings of their own.
///
/// # Example
///
/// ```
/// use gatewright_auth::{AuthLayer, Jwks, Jwt};
///
/// # let published = br#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
/// let keys = Jwks::from_json(published)?;
/// let layer = AuthLayer::new(Jwt::new(keys).issuer("https://id.example/").audience("orders"));
/// # let _ = layer;
/// # Ok::<(), gatewright_auth::KeyError>(())
/// ```
///
/// Customised: a second issuer that shares a secret. Both accept access tokens (RFC 9068) that are no older than an
/// hour, in a cookie too, and tell the service who calls.
///
/// ```
/// use std::time::Duration;
///
/// use gatewright_auth::{Algorithm, AuthLayer, Jwks, Jwt};
/// use http::HeaderName;
///
/// # let pem = b"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
/// # let secret = [7; 32];
/// let staff = Jwt::new(Jwks::pem(Algorithm::EdDsa, pem)?)
///     .issuer("https://login.example/")
///     .audience("api")
///     .require_claim_value("tenant", ["t1", "t2"]);
/// let batch = Jwt::new(Jwks::secret(Algorithm::Hs256, &secret)?).issuer("batch").audience("api");
///
/// let users = staff
///     .or(batch)
///     .types(["at+jwt"])
///     .max_age(Duration::from_secs(60 * 60))
///     .from_cookie("session")
///     .claim_header(HeaderName::from_static("x-user-id"), "sub")
///     .realm("orders");
/// let layer = AuthLayer::new(users).scopes(["orders:read"]).roles("realm_access.roles", ["clerk", "admin"]);
/// # let _ = layer;
/// # Ok::<(), gatewright_auth::KeyError>(())
/// ```
#[derive(Clone)]
#[must_use = "an authenticator does nothing until a layer asks it"]
pub struct Jwt(Arc<Verifier>);

/// The largest token, in bytes.
const MAX_SIZE: usize = 8 * 1024;

/// The number of tokens that are remembered.
const CACHE: usize = 8192;

/// The longest leeway, in seconds.
const MAX_LEEWAY: u64 = 60;

impl Jwt {
    pub(super) fn of(issuer: Issuer) -> Self {
        Self(Arc::new(Verifier {
            issuers: vec![issuer],
            places: TokenPlaces::default(),
            realm: None,
            max_size: MAX_SIZE,
            clock: Clock::system(),
            cache: TokenCache::new(CACHE),
        }))
    }

    /// Accepts the tokens of the other's issuers too, each with its own keys and settings. A token is verified by
    /// the issuer that it names, and by no other; if two issuers have the same name, by the first. Settings that
    /// don't belong to an issuer, such as the places of tokens, stay as they are in `self`.
    pub fn or(self, other: Self) -> Self {
        self.change(|verifier| verifier.issuers.extend_from_slice(&other.0.issuers))
    }

    /// Accepts tokens for this audience too.
    pub fn audience(self, audience: impl Into<Box<str>>) -> Self {
        let audience = audience.into();
        self.each(|issuer| issuer.audiences.get_or_insert_default().push(audience.clone()))
    }

    /// Allows these algorithms only. A key that does not name its algorithm is used for those of them that fit its
    /// type; see [`Jwks`](crate::Jwks).
    pub fn algorithms(self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        let algorithms: Arc<[_]> = algorithms.into_iter().collect();
        self.each(|issuer| {
            issuer.keys.expect(&algorithms);
            issuer.algorithms = Some(Arc::clone(&algorithms));
        })
    }

    /// Allows these types (`typ`) only, and refuses tokens without a type. Unless set, the type of a token may be
    /// missing, `JWT` or `at+jwt`.
    pub fn types<'a>(self, allowed: impl IntoIterator<Item = &'a str>) -> Self {
        let allowed = types(allowed);
        self.each(|issuer| issuer.types = Some(allowed.clone()))
    }

    /// The difference that the issuer's clock may have; 5 s unless set, 60 s at most. More than 10 s is for clocks
    /// that nobody sets: an expired token stays valid for this long.
    pub fn leeway(self, leeway: Duration) -> Self {
        self.each(|issuer| issuer.leeway = leeway.as_secs().min(MAX_LEEWAY))
    }

    /// Requires `iat`, and refuses tokens older than this, even if their `exp` is later.
    pub fn max_age(self, age: Duration) -> Self {
        self.each(|issuer| issuer.max_age = Some(age.as_secs()))
    }

    /// Requires a claim with any value.
    pub fn require_claim(self, path: impl Into<ClaimPath>) -> Self {
        let required = Required { path: path.into(), values: None };
        self.each(|issuer| issuer.required.push(required.clone()))
    }

    /// Requires that a claim is one of these values, or is a list with one of them. A token without it is refused
    /// with 401. For requirements of a route on good tokens, use [`AuthLayer::claim`](crate::AuthLayer::claim),
    /// which refuses with 403.
    pub fn require_claim_value<T: Into<Box<str>>>(
        self,
        path: impl Into<ClaimPath>,
        values: impl IntoIterator<Item = T>,
    ) -> Self {
        let values = values.into_iter().map(Into::into).collect();
        let required = Required { path: path.into(), values: Some(values) };
        self.each(|issuer| issuer.required.push(required.clone()))
    }

    /// The claim that names the caller; `sub` unless set. A token without it is refused.
    pub fn subject_claim(self, path: impl Into<ClaimPath>) -> Self {
        let path = path.into();
        self.each(|issuer| issuer.subject = path.clone())
    }

    /// The claim that holds the scopes, as a list or as a text with spaces; `scope` and `scp` unless set.
    pub fn scope_claim(self, path: impl Into<ClaimPath>) -> Self {
        let path = path.into();
        self.each(|issuer| issuer.scopes = Some(path.clone()))
    }

    /// Passes a claim to the service in a header field, which replaces the client's field of this name. A list is
    /// joined by commas, and an object is written as JSON. A token is refused if its claim does not fit into a
    /// header field: it has line breaks, or a member of a list has a comma.
    pub fn claim_header(self, name: HeaderName, path: impl Into<ClaimPath>) -> Self {
        let path = path.into();
        self.each(|issuer| issuer.headers.add(name.clone(), path.clone()))
    }

    /// Looks in this header field too. The whole field is the token.
    pub fn from_header(self, name: HeaderName) -> Self {
        self.change(|verifier| verifier.places.header(name))
    }

    /// Looks in this cookie too. Browsers send cookies by themselves: protect the service against forged requests
    /// (CSRF).
    pub fn from_cookie(self, name: &str) -> Self {
        self.change(|verifier| verifier.places.cookie(name))
    }

    /// Looks in this query parameter too. The parameter is always taken out of the URI, since URIs are written to
    /// many logs.
    pub fn from_query(self, name: &str) -> Self {
        self.change(|verifier| verifier.places.query(name))
    }

    /// Leaves the token in the request for the service. The service can then do whatever the token's holder can.
    pub fn forward_token(self) -> Self {
        self.change(|verifier| verifier.places.keep())
    }

    /// The realm in challenges (RFC 9110, section 11.5).
    pub fn realm(self, realm: impl Into<Box<str>>) -> Self {
        self.change(|verifier| verifier.realm = Some(realm.into()))
    }

    /// The largest token, in bytes; 8 KiB unless set.
    pub fn max_size(self, bytes: usize) -> Self {
        self.change(|verifier| verifier.max_size = bytes)
    }

    /// The number of verified tokens that are remembered, rounded up to a power of two; 8192 unless set. With 0,
    /// none is remembered.
    pub fn cache_capacity(self, tokens: usize) -> Self {
        self.change(|verifier| verifier.cache = TokenCache::new(tokens))
    }

    /// Replaces the system's clock.
    pub fn clock(self, clock: Clock) -> Self {
        self.change(|verifier| verifier.clock = clock)
    }

    fn each(self, change: impl FnMut(&mut Issuer)) -> Self {
        self.change(|verifier| verifier.issuers.iter_mut().for_each(change))
    }

    /// Changes the settings. Tokens that were verified under the old settings are forgotten. A clone keeps its own
    /// settings and tokens.
    fn change(self, change: impl FnOnce(&mut Verifier)) -> Self {
        let mut verifier = match Arc::try_unwrap(self.0) {
            Ok(verifier) => verifier,
            Err(shared) => shared.copy(),
        };
        verifier.cache = verifier.cache.emptied();
        change(&mut verifier);
        Self(Arc::new(verifier))
    }
}

impl Authenticate for Jwt {
    type Future = JwtFuture;

    fn name(&self) -> &'static str {
        "jwt"
    }

    fn authenticate(&self, request: &Parts) -> Attempt<JwtFuture> {
        let text = match self.0.places.find(request) {
            Ok(Some(text)) if text.len() <= self.0.max_size => text,
            Ok(Some(_)) => return Attempt::Now(Refusal::from(Fault::TooLarge).into()),
            Ok(None) => return Attempt::Now(Outcome::NoCredential),
            Err(unreadable) => return Attempt::Now(Refusal::from(Fault::from(unreadable)).into()),
        };
        let now = self.0.clock.seconds();
        let digest = self.0.cache.hash(&text);
        if let Some(known) = self.0.remembered(digest, now) {
            return Attempt::Now(known);
        }
        match self.0.verify(&text, digest, now) {
            Ok(outcome) => Attempt::Now(outcome),
            #[cfg(feature = "remote")]
            Err(failed) => self.0.retry(failed, &text, digest),
            #[cfg(not(feature = "remote"))]
            Err(failed) => Attempt::Now(Refusal::from(failed.fault).into()),
        }
    }

    fn challenges(&self, cause: Cause<'_>) -> Vec<Challenge> {
        vec![challenge::bearer(self.0.realm.as_deref(), cause)]
    }

    fn remove_credentials(&self, request: &mut Parts) {
        self.0.places.remove(request);
    }

    fn credential_names(&self) -> Vec<HeaderName> {
        self.0.places.header_names()
    }

    fn header_names(&self) -> Vec<HeaderName> {
        self.0.issuers.iter().flat_map(|issuer| issuer.headers.names()).collect()
    }
}

impl fmt::Debug for Jwt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jwt")
            .field("issuers", &self.0.issuers)
            .field("places", &self.0.places)
            .finish_non_exhaustive()
    }
}
