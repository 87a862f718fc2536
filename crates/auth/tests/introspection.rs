//! What a program sees of introspection without a provider.

#![cfg(feature = "remote")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]

use gatewright_auth::{Authenticate, Authenticator, Cause, Introspection};

#[test]
fn a_caller_without_a_token_is_asked_for_a_bearers() {
    let builder = Introspection::builder("https://id.example/introspect").client("gateway", "a horse's staple");
    let asks = builder.ca(rcgen::generate_simple_self_signed([]).unwrap().cert.pem()).build().unwrap();
    let challenges: Vec<_> = asks.challenges(Cause::NoCredential).iter().map(ToString::to_string).collect();
    assert_eq!(challenges, ["Bearer"]);
    // Whatever it is wrapped in, logs call it by its own name.
    let name = asks.name();
    assert_eq!(Authenticator::new(asks).name(), name);
    assert_eq!(name, "introspection");
}
