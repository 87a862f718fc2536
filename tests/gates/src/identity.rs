//! A caller with a token that was verified before, and a limit of its own.

use gatewright::{
    AuthLayer, Body, Key, Quota, RateLimitLayer,
    auth::{Jwks, Jwt},
};
use http::{HeaderValue, Request, header};

use crate::{Result, cases};

/// A key of 2,048 bits and a token signed with RS256 that holds until the year 2100. The private key is not kept.
const KEYS: &[u8] = include_bytes!("token/jwks.json");
const TOKEN: &str = concat!("Bearer ", include_str!("token/token.txt"));

/// Who calls, and how often; neither refuses any of the requests.
pub(crate) fn layers() -> Result<(AuthLayer<Jwt>, RateLimitLayer)> {
    let jwt = Jwt::new(Jwks::from_json(KEYS)?)
        .issuer("https://id.example/")
        .audience("orders")
        .claim_header("x-user-id".parse()?, "sub");
    let limit = RateLimitLayer::new(Quota::per_second(1_000_000))
        .and(Quota::per_day(1_000_000_000))
        .key(Key::principal());
    Ok((AuthLayer::new(jwt).scopes(["orders:read"]), limit))
}

pub(crate) fn request() -> Request<Body> {
    let mut request = cases::request();
    request.headers_mut().insert(header::AUTHORIZATION, HeaderValue::from_static(TOKEN));
    request
}
