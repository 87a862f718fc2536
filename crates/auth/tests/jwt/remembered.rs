//! Tokens that are remembered hold no longer than they would have otherwise.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, UNIX_EPOCH},
};

use gatewright_auth::{Algorithm, AuthLayer, Clock, Jwks, Jwt};
use serde_json::json;

use crate::{
    asking::{ask, bearer, jwks, jwt},
    keys::{self, Signer},
    token::{NOW, Token},
};

fn clock() -> (Arc<AtomicU64>, Clock) {
    let seconds = Arc::new(AtomicU64::new(NOW));
    let now = Arc::clone(&seconds);
    (seconds, Clock::from_fn(move || UNIX_EPOCH + Duration::from_secs(now.load(Ordering::SeqCst))))
}

#[tokio::test]
async fn a_remembered_token_ends_with_its_end_and_begins_with_its_start() {
    let (seconds, clock) = clock();
    let layer = AuthLayer::new(jwt().clock(clock));
    let token = Token::good().claim("exp", json!(NOW + 60)).claim("nbf", json!(NOW)).no_claim("iat").signed();
    for (now, expected) in [
        (NOW, None),
        (NOW, None),
        (NOW + 64, None),
        (NOW + 65, Some("jwt_expired")),
        (NOW + 64, None),
        (NOW - 6, Some("jwt_not_yet_valid")),
        (NOW - 5, None),
    ] {
        seconds.store(now, Ordering::SeqCst);
        assert_eq!(ask(&layer, bearer(&token)).await.rejection.as_deref(), expected, "{now}");
    }
}

#[tokio::test]
async fn tokens_of_a_key_that_is_taken_out_of_its_file_are_remembered_no_longer() {
    let folder = std::env::temp_dir().join(format!("gatewright-auth-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("jwks.json");
    let with = |signer: &Signer| fs::write(&file, signer.jwk("rsa", Algorithm::Rs256).to_string()).unwrap();
    with(keys::rsa());
    let (_, clock) = clock();
    let jwt = Jwt::new(Jwks::file(&file).unwrap()).issuer("https://id.example/").audience("api").clock(clock);
    let layer = AuthLayer::new(jwt);
    let token = Token::good().signed();
    assert_eq!(ask(&layer, bearer(&token)).await.status, 200);
    assert_eq!(ask(&layer, bearer(&token)).await.status, 200);

    fs::write(&file, "{ broken").unwrap();
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(ask(&layer, bearer(&token)).await.status, 200, "a bad file changes nothing");

    with(keys::attacker());
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    loop {
        let asked = ask(&layer, bearer(&token)).await;
        if asked.status != 200 {
            assert_eq!(asked.rejection.as_deref(), Some("jwt_bad_signature"));
            break;
        }
        assert!(std::time::Instant::now() < deadline, "the file was never read again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
async fn other_settings_know_nothing_of_what_was_remembered_before() {
    let lax = jwt();
    let token = Token::good().signed();
    assert_eq!(ask(&AuthLayer::new(lax.clone()), bearer(&token)).await.status, 200);
    let strict = lax.clone().require_claim("nothing");
    let asked = ask(&AuthLayer::new(strict), bearer(&token)).await;
    assert_eq!(asked.rejection.as_deref(), Some("jwt_missing_claim"));
    assert_eq!(ask(&AuthLayer::new(lax), bearer(&token)).await.status, 200);
}

#[tokio::test]
async fn without_a_cache_tokens_are_verified_each_time() {
    let layer = AuthLayer::new(jwt().cache_capacity(0));
    let token = Token::good().signed();
    for _ in 0..3 {
        assert_eq!(ask(&layer, bearer(&token)).await.status, 200);
    }
    let any = Jwt::new(jwks()).any_issuer().any_audience().cache_capacity(4).clock(clock().1);
    let layer = AuthLayer::new(any);
    for number in 0..100 {
        let token = Token::good().claim("jti", json!(number)).signed();
        assert_eq!(ask(&layer, bearer(&token)).await.status, 200);
    }
}
