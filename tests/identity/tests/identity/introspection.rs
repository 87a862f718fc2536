//! Opaque tokens, of which their issuer is asked.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, UNIX_EPOCH},
};

use gatewright::{
    AuthLayer,
    auth::{Any, Clock, Introspection, IntrospectionBuilder, Jwks, Jwt},
};
use harness::{Ca, Condition, IdentityProvider};
use http::HeaderName;
use serde_json::json;

use crate::gateway::Gateway;

struct World {
    ca: Ca,
    provider: IdentityProvider,
}

impl World {
    async fn new() -> Self {
        let ca = Ca::new();
        let provider = IdentityProvider::start(&ca).await;
        provider.knows("opaque", json!({"active": true, "sub": "u1", "scope": "orders:read", "aud": "api"}));
        Self { ca, provider }
    }

    fn builder(&self) -> IntrospectionBuilder {
        Introspection::builder(&self.provider.introspection_url())
            .client("gateway", "s3cret")
            .ca(std::fs::read(self.ca.pem()).unwrap())
            .timeout(Duration::from_millis(500))
    }
}

async fn show(gateway: &Gateway, token: &str) -> u16 {
    gateway.get("/a", &[("Authorization", &format!("Bearer {token}"))]).await.status()
}

#[tokio::test]
async fn a_token_that_its_issuer_knows_lets_its_holder_in_and_is_asked_about_once() {
    let world = World::new().await;
    let auth =
        world.builder().audience("api").claim_header(HeaderName::from_static("x-user-id"), "sub").build();
    let gateway = Gateway::start(AuthLayer::new(auth.unwrap()).scopes(["orders:read"])).await;
    for _ in 0..3 {
        assert_eq!(show(&gateway, "opaque").await, 200);
    }
    assert_eq!(world.provider.questions(), 1);
    for request in gateway.origin.take_requests() {
        assert_eq!((request.header("x-user-id"), request.header("authorization")), (Some("u1"), None));
    }
    let log = gateway.log(3).await;
    assert!(log.iter().all(|line| line["principal"] == "u1" && !line.to_string().contains("opaque")));
}

#[tokio::test]
async fn what_its_issuer_does_not_know_is_refused_and_asked_about_once() {
    let world = World::new().await;
    world.provider.knows("past", json!({"active": true, "sub": "u1", "exp": 1_000_000_000}));
    world.provider.knows("nobody", json!({"active": true}));
    world.provider.knows("else", json!({"active": true, "sub": "u1", "aud": "else"}));
    world.provider.knows("poor", json!({"active": true, "sub": "u1", "aud": "api", "scope": "x"}));
    let auth = world.builder().audience("api").build().unwrap();
    let gateway = Gateway::start(AuthLayer::new(auth).scopes(["orders:read"])).await;
    let mut count = 0;
    for (token, status, reason) in [
        ("unknown", 401, "token_inactive"),
        ("past", 401, "token_expired"),
        ("else", 401, "token_wrong_audience"),
        ("poor", 403, "insufficient_scope"),
        ("a b", 401, "token_malformed"),
    ] {
        for _ in 0..2 {
            assert_eq!(show(&gateway, token).await, status, "{token}");
            count += 1;
            gateway.assert_refused(count, reason).await;
        }
    }
    assert_eq!(world.provider.questions(), 4);
    assert!(gateway.origin.requests().is_empty());
}

#[tokio::test]
async fn all_who_show_a_token_at_once_wait_for_one_answer() {
    let world = World::new().await;
    let gateway = Arc::new(Gateway::start(AuthLayer::new(world.builder().build().unwrap())).await);
    let shown: Vec<_> = (0..50)
        .map(|_| {
            let gateway = Arc::clone(&gateway);
            tokio::spawn(async move { show(&gateway, "opaque").await })
        })
        .collect();
    for shown in shown {
        assert_eq!(shown.await.unwrap(), 200);
    }
    assert_eq!(world.provider.questions(), 1);
}

#[tokio::test]
async fn a_token_that_is_revoked_goes_on_no_longer_than_was_said() {
    let world = World::new().await;
    let auth = world.builder().max_cache(Duration::from_secs(1)).build().unwrap();
    let gateway = Gateway::start(AuthLayer::new(auth)).await;
    assert_eq!(show(&gateway, "opaque").await, 200);
    world.provider.revoke("opaque");
    tokio::time::sleep(Duration::from_millis(2100)).await;
    assert_eq!(show(&gateway, "opaque").await, 401);
    gateway.assert_refused(2, "token_inactive").await;
}

#[tokio::test]
async fn an_answer_is_believed_until_the_token_ends_and_no_longer() {
    let world = World::new().await;
    world.provider.knows("short", json!({"active": true, "sub": "u1", "exp": 1_000_100}));
    let seconds = Arc::new(AtomicU64::new(1_000_000));
    let now = Arc::clone(&seconds);
    let clock = Clock::from_fn(move || UNIX_EPOCH + Duration::from_secs(now.load(Ordering::SeqCst)));
    let auth = world.builder().max_cache(Duration::from_secs(3600)).clock(clock).build().unwrap();
    let gateway = Gateway::start(AuthLayer::new(auth)).await;
    for (now, status, questions) in [(1_000_000, 200, 1), (1_000_099, 200, 1), (1_000_100, 401, 2)] {
        seconds.store(now, Ordering::SeqCst);
        assert_eq!(show(&gateway, "short").await, status, "{now}");
        assert_eq!(world.provider.questions(), questions, "{now}");
    }
    gateway.assert_refused(3, "token_expired").await;
}

#[tokio::test]
async fn without_an_answer_nobody_comes_in_but_those_who_are_known() {
    for condition in [Condition::Failing, Condition::Confused, Condition::Silent, Condition::Closed] {
        let world = World::new().await;
        world.provider.knows("new", json!({"active": true, "sub": "u2"}));
        let gateway = Gateway::start(AuthLayer::new(world.builder().build().unwrap())).await;
        assert_eq!(show(&gateway, "opaque").await, 200);
        world.provider.becomes(condition);
        assert_eq!(show(&gateway, "new").await, 503, "{condition:?}");
        gateway.assert_refused(2, "introspection_unavailable").await;
        assert_eq!(show(&gateway, "opaque").await, 200, "{condition:?}");
        world.provider.becomes(Condition::Well);
        assert_eq!(show(&gateway, "new").await, 200, "{condition:?}: a failure is not remembered");
    }
}

#[tokio::test]
async fn a_gateway_that_the_issuer_does_not_know_lets_nobody_in() {
    let world = World::new().await;
    let auth = world.builder().client("gateway", "wrong").build().unwrap();
    let gateway = Gateway::start(AuthLayer::new(auth)).await;
    assert_eq!(show(&gateway, "opaque").await, 503);
    gateway.assert_refused(1, "introspection_unavailable").await;
}

#[tokio::test]
async fn opaque_tokens_and_signed_ones_stand_side_by_side() {
    let world = World::new().await;
    let secret = Jwks::secret("HS256".parse().unwrap(), &[7; 32]).unwrap();
    let jwt = Jwt::new(secret).issuer("https://secrets.example/").audience("api");
    let either = Any::of(jwt).or(world.builder().build().unwrap());
    let gateway = Gateway::start(AuthLayer::new(either)).await;
    assert_eq!(show(&gateway, "opaque").await, 200);
    assert_eq!(show(&gateway, "unknown").await, 401);
    assert_eq!(gateway.get("/a", &[]).await.status(), 401);
}
