//! Whatever a token says, and whoever signs it.

use gatewright_auth::{Algorithm, AuthLayer, Jwks, Jwt};
use http::{HeaderValue, Request};
use proptest::{collection::vec, prelude::*};
use serde_json::{Map, Value, json};

use crate::{
    asking::{ask, bearer, clock_at, jwt},
    keys::{Signer, base64url},
    token::{NOW, sign_text},
};

const SECRET: [u8; 32] = [9; 32];

fn layer() -> AuthLayer<Jwt> {
    let keys = Jwks::secret(Algorithm::Hs256, &SECRET).unwrap();
    let jwt = Jwt::new(keys).issuer("i").audience("a").claim_header("x-name".parse().unwrap(), "name");
    AuthLayer::new(jwt.clock(clock_at(NOW)))
}

fn now<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// Any JSON, and often what is nearly right.
fn value() -> impl Strategy<Value = Value> {
    let times = prop_oneof![
        (NOW - 20..NOW + 20).prop_map(Value::from),
        (NOW as f64 - 10.0..NOW as f64 + 10.0).prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
    ];
    let texts = prop_oneof![Just("i"), Just("a"), Just(""), Just("none"), Just("HS256"), Just("JWT")];
    let leaf = prop_oneof![
        times,
        texts.prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec(("[a-z]{1,3}", inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// A good object, in which some members have another value and some are gone.
fn changed(good: Value, names: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let change = (proptest::sample::select(names), proptest::option::weighted(0.8, value()));
    vec(change, 0..4).prop_map(move |changes| {
        let mut object = good.as_object().unwrap().clone();
        for (name, value) in changes {
            match value {
                Some(value) => object.insert(name.to_owned(), value),
                None => object.remove(name),
            };
        }
        Value::Object(object)
    })
}

fn header() -> impl Strategy<Value = Value> {
    let names = &["alg", "kid", "typ", "crit", "cty", "zip", "b64", "enc", "jwk", "jku", "x5c", "x"];
    changed(json!({"alg": "HS256"}), names)
}

fn claims() -> impl Strategy<Value = Value> {
    let good = json!({"iss": "i", "aud": "a", "sub": "u1", "exp": NOW + 60});
    changed(good, &["iss", "aud", "sub", "exp", "nbf", "iat", "scope", "scp", "name", "x"])
}

/// What RFC 7519 and the settings ask for, said another way.
fn may_pass(header: &Value, claims: &Value) -> bool {
    let ahead = |claim: &Value| claim.as_f64().is_some_and(|at| at <= NOW as f64 + 5.0);
    let is_absent_or = |name: &str, holds: &dyn Fn(&Value) -> bool| claims.get(name).is_none_or(holds);
    let for_us = match &claims["aud"] {
        Value::Array(list) => list.iter().any(|one| one == "a"),
        one => one == "a",
    };
    header["alg"] == "HS256"
        && ["crit", "cty", "zip", "enc"].iter().all(|name| header.get(*name).is_none())
        && claims["iss"] == "i"
        && for_us
        && claims["sub"].as_str().is_some_and(|sub| !sub.is_empty())
        && claims["exp"].as_f64().is_some_and(|end| end > NOW as f64 - 5.0)
        && is_absent_or("nbf", &ahead)
        && is_absent_or("iat", &ahead)
}

proptest! {
    #[test]
    fn a_token_of_the_right_key_passes_only_when_all_that_it_says_is_right(header in header(), claims in claims()) {
        let token =
            sign_text(&header.to_string(), &claims.to_string(), &Signer::Secret(SECRET.into()), Algorithm::Hs256);
        let asked = now(ask(&layer(), bearer(&token)));
        prop_assert!(matches!(asked.status, 200 | 401));
        if asked.status == 200 {
            prop_assert!(may_pass(&header, &claims), "{header} {claims}");
        } else {
            prop_assert!(asked.rejection.is_some_and(|reason| reason.starts_with("jwt_")));
            prop_assert!(asked.upstream.is_none());
        }
    }

    #[test]
    fn a_token_of_another_key_never_passes(header in header(), claims in claims(), secret in vec(any::<u8>(), 0..64)) {
        prop_assume!(secret != SECRET);
        let token = sign_text(&header.to_string(), &claims.to_string(), &Signer::Secret(secret), Algorithm::Hs256);
        prop_assert_eq!(now(ask(&layer(), bearer(&token))).status, 401);
    }

    #[test]
    fn whatever_stands_where_a_token_should_is_refused(
        octets in vec(any::<u8>(), 0..200),
        parts in vec("[A-Za-z0-9_.=-]{0,40}", 0..6),
        query in "[ -~]{0,60}",
    ) {
        let layer = AuthLayer::new(jwt().from_cookie("session").from_query("t"));
        let text = parts.join(".");
        for token in [&octets[..], text.as_bytes()] {
            for (name, before) in [("authorization", &b"Bearer "[..]), ("authorization", b"bearer"), ("cookie", b"session=")] {
                let Ok(value) = HeaderValue::from_bytes(&[before, token].concat()) else { continue };
                let request = Request::get("/").header(name, value).body(()).unwrap();
                prop_assert_eq!(now(ask(&layer, request)).status, 401);
            }
            let jwt = format!("{}.{}.{}", base64url(token), base64url(token), base64url(token));
            prop_assert_eq!(now(ask(&layer, bearer(&jwt))).status, 401);
        }
        if let Ok(request) = Request::get(format!("/?t={query}")).body(()) {
            prop_assert_eq!(now(ask(&layer, request)).status, 401);
        }
    }
}
