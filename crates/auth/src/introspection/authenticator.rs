use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use gatewright_core::Body;
use http::{
    HeaderName, HeaderValue, Method, Request,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE},
    request::Parts,
};

use super::{answer::Answer, flights::Flights, settings::Settings};
use crate::{
    Attempt, Authenticate, Cause, Challenge, Identity, Outcome, Refusal, bearer::Unreadable, challenge,
    digest::Digest, form, provider::Endpoint, token_cache::TokenCache,
};

/// Asks the issuer of opaque tokens who calls (RFC 7662). Cheap to clone; clones share their cache.
///
/// 1. The issuer is asked once about a token. Requests that show it in the meantime wait for the same answer.
/// 2. The answer that a token is active holds until its `exp`, and for a minute at most unless set. A revoked token
///    stays valid for that long. The answer that a token is not active holds for ten seconds.
/// 3. Without an answer in time, tokens that are not remembered are refused with 503.
///
/// # Example
///
/// ```no_run
/// use gatewright_auth::{AuthLayer, Introspection};
///
/// # let secret = "";
/// let tokens = Introspection::builder("https://id.example/introspect").client("gateway", secret).build()?;
/// let layer = AuthLayer::new(tokens);
/// # let _ = layer;
/// # Ok::<(), gatewright_auth::ProviderError>(())
/// ```
///
/// Customised: tokens of one issuer for one audience, trusted for ten seconds; the service is told who calls.
///
/// ```no_run
/// use std::time::Duration;
///
/// use gatewright_auth::{AuthLayer, Introspection};
/// use http::HeaderName;
///
/// # let secret = "";
/// let tokens = Introspection::builder("https://id.example/introspect")
///     .client("gateway", secret)
///     .ca(std::fs::read("internal.pem")?)
///     .timeout(Duration::from_secs(1))
///     .issuer("https://id.example/")
///     .audience("orders")
///     .max_cache(Duration::from_secs(10))
///     .claim_header(HeaderName::from_static("x-user-id"), "sub")
///     .build()?;
/// let layer = AuthLayer::new(tokens).scopes(["orders:read"]);
/// # let _ = layer;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[must_use = "an authenticator does nothing until a layer asks it"]
pub struct Introspection(Arc<Inner>);

struct Inner {
    endpoint: Endpoint,
    /// The gateway's own `Authorization` at the issuer.
    client: Option<HeaderValue>,
    settings: Settings,
    active: TokenCache<Active>,
    // Separate, so that made-up tokens displace no good ones.
    refused: TokenCache<Refused>,
    flights: Flights<Answer>,
    /// The last time when the log got a line about a missing answer, in seconds since 1970.
    logged_at: AtomicU64,
}

/// An active token, and the end of that answer in seconds since 1970.
struct Active {
    identity: Identity,
    expires: u64,
}

struct Refused {
    reason: &'static str,
    expires: u64,
}

/// The time for which a refusal is remembered, in seconds, and the number of refusals.
const REFUSED_FOR: u64 = 10;
const REFUSED: usize = 1024;

impl Introspection {
    pub(super) fn new(endpoint: Endpoint, client: Option<HeaderValue>, settings: Settings) -> Self {
        Self(Arc::new(Inner {
            endpoint,
            client,
            active: TokenCache::new(settings.capacity),
            refused: TokenCache::new(settings.capacity.min(REFUSED)),
            settings,
            flights: Flights::default(),
            logged_at: AtomicU64::new(0),
        }))
    }
}

impl Inner {
    fn known(&self, token: Digest, now: u64) -> Option<Outcome> {
        let active = self.active.get(token, |active| (now < active.expires).then(|| active.identity.clone()));
        if let Some(identity) = active {
            return Some(identity.into());
        }
        let refused = self.refused.find(token, |refused| (now < refused.expires).then_some(refused.reason));
        refused.map(|reason| Refusal::invalid(reason).into())
    }

    async fn ask(&self, text: &str, token: Digest) -> Outcome {
        let answer = self.flights.join(token, async {
            let answer = self.question(text).await;
            self.remember(token, &answer);
            answer
        });
        match answer.await {
            Answer::Active { identity, .. } => identity.into(),
            Answer::Refused(reason) => Refusal::invalid(reason).into(),
            Answer::None => Refusal::unavailable("introspection_unavailable").into(),
        }
    }

    async fn question(&self, text: &str) -> Answer {
        let form = format!("token={}&token_type_hint=access_token", form::encode(text));
        let mut request = Request::new(Body::from(form));
        *request.method_mut() = Method::POST;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(client) = &self.client {
            headers.insert(AUTHORIZATION, client.clone());
        }
        match self.endpoint.send(request).await {
            Ok(answer) => Answer::read(&answer.body, &self.settings, self.settings.clock.seconds()),
            Err(error) => {
                // At most one line a second: otherwise every made-up token would cause a line.
                let now = self.settings.clock.seconds();
                if self.logged_at.swap(now, Ordering::Relaxed) != now {
                    tracing::warn!("the issuer cannot be asked about tokens: {error}");
                }
                Answer::None
            }
        }
    }

    fn remember(&self, token: Digest, answer: &Answer) {
        let now = self.settings.clock.seconds();
        match answer {
            Answer::Active { identity, expires } => {
                let active = Active { identity: identity.clone(), expires: *expires };
                self.active.insert(token, active, |held| now >= held.expires);
            }
            Answer::Refused(reason) => {
                let refused = Refused { reason, expires: now.saturating_add(REFUSED_FOR) };
                self.refused.insert(token, refused, |held| now >= held.expires);
            }
            Answer::None => {}
        }
    }
}

impl Authenticate for Introspection {
    type Future = IntrospectionFuture;

    fn name(&self) -> &'static str {
        "introspection"
    }

    fn authenticate(&self, request: &Parts) -> Attempt<IntrospectionFuture> {
        let text = match self.0.settings.places.find(request) {
            Ok(Some(text)) if text.len() <= self.0.settings.max_size => text,
            Ok(Some(_)) => return Attempt::Now(Refusal::invalid("token_too_large").into()),
            Ok(None) => return Attempt::Now(Outcome::NoCredential),
            Err(Unreadable::Several) => return Attempt::Now(Refusal::invalid("token_several").into()),
            Err(Unreadable::Malformed) => return Attempt::Now(Refusal::invalid("token_malformed").into()),
        };
        let token = self.0.active.hash(&text);
        if let Some(known) = self.0.known(token, self.0.settings.clock.seconds()) {
            return Attempt::Now(known);
        }
        let (inner, text) = (Arc::clone(&self.0), Box::<str>::from(text));
        Attempt::Later(IntrospectionFuture(Box::pin(async move { inner.ask(&text, token).await })))
    }

    fn challenges(&self, cause: Cause<'_>) -> Vec<Challenge> {
        vec![challenge::bearer(self.0.settings.realm.as_deref(), cause)]
    }

    fn remove_credentials(&self, request: &mut Parts) {
        self.0.settings.places.remove(request);
    }

    fn credential_names(&self) -> Vec<HeaderName> {
        self.0.settings.places.header_names()
    }

    fn header_names(&self) -> Vec<HeaderName> {
        self.0.settings.headers.names().collect()
    }
}

/// The future of [`Introspection`].
pub struct IntrospectionFuture(Pin<Box<dyn Future<Output = Outcome> + Send>>);

impl Future for IntrospectionFuture {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for IntrospectionFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntrospectionFuture").finish_non_exhaustive()
    }
}

impl fmt::Debug for Introspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Introspection")
            .field("endpoint", &self.0.endpoint)
            .field("settings", &self.0.settings)
            .finish_non_exhaustive()
    }
}
