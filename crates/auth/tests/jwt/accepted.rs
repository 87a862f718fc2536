//! Tokens that are let in, and what is made of them.

use std::time::Duration;

use gatewright_auth::{Algorithm, AuthLayer, Jwks, Jwt};
use http::Request;
use serde_json::json;

use crate::{
    asking::{ask, bearer, clock_at, jwt},
    keys::{self, Signer},
    token::{NOW, Token, sign_text},
};

pub(crate) const ALL: [Algorithm; 13] = [
    Algorithm::Hs256,
    Algorithm::Hs384,
    Algorithm::Hs512,
    Algorithm::Rs256,
    Algorithm::Rs384,
    Algorithm::Rs512,
    Algorithm::Ps256,
    Algorithm::Ps384,
    Algorithm::Ps512,
    Algorithm::Es256,
    Algorithm::Es384,
    Algorithm::Es512,
    Algorithm::EdDsa,
];

fn of(keys: Jwks) -> AuthLayer<Jwt> {
    AuthLayer::new(Jwt::new(keys).issuer("https://id.example/").audience("api").clock(clock_at(NOW)))
}

#[tokio::test]
async fn tokens_of_all_algorithms_are_verified_by_json_web_keys_and_by_pem() {
    for algorithm in ALL {
        let signer = Signer::of(algorithm);
        let token = Token::good().header("alg", json!(algorithm.name())).header("kid", json!("k"));
        let token = token.signed_by(&signer, algorithm);
        let jwk = signer.jwk("k", algorithm).to_string();
        let keys = match &signer {
            Signer::Secret(secret) => Jwks::secret(algorithm, secret),
            _ => Jwks::pem(algorithm, signer.pem().as_bytes()),
        };
        for keys in [Jwks::from_json(jwk.as_bytes()), keys] {
            let asked = ask(&of(keys.unwrap()), bearer(&token)).await;
            assert_eq!(asked.status, 200, "{algorithm}: {:?}", asked.rejection);
            assert_eq!(asked.principal.unwrap().id(), "u1");
        }
        // The same kind of key, and another one.
        let others = Jwks::from_json(Signer::of(algorithm).jwk("k", algorithm).to_string().as_bytes()).unwrap();
        if !matches!(signer, Signer::Secret(_)) {
            assert_eq!(ask(&of(others), bearer(&token)).await.rejection.as_deref(), Some("jwt_bad_signature"));
        }
    }
}

#[tokio::test]
async fn the_name_of_rfc_9864_is_one_of_eddsa_too() {
    let token = Token::good().header("alg", json!("Ed25519")).header("kid", json!("other"));
    let token = token.claim("iss", json!("https://other.example/")).signed_by(keys::other(), Algorithm::EdDsa);
    assert_eq!(ask(&AuthLayer::new(jwt()), bearer(&token)).await.status, 200);
}

#[tokio::test]
async fn a_key_without_an_algorithm_verifies_the_one_of_its_kind() {
    let mut rsa = keys::rsa().jwk("rsa", Algorithm::Rs256);
    rsa.as_object_mut().unwrap().remove("alg");
    let layer = of(Jwks::from_json(rsa.to_string().as_bytes()).unwrap());
    assert_eq!(ask(&layer, bearer(&Token::good().signed())).await.status, 200);
    let token = Token::good().header("alg", json!("PS256")).signed_by(keys::rsa(), Algorithm::Ps256);
    assert_eq!(ask(&layer, bearer(&token)).await.rejection.as_deref(), Some("jwt_wrong_algorithm"));
}

#[tokio::test]
async fn a_token_that_names_no_key_is_tried_with_those_of_its_algorithm() {
    let old = Signer::rsa();
    let keys = json!({"keys": [old.jwk("old", Algorithm::Rs256), keys::rsa().jwk("new", Algorithm::Rs256)]});
    let layer = of(Jwks::from_json(keys.to_string().as_bytes()).unwrap());
    assert_eq!(ask(&layer, bearer(&Token::good().no_header("kid").signed())).await.status, 200);
}

#[tokio::test]
async fn the_principal_has_what_the_token_says() {
    let asked = ask(&AuthLayer::new(jwt()), bearer(&Token::good().signed())).await;
    let principal = asked.principal.unwrap();
    assert_eq!((principal.id(), principal.method()), ("u1", "jwt"));
    assert!(principal.has_scope("orders:read") && principal.has_scope("orders:write"));
    assert!(!principal.has_scope("orders"));
    assert_eq!(principal.claim("tenant"), Some(&json!("t1")));
}

#[tokio::test]
async fn scopes_stand_in_scope_and_scp_as_words_or_as_a_list() {
    for (scope, scp, expected) in [
        (json!("a b"), json!(null), vec!["a", "b"]),
        (json!(["a", "b c"]), json!(null), vec!["a", "b", "c"]),
        (json!(null), json!("a b"), vec!["a", "b"]),
        (json!(""), json!(["c"]), vec!["c"]),
        (json!({"a": 1}), json!(7), vec!["7"]),
    ] {
        let token = Token::good().claim("scope", scope).claim("scp", scp).signed();
        let asked = ask(&AuthLayer::new(jwt()), bearer(&token)).await;
        assert_eq!(asked.principal.unwrap().scopes().collect::<Vec<_>>(), expected);
    }
    let token = Token::good().claim("perms", json!({"api": ["x"]})).signed();
    let asked = ask(&AuthLayer::new(jwt().scope_claim("perms.api")), bearer(&token)).await;
    assert_eq!(asked.principal.unwrap().scopes().collect::<Vec<_>>(), ["x"]);
}

#[tokio::test]
async fn the_settings_of_an_issuer_hold() {
    let token = Token::good();
    let reason =
        async |jwt: Jwt, token: &Token| ask(&AuthLayer::new(jwt), bearer(&token.signed())).await.rejection;
    let reason = async |jwt, token| reason(jwt, token).await.unwrap_or_default();

    assert_eq!(reason(jwt().algorithms([Algorithm::Rs256]), &token).await, "");
    assert_eq!(reason(jwt().algorithms([Algorithm::Es256]), &token).await, "jwt_wrong_algorithm");

    assert_eq!(reason(jwt().types(["application/AT+JWT"]), &token).await, "jwt_wrong_type");
    let access = token.clone().header("typ", json!("at+jwt"));
    assert_eq!(reason(jwt().types(["application/AT+JWT"]), &access).await, "");
    assert_eq!(reason(jwt(), &access).await, "");
    let untyped = token.clone().no_header("typ");
    assert_eq!(reason(jwt().types(["at+jwt"]), &untyped).await, "jwt_wrong_type");

    let late = token.clone().claim("exp", json!(NOW - 8));
    assert_eq!(reason(jwt(), &late).await, "jwt_expired");
    assert_eq!(reason(jwt().leeway(Duration::from_secs(9)), &late).await, "");
    let late = token.clone().claim("exp", json!(NOW - 59));
    assert_eq!(reason(jwt().leeway(Duration::from_secs(60)), &late).await, "");
    let later = token.clone().claim("exp", json!(NOW - 61));
    assert_eq!(reason(jwt().leeway(Duration::from_secs(3600)), &later).await, "jwt_expired");
    let just = token.clone().claim("exp", json!(NOW - 1));
    assert_eq!(reason(jwt().leeway(Duration::ZERO), &just).await, "jwt_expired");

    assert_eq!(reason(jwt().max_age(Duration::from_secs(120)), &token).await, "");
    assert_eq!(reason(jwt().max_age(Duration::from_secs(30)), &token).await, "jwt_too_old");

    assert_eq!(reason(jwt().require_claim("realm_access.roles"), &token).await, "");
    assert_eq!(reason(jwt().require_claim("realm_access.groups"), &token).await, "jwt_missing_claim");
    assert_eq!(reason(jwt().require_claim_value("realm_access.roles", ["x", "admin"]), &token).await, "");
    assert_eq!(reason(jwt().require_claim_value("realm_access.roles", ["x"]), &token).await, "jwt_wrong_claim");

    assert_eq!(reason(jwt().max_size(100), &token).await, "jwt_too_large");
    let billing = token.clone().claim("aud", json!(["billing", "users"]));
    assert_eq!(reason(jwt().audience("users"), &billing).await, "");

    let asked = ask(&AuthLayer::new(jwt().subject_claim("tenant")), bearer(&token.signed())).await;
    assert_eq!(asked.principal.unwrap().id(), "t1");
}

#[tokio::test]
async fn any_issuer_and_any_audience_have_to_be_asked_for() {
    let bare = Token::good().no_claim("iss").no_claim("aud").signed();
    let keys = || crate::asking::jwks();
    let any = Jwt::new(keys()).any_issuer().any_audience().clock(clock_at(NOW));
    assert_eq!(ask(&AuthLayer::new(any.clone()), bearer(&bare)).await.status, 200);
    assert_eq!(ask(&AuthLayer::new(any.clone()), bearer(&Token::good().signed())).await.status, 200);
    // An audience that is said then holds.
    let asked = ask(&AuthLayer::new(any.audience("users")), bearer(&Token::good().signed())).await;
    assert_eq!(asked.rejection.as_deref(), Some("jwt_wrong_audience"));
    let nobody = Jwt::new(keys()).issuer("https://id.example/").audiences([""; 0]).clock(clock_at(NOW));
    let asked = ask(&AuthLayer::new(nobody), bearer(&Token::good().signed())).await;
    assert_eq!(asked.rejection.as_deref(), Some("jwt_wrong_audience"));
}

#[tokio::test]
async fn the_example_of_rfc_7515_is_let_in_at_its_time() {
    let secret = r#"{"kty":"oct","alg":"HS256","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}"#;
    let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leG\
                 FtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    for (now, status) in [(1_300_819_379, 200), (1_300_819_380, 401)] {
        let keys = Jwks::from_json(secret.as_bytes()).unwrap();
        let jwt = Jwt::new(keys).issuer("joe").any_audience().subject_claim("iss").leeway(Duration::ZERO);
        assert_eq!(ask(&AuthLayer::new(jwt.clock(clock_at(now))), bearer(token)).await.status, status);
    }
}

#[tokio::test]
async fn a_token_is_looked_for_where_it_is_asked_to_be() {
    let token = Token::good().signed();
    let jwt = jwt().from_cookie("session").from_query("access_token").from_header("x-token".parse().unwrap());
    let layer = AuthLayer::new(jwt);
    for request in [
        Request::get("/").header("authorization", format!("bearer {token}")),
        Request::get("/").header("cookie", format!("a=b; session={token}")),
        Request::get(format!("/?access_token={token}")),
        Request::get("/").header("x-token", &token),
    ] {
        assert_eq!(ask(&layer, request.body(()).unwrap()).await.status, 200);
    }
    let both = Request::get(format!("/?access_token={token}")).header("cookie", format!("session={token}"));
    assert_eq!(ask(&layer, both.body(()).unwrap()).await.rejection.as_deref(), Some("jwt_several"));
    // Not where nobody asked for it.
    let plain = AuthLayer::new(crate::asking::jwt());
    let request = Request::get(format!("/?access_token={token}")).header("cookie", format!("session={token}"));
    assert_eq!(ask(&plain, request.body(()).unwrap()).await.rejection.as_deref(), Some("no_credential"));
}

#[tokio::test]
async fn text_around_the_json_is_of_no_account() {
    let claims = format!(" \n{} ", Token::good().claims);
    let token = sign_text(" {\"alg\":\"RS256\",\r\n \"kid\":\"rsa\"} ", &claims, keys::rsa(), Algorithm::Rs256);
    assert_eq!(ask(&AuthLayer::new(jwt()), bearer(&token)).await.status, 200);
}
