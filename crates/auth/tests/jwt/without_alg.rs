//! Keys that do not say their algorithm: the allowed algorithms decide, within the family of the key.

use gatewright_auth::{Algorithm, AuthLayer, Jwks, Jwt};
use serde_json::{Value, json};

use crate::{
    asking::{ask, bearer, clock_at},
    keys::{Signer, ec, other, rsa},
    token::{NOW, Token},
};

/// A layer with this one key, and these algorithms if there are any.
fn layer(jwk: &Value, algorithms: &[Algorithm]) -> AuthLayer<Jwt> {
    let keys = Jwks::from_json(json!({"keys": [jwk]}).to_string().as_bytes()).unwrap();
    let jwt = Jwt::new(keys).issuer("https://id.example/").audience("api").clock(clock_at(NOW));
    let jwt = if algorithms.is_empty() { jwt } else { jwt.algorithms(algorithms.iter().copied()) };
    AuthLayer::new(jwt)
}

fn without_alg(signer: &Signer) -> Value {
    let mut jwk = signer.jwk("k", Algorithm::Rs256);
    jwk.as_object_mut().unwrap().remove("alg");
    jwk
}

fn token(signer: &Signer, algorithm: Algorithm) -> String {
    Token::good().header("alg", json!(algorithm.name())).header("kid", json!("k")).signed_by(signer, algorithm)
}

/// The algorithms of a signer whose tokens are taken.
async fn taken(layer: &AuthLayer<Jwt>, signer: &Signer, tried: &[Algorithm]) -> Vec<Algorithm> {
    let mut taken = Vec::new();
    for algorithm in tried {
        let asked = ask(layer, bearer(&token(signer, *algorithm))).await;
        match asked.status {
            200 => taken.push(*algorithm),
            _ => assert_eq!(asked.rejection.as_deref(), Some("jwt_wrong_algorithm"), "{algorithm}"),
        }
    }
    taken
}

const RSA: [Algorithm; 6] = [
    Algorithm::Rs256,
    Algorithm::Rs384,
    Algorithm::Rs512,
    Algorithm::Ps256,
    Algorithm::Ps384,
    Algorithm::Ps512,
];

#[tokio::test]
async fn an_rsa_key_takes_the_algorithms_that_are_allowed() {
    let jwk = without_alg(rsa());
    // Where nothing is said, it is for RS256 alone.
    assert_eq!(taken(&layer(&jwk, &[]), rsa(), &RSA).await, [Algorithm::Rs256]);
    for only in RSA {
        assert_eq!(taken(&layer(&jwk, &[only]), rsa(), &RSA).await, [only]);
        // Those of other families are nothing to it.
        let mixed = [Algorithm::Es256, only, Algorithm::Hs256];
        assert_eq!(taken(&layer(&jwk, &mixed), rsa(), &RSA).await, [only]);
    }
    let several = [Algorithm::Rs256, Algorithm::Ps256];
    assert_eq!(taken(&layer(&jwk, &several), rsa(), &RSA).await, several);
    assert_eq!(taken(&layer(&jwk, &[Algorithm::Es256, Algorithm::EdDsa]), rsa(), &RSA).await, []);
}

#[tokio::test]
async fn a_key_that_says_its_algorithm_keeps_to_it() {
    let jwk = rsa().jwk("k", Algorithm::Rs512);
    assert_eq!(taken(&layer(&jwk, &[]), rsa(), &RSA).await, [Algorithm::Rs512]);
    assert_eq!(taken(&layer(&jwk, &RSA), rsa(), &RSA).await, [Algorithm::Rs512]);
    assert_eq!(taken(&layer(&jwk, &[Algorithm::Ps512]), rsa(), &RSA).await, []);
}

#[tokio::test]
async fn a_curve_is_for_one_algorithm_whatever_is_allowed() {
    let curves = [Algorithm::Es256, Algorithm::Es384, Algorithm::Es512];
    let jwk = without_alg(ec());
    for allowed in [&[][..], &[Algorithm::Es256], &curves, &[Algorithm::Rs256, Algorithm::Es256]] {
        let taken = taken(&layer(&jwk, allowed), ec(), &[Algorithm::Es256]).await;
        assert_eq!(taken, [Algorithm::Es256], "{allowed:?}");
    }
    assert_eq!(taken(&layer(&jwk, &[Algorithm::Es384]), ec(), &[Algorithm::Es256]).await, []);
    let jwk = without_alg(other());
    for allowed in [&[][..], &[Algorithm::EdDsa], &[Algorithm::Ps256, Algorithm::EdDsa]] {
        let taken = taken(&layer(&jwk, allowed), other(), &[Algorithm::EdDsa]).await;
        assert_eq!(taken, [Algorithm::EdDsa], "{allowed:?}");
    }
    assert_eq!(taken(&layer(&jwk, &[Algorithm::Es256]), other(), &[Algorithm::EdDsa]).await, []);
}

#[tokio::test]
async fn a_public_key_is_never_a_secret() {
    for signer in [rsa(), ec(), other()] {
        let hashes = [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512];
        let layer = layer(&without_alg(signer), &[&hashes[..], &RSA, &[Algorithm::Es256]].concat());
        let der = signer.pem().into_bytes();
        let jwk = without_alg(signer).to_string().into_bytes();
        for secret in [der, jwk] {
            assert_eq!(taken(&layer, &Signer::Secret(secret), &hashes).await, []);
        }
    }
}

#[tokio::test]
async fn a_signature_of_another_padding_does_not_pass() {
    let layer = layer(&without_alg(rsa()), &[Algorithm::Rs256, Algorithm::Ps256]);
    for (said, made) in [(Algorithm::Rs256, Algorithm::Ps256), (Algorithm::Ps256, Algorithm::Rs256)] {
        let token = Token::good().header("alg", json!(said.name())).header("kid", json!("k"));
        let asked = ask(&layer, bearer(&token.signed_by(rsa(), made))).await;
        assert_eq!(asked.rejection.as_deref(), Some("jwt_bad_signature"), "{said} {made}");
    }
}

#[tokio::test]
async fn a_shared_secret_takes_the_algorithms_that_are_allowed_and_none_where_nothing_is_said() {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

    const HMAC: [Algorithm; 3] = [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512];
    let of = |secret: &[u8]| json!({"kty": "oct", "kid": "k", "k": URL_SAFE_NO_PAD.encode(secret)});
    let (short, long) = ([7; 32], [7; 64]);
    let signer = Signer::Secret(long.to_vec());
    assert_eq!(taken(&layer(&of(&long), &[]), &signer, &HMAC).await, []);
    for only in HMAC {
        assert_eq!(taken(&layer(&of(&long), &[only]), &signer, &HMAC).await, [only]);
    }
    let signer = Signer::Secret(short.to_vec());
    assert_eq!(taken(&layer(&of(&short), &[Algorithm::Hs512]), &signer, &HMAC).await, []);
    assert_eq!(taken(&layer(&of(&short), &[Algorithm::Hs256]), &signer, &HMAC).await, [Algorithm::Hs256]);
}
