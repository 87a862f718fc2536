//! What the layer allocates for a credential that it knows.

#![allow(
    unsafe_code,
    reason = "a counting allocator cannot be written without it; it only counts and hands on"
)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    convert::Infallible,
    future::ready,
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::KeySize,
    signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use gatewright_auth::{ApiKeys, AuthLayer, Clock, Jwks, Jwt, Mtls, NewApiKey};
use gatewright_core::{ConnectionInfo, RequestRecord, TlsInfo};
use http::{HeaderMap, HeaderValue, Request, Response, header::AUTHORIZATION};
use serde_json::json;
use tower::{Layer, Service, ServiceExt, service_fn};

struct Counting;

thread_local!(static COUNT: Cell<u64> = const { Cell::new(0) });

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: as above.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn jwt_and_token() -> (Jwt, String) {
    let key = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let der = key.public_key().as_ref();
    let encode = |octets: &[u8]| URL_SAFE_NO_PAD.encode(octets);
    let jwk = json!({"kty": "RSA", "kid": "k", "n": encode(&der[der.len() - 261..der.len() - 5]), "e": "AQAB"});
    let header = encode(br#"{"alg":"RS256","kid":"k"}"#);
    let claims =
        json!({"iss": "i", "aud": "a", "sub": "u1", "exp": 2000, "scope": "x y", "groups": ["a", "b"]});
    let message = format!("{header}.{}", encode(claims.to_string().as_bytes()));
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature).unwrap();
    let jwt = Jwt::new(Jwks::from_json(jwk.to_string().as_bytes()).unwrap())
        .issuer("i")
        .audience("a")
        .claim_header("x-user-id".parse().unwrap(), "sub")
        .claim_header("x-groups".parse().unwrap(), "groups")
        .clock(Clock::from_fn(|| UNIX_EPOCH + Duration::from_secs(1000)));
    (jwt, format!("{message}.{}", encode(&signature)))
}

/// A request as a server hands it on: with a record, and room in its headers.
fn request(value: &HeaderValue) -> Request<()> {
    let mut request = Request::new(());
    *request.headers_mut() = HeaderMap::with_capacity(16);
    request.headers_mut().insert(AUTHORIZATION, value.clone());
    request.extensions_mut().insert(RequestRecord::new(None));
    request
}

async fn count<S>(service: &mut S, value: &HeaderValue) -> u64
where
    S: Service<Request<()>, Error = Infallible>,
{
    count_of(service, request(value)).await
}

async fn count_of<S>(service: &mut S, request: Request<()>) -> u64
where
    S: Service<Request<()>, Error = Infallible>,
{
    let before = COUNT.get();
    let response = service.ready().await.unwrap().call(request).await.unwrap();
    let count = COUNT.get() - before;
    drop(response);
    count
}

#[tokio::test]
async fn a_token_that_is_remembered_costs_no_allocation() {
    let (jwt, token) = jwt_and_token();
    let value = HeaderValue::try_from(format!("Bearer {token}")).unwrap();
    let mut service = AuthLayer::new(jwt)
        .scopes(["x"])
        .roles("groups", ["b"])
        .layer(service_fn(|_: Request<()>| ready(Ok::<_, Infallible>(Response::new(())))));
    // The first is verified, and the second makes its headers' names and values shareable.
    let first = count(&mut service, &value).await;
    count(&mut service, &value).await;
    for _ in 0..10 {
        assert_eq!(count(&mut service, &value).await, 0, "the first took {first}");
    }
}

#[tokio::test]
async fn a_key_costs_no_allocation() {
    let key = NewApiKey::builder("a").scope("x").limit("5/s").generate().unwrap();
    let keys = ApiKeys::from_yaml(key.entry()).owner_header("x-owner".parse().unwrap()).build().unwrap();
    let mut service = AuthLayer::new(keys)
        .scopes(["x"])
        .layer(service_fn(|_: Request<()>| ready(Ok::<_, Infallible>(Response::new(())))));
    let value = HeaderValue::try_from(key.secret()).unwrap();
    let request_with_key = || {
        let mut request = request(&HeaderValue::from_static("other"));
        request.headers_mut().insert("x-api-key", value.clone());
        request
    };
    count_of(&mut service, request_with_key()).await;
    for _ in 0..10 {
        assert_eq!(count_of(&mut service, request_with_key()).await, 0);
    }
}

#[tokio::test]
async fn a_certificate_that_was_read_costs_no_allocation() {
    let params = rcgen::CertificateParams::new(["d7.example.com".to_owned()]).unwrap();
    let certificate = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], 443));
    let tls = TlsInfo::new().with_certificates([certificate.der().to_vec().into()]);
    let connection = Arc::new(ConnectionInfo::new(address, address).with_tls(tls));
    let mtls = Mtls::new().san("*.example.com").unwrap().forward_certificate();
    let mut service =
        AuthLayer::new(mtls).layer(service_fn(|_: Request<()>| ready(Ok::<_, Infallible>(Response::new(())))));
    let on_connection = || {
        let mut request = request(&HeaderValue::from_static("other"));
        request.extensions_mut().insert(RequestRecord::new(Some(Arc::clone(&connection))));
        request
    };
    // The first reads the certificate, and the second makes its header's value shareable.
    assert!(count_of(&mut service, on_connection()).await > 0);
    count_of(&mut service, on_connection()).await;
    for _ in 0..10 {
        assert_eq!(count_of(&mut service, on_connection()).await, 0);
    }
}
