//! No `Debug` output and no error shows a secret.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]

use std::fmt::Debug;

use gatewright_auth::{Algorithm, Any, ApiKeys, AuthLayer, Authenticate, Authenticator, Jwks, Jwt, NewApiKey};
use http::{Request, request::Parts};

const SECRET: &str = "correct horse battery staple, 32";

/// What of it may be found in a text that shows it in one way or another.
fn shown(secret: &str) -> [String; 4] {
    let octets = secret.as_bytes()[..8].iter();
    let decimal: Vec<_> = octets.clone().map(u8::to_string).collect();
    let hexadecimal: String = octets.map(|octet| format!("{octet:02x}")).collect();
    [secret.to_owned(), secret[..8].to_owned(), decimal.join(", "), hexadecimal]
}

fn assert_hidden(what: &dyn Debug, secret: &str) {
    for text in [format!("{what:?}"), format!("{what:#?}").replace([' ', '\n'], "").replace(',', ", ")] {
        assert!(!text.is_empty(), "it is shown as something");
        for secret in shown(secret) {
            assert!(!text.contains(&secret), "{secret} in {text}");
        }
    }
}

fn request(name: &str, value: &str) -> Parts {
    Request::get("/").header(name, value).body(()).unwrap().into_parts().0
}

#[test]
fn shared_secrets_peppers_and_keys_are_not_printed() {
    let keys = Jwks::secret(Algorithm::Hs256, SECRET.as_bytes()).unwrap();
    assert_hidden(&keys, SECRET);
    let jwt = Jwt::new(keys).issuer("i").audience("a");
    assert_hidden(&jwt, SECRET);
    assert_hidden(&AuthLayer::new(jwt.clone()).into_policy(), SECRET);
    assert_hidden(&Any::of(jwt.clone()), SECRET);
    assert_hidden(&Authenticator::new(jwt), SECRET);
    let short = Jwks::secret(Algorithm::Hs512, SECRET.as_bytes()).unwrap_err();
    assert_hidden(&short, SECRET);
    assert!(!short.to_string().contains(SECRET));

    let key = NewApiKey::builder("acme").pepper(SECRET.as_bytes());
    assert_hidden(&key, SECRET);
    let key = key.generate().unwrap();
    assert_hidden(&key, key.secret());
    let builder = ApiKeys::from_yaml(key.entry()).pepper(SECRET.as_bytes());
    assert_hidden(&builder, SECRET);
    let keys = builder.build().unwrap();
    assert_hidden(&keys, SECRET);
    assert_hidden(&keys.authenticate(&request("x-api-key", key.secret())), key.secret());
    let in_clear = ApiKeys::from_yaml(format!("- name: a\n  hash: {0}\n- name: {0}\n", key.secret()));
    let error = in_clear.build().unwrap_err();
    assert_hidden(&error, key.secret());
    assert!(!format!("{error} {:?}", error.content()).contains(key.secret()));
}

#[cfg(feature = "basic")]
#[tokio::test]
async fn passwords_are_not_printed() {
    use gatewright_auth::{Attempt, Basic};
    // `battery staple`
    let basic = Basic::from_htpasswd("anna:$2b$04$4rjFuFy00FgPSN5B2QMc/eU1OU9iY2duke41/gQtUtuJ4YSSc1A2a");
    let basic = basic.build().unwrap();
    let attempt = basic.authenticate(&request("authorization", "Basic YW5uYTpiYXR0ZXJ5IHN0YXBsZQ=="));
    assert_hidden(&attempt, "battery staple");
    assert_hidden(&attempt, "YW5uYTpiYXR0ZXJ5IHN0YXBsZQ==");
    let Attempt::Later(verification) = attempt else { panic!("it takes time") };
    assert_hidden(&verification.await, "battery staple");
    assert_hidden(&basic, "battery staple");
}

#[cfg(feature = "remote")]
#[test]
fn the_gateways_own_secret_with_an_issuer_is_not_printed() {
    use gatewright_auth::Introspection;
    let builder = Introspection::builder("https://id.example/introspect").client("gateway", "a horse's staple");
    assert_hidden(&builder, "a horse's staple");
    // `gateway:`, and what follows.
    assert_hidden(&builder, "Z2F0ZXdheTph");
    let built = builder.ca(rcgen::generate_simple_self_signed([]).unwrap().cert.pem()).build().unwrap();
    assert_hidden(&built, "a horse's staple");
    assert_hidden(&built, "Z2F0ZXdheTph");
    let attempt = built.authenticate(&request("authorization", "Bearer opaque-and-secret"));
    assert_hidden(&attempt, "opaque-and-secret");
    let gatewright_auth::Attempt::Later(asking) = attempt else { panic!("it takes time") };
    assert_hidden(&asking, "opaque-and-secret");
}
