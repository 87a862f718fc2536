//! Tokens are verified by this crate's own backend, whichever the program around it has installed for `jsonwebtoken`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]

use std::{
    convert::Infallible,
    time::{Duration, UNIX_EPOCH},
};

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use gatewright_auth::{Algorithm, AuthLayer, Clock, Jwks, Jwt};
use http::{Request, Response, StatusCode, header::AUTHORIZATION};
use jsonwebtoken::{
    crypto::{CryptoProvider, KeyUtils},
    errors::{ErrorKind, new_error},
};
use tower::{Layer, ServiceExt, service_fn};

/// A backend that verifies nothing.
static OTHER: CryptoProvider = CryptoProvider {
    signer_factory: |_, _| Err(new_error(ErrorKind::UnsupportedAlgorithm)),
    verifier_factory: |_, _| Err(new_error(ErrorKind::UnsupportedAlgorithm)),
    key_utils: KeyUtils::new_unimplemented(),
};

fn token(secret: &[u8]) -> String {
    let header = URL_SAFE_NO_PAD.encode(br#"{"alg":"HS256"}"#);
    let claims = URL_SAFE_NO_PAD.encode(br#"{"iss":"i","aud":"a","sub":"u","exp":2000}"#);
    let message = format!("{header}.{claims}");
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

async fn status(token: &str) -> StatusCode {
    let jwt = Jwt::new(Jwks::secret(Algorithm::Hs256, &[7; 32]).unwrap())
        .issuer("i")
        .audience("a")
        .clock(Clock::from_fn(|| UNIX_EPOCH + Duration::from_secs(1000)));
    let service = AuthLayer::new(jwt)
        .layer(service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(String::new()))));
    let request = Request::get("/").header(AUTHORIZATION, format!("Bearer {token}")).body(()).unwrap();
    service.oneshot(request).await.unwrap().status()
}

#[tokio::test]
async fn the_programs_own_backend_can_be_installed_at_any_time_and_is_not_asked() {
    assert_eq!(status(&token(&[7; 32])).await, StatusCode::OK);
    OTHER.install_default().expect("a verified token has installed no backend for the process");
    assert_eq!(status(&token(&[7; 32])).await, StatusCode::OK);
    assert_eq!(status(&token(&[8; 32])).await, StatusCode::UNAUTHORIZED);
}
