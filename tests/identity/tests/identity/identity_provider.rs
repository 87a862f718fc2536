//! An identity provider whose keys rotate, and that is down.

use std::{
    convert::Infallible,
    time::{Duration, Instant},
};

use gatewright::{
    AuthLayer, Body,
    auth::{Jwks, Jwt},
};
use harness::{Ca, Condition, IdentityProvider, eventually};
use http::{Request, Response};
use serde_json::Value;
use tower::{Layer, ServiceExt, service_fn};

use crate::{
    gateway::Gateway,
    makers::{Made, Maker},
};

const DOWN: [Condition; 4] = [Condition::Failing, Condition::Confused, Condition::Silent, Condition::Closed];

/// How long an answer may take here: short, since some never come.
const TIMEOUT: Duration = Duration::from_millis(500);

pub(crate) struct World {
    ca: Ca,
    pub(crate) provider: IdentityProvider,
    pub(crate) made: Made,
}

impl World {
    pub(crate) async fn new() -> Self {
        let ca = Ca::new();
        let provider = IdentityProvider::start(&ca).await;
        let made = Maker::PyJwt.make(&provider.issuer()).await;
        provider.publish(made.keys());
        Self { ca, provider, made }
    }

    pub(crate) fn keys(&self) -> Jwks {
        let ca = std::fs::read(self.ca.pem()).unwrap();
        Jwks::remote(&self.provider.jwks_url()).ca(ca).timeout(TIMEOUT).build().unwrap()
    }

    fn layer(&self) -> AuthLayer<Jwt> {
        AuthLayer::new(Jwt::new(self.keys()).issuer(self.provider.issuer()).audience("api"))
    }

    fn key(&self, algorithm: &str) -> Value {
        self.made.keys().into_iter().find(|key| key["kid"] == algorithm).unwrap()
    }
}

async fn show(gateway: &Gateway, token: &str) -> u16 {
    gateway.get("/a", &[("Authorization", &format!("Bearer {token}"))]).await.status()
}

#[tokio::test]
async fn a_new_key_is_taken_with_the_first_token_of_it_and_an_old_one_goes_with_its_tokens() {
    let world = World::new().await;
    world.provider.publish([world.key("RS256")]);
    let gateway = Gateway::start(world.layer()).await;
    let (old, new) = (world.made.token("RS256"), world.made.token("ES256"));
    assert_eq!(show(&gateway, old).await, 200);
    assert_eq!(show(&gateway, old).await, 200);
    assert_eq!(world.provider.fetches(), 1);

    world.provider.publish([world.key("ES256")]);
    assert_eq!(show(&gateway, old).await, 200, "nobody has looked yet");
    assert_eq!(show(&gateway, new).await, 200);
    assert_eq!(world.provider.fetches(), 2);
    assert_eq!(show(&gateway, old).await, 401, "also of a token that was remembered");
    gateway.assert_refused(5, "jwt_unknown_key").await;
    assert_eq!(world.provider.fetches(), 2);
}

#[tokio::test]
async fn tokens_of_known_keys_pass_at_once_while_the_provider_is_down() {
    for condition in DOWN {
        let world = World::new().await;
        let gateway = Gateway::start(world.layer()).await;
        assert_eq!(show(&gateway, world.made.token("RS256")).await, 200);
        world.provider.becomes(condition);
        // One that asks for newer keys does so in vain, and holds up nobody.
        let (_, reason, unknown) =
            world.made.forged().into_iter().find(|case| case.1 == "jwt_unknown_key").unwrap();
        let begun = Instant::now();
        assert_eq!(show(&gateway, unknown).await, 401, "{condition:?}");
        gateway.assert_refused(2, reason).await;
        assert!(begun.elapsed() < harness::PATIENCE);
        for (algorithm, token) in world.made.good() {
            if !algorithm.starts_with("HS") {
                assert_eq!(show(&gateway, token).await, 200, "{condition:?} {algorithm}");
            }
        }
        assert!(world.provider.connections() <= 2, "{condition:?}: {}", world.provider.connections());
    }
}

#[tokio::test]
async fn a_provider_that_is_down_from_the_start_is_a_503_until_it_is_there() {
    for condition in DOWN {
        let world = World::new().await;
        world.provider.becomes(condition);
        let gateway = Gateway::start(world.layer()).await;
        let token = world.made.token("RS256");
        assert_eq!(show(&gateway, token).await, 503, "{condition:?}");
        gateway.assert_refused(1, "jwt_keys_unavailable").await;
        assert!(gateway.origin.requests().is_empty());
        world.provider.becomes(Condition::Well);
        harness::within("the keys", async {
            while show(&gateway, token).await != 200 {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        })
        .await;
    }
}

#[tokio::test]
async fn keys_that_were_asked_for_beforehand_are_there_for_the_first_token() {
    let world = World::new().await;
    let keys = world.keys();
    keys.prefetch();
    eventually("the keys", || world.provider.fetches() == 1).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    world.provider.becomes(Condition::Silent);
    let layer = AuthLayer::new(Jwt::new(keys).issuer(world.provider.issuer()).audience("api"));
    assert_eq!(show(&Gateway::start(layer).await, world.made.token("RS256")).await, 200);
}

#[tokio::test]
async fn a_provider_of_another_authority_is_not_believed_nor_one_whose_answer_has_no_end() {
    let world = World::new().await;
    let other = std::fs::read(Ca::new().pem()).unwrap();
    let ours = std::fs::read(world.ca.pem()).unwrap();
    for keys in [
        Jwks::remote(&world.provider.jwks_url()).ca(other).timeout(TIMEOUT),
        Jwks::remote(&world.provider.jwks_url()).ca(ours.clone()).timeout(TIMEOUT).max_size(1000),
        Jwks::remote(&format!("{}nothing", world.provider.issuer())).ca(ours.clone()).timeout(TIMEOUT),
        // Its configuration names another issuer.
        Jwks::discover(&world.provider.issuer().replace("localhost", "127.0.0.1")).ca(ours).timeout(TIMEOUT),
    ] {
        let jwt = Jwt::new(keys.build().unwrap()).issuer(world.provider.issuer()).audience("api");
        let gateway = Gateway::start(AuthLayer::new(jwt)).await;
        assert_eq!(show(&gateway, world.made.token("RS256")).await, 503);
        gateway.assert_refused(1, "jwt_keys_unavailable").await;
    }
}

#[test]
fn a_url_of_keys_is_one_of_https() {
    for url in
        ["http://id.example/keys", "id.example/keys", "/keys", "https://", "https://u:p@id.example/keys", ""]
    {
        assert_eq!(Jwks::remote(url).build().unwrap_err().field(), "url", "{url}");
    }
    assert!(Jwks::remote("http://id.example/keys").allow_cleartext().build().is_ok());
    assert!(
        Jwks::remote("https://id.example/keys").ca("no PEM").build().is_err_and(|error| error.field() == "ca")
    );
}

/// Shows 10,000 tokens of keys that nobody has, a hundred at a time, and says how long that took.
async fn show_unknown_keys(layer: &AuthLayer<Jwt>, good: &str) -> Duration {
    let service = layer.layer(service_fn(async |_: Request<Body>| Ok::<_, Infallible>(Response::new(()))));
    let (_, rest) = good.split_once('.').unwrap();
    let begun = Instant::now();
    let forged = |number: usize| {
        let header = base64url::encode(format!(r#"{{"alg":"RS256","kid":"key-{number}"}}"#).as_bytes());
        format!("Bearer {header}.{rest}")
    };
    let asked: Vec<_> = (0..100)
        .map(|task| {
            let tokens: Vec<_> = (0..100).map(|number| forged(task * 100 + number)).collect();
            let service = service.clone();
            tokio::spawn(async move {
                for token in tokens {
                    let request = Request::get("/").header("authorization", token).body(Body::empty());
                    let response = service.clone().oneshot(request.unwrap()).await.unwrap();
                    assert_eq!(response.status(), 401);
                }
            })
        })
        .collect();
    for asked in asked {
        asked.await.unwrap();
    }
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_unknown_keys_cause_one_fetch() {
    let world = World::new().await;
    let (layer, good) = (world.layer(), world.made.token("RS256"));
    let gateway = Gateway::start(layer.clone()).await;
    assert_eq!(show(&gateway, good).await, 200);
    assert_eq!(world.provider.fetches(), 1);
    let took = show_unknown_keys(&layer, good).await;
    let fetches = world.provider.fetches() - 1;
    assert!(fetches <= 1 + took.as_secs() as usize / 30, "{fetches} in {took:?}");
    assert!(fetches >= 1, "somebody has looked");
    assert_eq!(show(&gateway, good).await, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_unknown_keys_hold_up_no_known_one_while_the_provider_is_down() {
    for condition in DOWN {
        let world = World::new().await;
        let (layer, good) = (world.layer(), world.made.token("RS256"));
        let gateway = Gateway::start(layer.clone()).await;
        assert_eq!(show(&gateway, good).await, 200);
        world.provider.becomes(condition);
        let connections = world.provider.connections();
        let flood = {
            let good = good.to_owned();
            tokio::spawn(async move { show_unknown_keys(&layer, &good).await })
        };
        // One that is remembered, and those of other keys, which are verified now.
        let known: Vec<_> = world.made.good().into_iter().filter(|(name, _)| !name.starts_with("HS")).collect();
        let mut shown = 0;
        while shown < known.len() || !flood.is_finished() {
            let (algorithm, token) = known[shown % known.len()];
            assert_eq!(show(&gateway, token).await, 200, "{condition:?} {algorithm}");
            shown += 1;
        }
        let took = flood.await.unwrap();
        let tried = world.provider.connections() - connections;
        assert!(tried <= 1 + took.as_secs() as usize / 30, "{condition:?}: {tried} in {took:?}");
    }
}

#[tokio::test]
async fn two_issuers_that_name_their_keys_alike_are_not_taken_for_each_other() {
    let (one, other) = (World::new().await, World::new().await);
    let jwt = |world: &World| Jwt::new(world.keys()).issuer(world.provider.issuer()).audience("api");
    let gateway = Gateway::start(AuthLayer::new(jwt(&one).or(jwt(&other)))).await;
    // Of the one issuer as to what it says, and signed by the key that the other has under the same name.
    let forged = Maker::PyJwt.make(&one.provider.issuer()).await;
    other.provider.publish(forged.keys());
    let mut count = 0;
    for (token, reason) in [
        (one.made.token("RS256"), None),
        (forged.token("RS256"), Some("jwt_bad_signature")),
        (forged.token("ES256"), Some("jwt_bad_signature")),
        (other.made.token("RS256"), Some("jwt_bad_signature")),
        (one.made.token("RS256"), None),
    ] {
        count += 1;
        assert_eq!(show(&gateway, token).await, if reason.is_some() { 401 } else { 200 });
        if let Some(reason) = reason {
            gateway.assert_refused(count, reason).await;
        }
    }
}

/// Base64 as JOSE has it, for headers that nobody has signed.
mod base64url {
    pub(super) fn encode(octets: &[u8]) -> String {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let mut text = String::new();
        for chunk in octets.chunks(3) {
            let bits = chunk.iter().fold(0_u32, |bits, octet| bits << 8 | u32::from(*octet))
                << (8 * (3 - chunk.len()));
            for place in 0..=chunk.len() {
                text.push(char::from(ALPHABET[(bits >> (18 - 6 * place)) as usize & 63]));
            }
        }
        text
    }
}
