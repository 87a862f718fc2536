use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::{HeaderName, request::Parts};
use serde_json::Value;

use super::{
    Algorithm,
    fault::Fault,
    issuer::{Issuer, Required, Verified, types},
    start::JwtWithoutIssuer,
    token::Token,
};
use crate::{
    Attempt, Authenticate, Cause, Challenge, ClaimPath, Clock, Jwks, Outcome, Refusal, bearer::TokenPlaces,
    challenge, digest::Digest, token_cache::TokenCache,
};

/// Verifies JSON Web Tokens (RFC 7519), signed ones (RFC 7515).
///
/// Settings of tokens (audiences, algorithms, claims and their headers) hold for the issuers that it has when they are
/// made; [`or`](Self::or) adds issuers with settings of their own.
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
/// Customised: a second issuer, who shares a secret; for both, access tokens (RFC 9068) that are no older than an hour,
/// in a cookie too, and who calls told to the service.
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
pub struct Jwt(Arc<Inner>);

struct Inner {
    issuers: Vec<Issuer>,
    places: TokenPlaces,
    realm: Option<Box<str>>,
    max_size: usize,
    clock: Clock,
    cache: TokenCache<Cached>,
}

/// A token found good, and of which issuer it is.
struct Cached {
    verified: Verified,
    issuer: usize,
}

/// The largest token, in bytes.
const MAX_SIZE: usize = 8 * 1024;

/// Tokens remembered.
const CACHE: usize = 8192;

/// The longest leeway, in seconds.
const MAX_LEEWAY: u64 = 60;

impl Jwt {
    /// Verifies tokens by these keys. Whose they are and whom they are for is said next:
    /// `Jwt::new(keys).issuer("https://id.example/").audience("orders")`.
    #[allow(clippy::new_ret_no_self, reason = "a token whose issuer and audience nobody looks at is none")]
    pub fn new(keys: Jwks) -> JwtWithoutIssuer {
        JwtWithoutIssuer::new(keys)
    }

    pub(super) fn of(issuer: Issuer) -> Self {
        Self(Arc::new(Inner {
            issuers: vec![issuer],
            places: TokenPlaces::default(),
            realm: None,
            max_size: MAX_SIZE,
            clock: Clock::system(),
            cache: TokenCache::new(CACHE),
        }))
    }

    /// Takes the tokens of another's issuers too, each by its own keys and settings. A token is verified by the issuer
    /// that it names, and by no other; of two of one name, by the first. Where tokens stand, and all else that is not an
    /// issuer's, stays as it is here.
    pub fn or(self, other: Self) -> Self {
        self.change(|inner| inner.issuers.extend_from_slice(&other.0.issuers))
    }

    /// Takes tokens for this audience too.
    pub fn audience(self, audience: impl Into<Box<str>>) -> Self {
        let audience = audience.into();
        self.each(|issuer| issuer.audiences.get_or_insert_default().push(audience.clone()))
    }

    /// Allows these algorithms alone. A key that does not say its algorithm is for those of them that are of its kind; see
    /// [`Jwks`].
    pub fn algorithms(self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        let algorithms: Arc<[_]> = algorithms.into_iter().collect();
        self.each(|issuer| {
            issuer.keys.expect(&algorithms);
            issuer.algorithms = Some(Arc::clone(&algorithms));
        })
    }

    /// Allows these types (`typ`) alone, and no token without one. Unless set, a token may have none, `JWT` or
    /// `at+jwt`.
    pub fn types<'a>(self, allowed: impl IntoIterator<Item = &'a str>) -> Self {
        let allowed = types(allowed);
        self.each(|issuer| issuer.types = Some(allowed.clone()))
    }

    /// How far the issuer's clock may be off; 5 s unless set, 60 s at most. More than 10 s is for clocks that nobody sets: a
    /// token that was withdrawn by letting it expire lives on for so long.
    pub fn leeway(self, leeway: Duration) -> Self {
        self.each(|issuer| issuer.leeway = leeway.as_secs().min(MAX_LEEWAY))
    }

    /// Requires that a token says when it was issued, and takes it no longer than so, whatever its `exp`.
    pub fn max_age(self, age: Duration) -> Self {
        self.each(|issuer| issuer.max_age = Some(age.as_secs()))
    }

    /// Requires a claim, whatever its value.
    pub fn require_claim(self, path: impl Into<ClaimPath>) -> Self {
        let required = Required { path: path.into(), values: None };
        self.each(|issuer| issuer.required.push(required.clone()))
    }

    /// Requires that a claim is, or as a list holds, one of these values. A token without is no good at all (401);
    /// what a route asks of tokens that are good is [`AuthLayer::claim`](crate::AuthLayer::claim) (403).
    pub fn require_claim_value<T: Into<Box<str>>>(
        self,
        path: impl Into<ClaimPath>,
        values: impl IntoIterator<Item = T>,
    ) -> Self {
        let values = values.into_iter().map(Into::into).collect();
        let required = Required { path: path.into(), values: Some(values) };
        self.each(|issuer| issuer.required.push(required.clone()))
    }

    /// The claim that says who calls; `sub` unless set. A token without it is refused.
    pub fn subject_claim(self, path: impl Into<ClaimPath>) -> Self {
        let path = path.into();
        self.each(|issuer| issuer.subject = path.clone())
    }

    /// The claim that holds the scopes, as a list or a text with spaces between; `scope` and `scp` unless set.
    pub fn scope_claim(self, path: impl Into<ClaimPath>) -> Self {
        let path = path.into();
        self.each(|issuer| issuer.scopes = Some(path.clone()))
    }

    /// Tells the service of a claim in a header field, in the place of any that the client sent in this name. A list is
    /// joined by commas, an object told as JSON; a token whose claim does not fit into a header (it has line breaks, or
    /// a member of a list has a comma) is refused.
    pub fn claim_header(self, name: HeaderName, path: impl Into<ClaimPath>) -> Self {
        let path = path.into();
        self.each(|issuer| issuer.headers.add(name.clone(), path.clone()))
    }

    /// Looks in this header field too, which holds a token and nothing else.
    pub fn from_header(self, name: HeaderName) -> Self {
        self.change(|inner| inner.places.header(name))
    }

    /// Looks in this cookie too. Mind that browsers send cookies by themselves: guard against forged requests.
    pub fn from_cookie(self, name: &str) -> Self {
        self.change(|inner| inner.places.cookie(name))
    }

    /// Looks in this query parameter too. It is taken out of the URI, whatever else is asked, since URIs are logged
    /// everywhere.
    pub fn from_query(self, name: &str) -> Self {
        self.change(|inner| inner.places.query(name))
    }

    /// Leaves the token in the request for the service, which then can do whatever its holder could.
    pub fn forward_token(self) -> Self {
        self.change(|inner| inner.places.keep())
    }

    /// The realm that challenges name (RFC 9110, section 11.5).
    pub fn realm(self, realm: impl Into<Box<str>>) -> Self {
        self.change(|inner| inner.realm = Some(realm.into()))
    }

    /// The largest token, in bytes; 8 KiB unless set.
    pub fn max_size(self, bytes: usize) -> Self {
        self.change(|inner| inner.max_size = bytes)
    }

    /// How many verified tokens are remembered, rounded up to a power of two; 8192 unless set, none for 0.
    pub fn cache_capacity(self, tokens: usize) -> Self {
        self.change(|inner| inner.cache = TokenCache::new(tokens))
    }

    /// Another clock than the system's.
    pub fn clock(self, clock: Clock) -> Self {
        self.change(|inner| inner.clock = clock)
    }

    fn each(self, change: impl FnMut(&mut Issuer)) -> Self {
        self.change(|inner| inner.issuers.iter_mut().for_each(change))
    }

    /// Changes the settings. Tokens found good under others are forgotten, and a clone keeps what it has.
    fn change(self, change: impl FnOnce(&mut Inner)) -> Self {
        let mut inner = match Arc::try_unwrap(self.0) {
            Ok(inner) => inner,
            Err(shared) => shared.copy(),
        };
        inner.cache = inner.cache.emptied();
        change(&mut inner);
        Self(Arc::new(inner))
    }
}

impl Inner {
    fn copy(&self) -> Self {
        Self {
            issuers: self.issuers.clone(),
            places: self.places.clone(),
            realm: self.realm.clone(),
            max_size: self.max_size,
            clock: self.clock.clone(),
            cache: self.cache.emptied(),
        }
    }

    /// What is remembered of a token, when it still holds.
    fn remembered(&self, token: Digest, now: u64) -> Option<Outcome> {
        self.cache.get(token, |cached| {
            self.is_good(cached, now).then(|| Outcome::Authenticated(cached.verified.identity.clone()))
        })
    }

    fn is_good(&self, cached: &Cached, now: u64) -> bool {
        cached.verified.lifetime.holds(now)
            && self.issuers[cached.issuer].keys.generation() == cached.verified.generation
    }

    fn verify(&self, text: &str, digest: Digest, now: u64) -> Result<Outcome, Failed> {
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

    /// The issuer by whose keys a token is to be verified: what it says of itself chooses, and proves nothing.
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

/// A token that is not good, and the issuer whose it claims to be.
struct Failed {
    fault: Fault,
    #[cfg_attr(
        not(feature = "remote"),
        allow(dead_code, reason = "only keys from afar can be asked for again")
    )]
    issuer: Option<usize>,
}

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Self {
        Self { fault, issuer: None }
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

#[cfg(feature = "remote")]
impl Inner {
    /// Waits for newer keys, when there may be some now and the token could be good by them.
    fn retry(self: &Arc<Self>, failed: Failed, text: &str, digest: Digest) -> Attempt<JwtFuture> {
        let fetching = match (failed.fault, failed.issuer) {
            (Fault::UnknownKey | Fault::KeysUnavailable, Some(issuer)) => self.issuers[issuer].keys.newer(),
            _ => None,
        };
        let Some(fetching) = fetching else { return Attempt::Now(Refusal::from(failed.fault).into()) };
        let (inner, text) = (Arc::clone(self), Box::<str>::from(text));
        Attempt::Later(JwtFuture(Box::pin(async move {
            fetching.ended().await;
            match inner.verify(&text, digest, inner.clock.seconds()) {
                Ok(outcome) => outcome,
                Err(failed) => Refusal::from(failed.fault).into(),
            }
        })))
    }
}

/// The future of [`Jwt`]: a token that waits for its issuer's keys.
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

impl fmt::Debug for Jwt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jwt")
            .field("issuers", &self.0.issuers)
            .field("places", &self.0.places)
            .finish_non_exhaustive()
    }
}
