//! Who calls, for any Tower service.
//!
//! 1. [`AuthLayer`] asks an [`Authenticate`], one of these or a program's own: [`Jwt`], `Introspection` (RFC 7662, feature
//!    `remote`), [`ApiKeys`], [`Mtls`], `Basic` (feature `basic`). [`Any`] and [`All`] combine them, and
//!    [`AuthLayer::none`] is `none`, written out.
//! 2. It fails closed: a request goes on only when it is known who calls and all that the layer requires (scopes, roles,
//!    claims) is met. What cannot be judged for now is a 503.
//! 3. A principal that an outer layer has set is removed first. The new one is written into the request's
//!    [`RequestRecord`](gatewright_core::RequestRecord), or into its extensions where there is no record.
//! 4. Credentials are taken out of a request that goes on, also those that nobody had to look at, unless they are
//!    asked to be kept; so are header fields in which only an authenticator may tell the service who calls, under every
//!    alias (`X_User_Id`). What it tells then reaches the service, whatever the client has said in `Connection`.
//! 5. A refusal is 401 with a challenge for each scheme (RFC 9110, RFC 6750), 403 where no other credential of the same
//!    caller would help, as `application/problem+json`. Why a credential was refused stands in the log, as a short
//!    stable word (`jwt_expired`), and nowhere else: no two refusals of one kind differ for the client.
//! 6. Nothing here blocks: what is known is decided at once and without an allocation, what is not waits.
//!
//! # JSON Web Tokens
//!
//! 1. A token is verified by the issuer that it names, by a key of that issuer and for the one algorithm of that key.
//!    There is no `none`; keys and addresses of keys in a token's header are not looked at; `kid` is compared and used
//!    for nothing else.
//! 2. Issuer, audience, subject and `exp` are required; `nbf` and `iat` are held to when they are there. Clocks may
//!    differ by 5 seconds.
//! 3. What two readers could read differently is refused: members that come twice, padding, bits beyond the last octet,
//!    extensions (`crit`), encrypted, nested, compressed and detached tokens, two tokens in one request.
//! 4. Tokens found good are remembered, by a keyed hash of the whole token. Each time, they are held to the clock and
//!    to the issuer's keys of that moment: a key that is gone takes its tokens with it.
//! 5. Keys from a file are read again when it changes. Keys from afar (`Jwks::remote`, `Jwks::discover`, feature `remote`) are fetched
//!    by one task, for tokens of unknown keys at most once in 30 seconds, and go on while the provider is away.
//!
//! # Example
//!
//! Orders for holders of a token that says so:
//!
//! ```
//! use gatewright_auth::{AuthLayer, Jwks, Jwt};
//! use http::{Request, Response, StatusCode};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let published = br#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
//! let keys = Jwks::from_json(published)?;
//!
//! let orders = ServiceBuilder::new()
//!     .layer(AuthLayer::new(Jwt::new(keys).issuer("https://id.example/").audience("orders")).scopes(["orders:read"]))
//!     .service(service_fn(async |_: Request<String>| Ok::<_, std::convert::Infallible>(Response::new(String::new()))));
//!
//! let response = orders.oneshot(Request::new(String::new())).await?;
//! assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
//! assert_eq!(response.headers()["www-authenticate"], "Bearer");
//! # Ok(())
//! # }
//! ```
//!
//! Customised: two issuers, one of which says itself where its keys are; tokens in a cookie too; claims told to the
//! service; and devices that are known by their certificates instead.
//!
//! ```no_run
//! # #[cfg(feature = "remote")]
//! # fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use gatewright_auth::{Any, AuthLayer, Jwks, Jwt, Mtls};
//! use http::HeaderName;
//!
//! let staff = Jwt::new(Jwks::discover("https://login.example/").build()?)
//!     .issuer("https://login.example/")
//!     .audience("api")
//!     .require_claim_value("tenant", ["t1", "t2"]);
//! let customers = Jwt::new(Jwks::remote("https://id.example/jwks.json").build()?)
//!     .issuer("https://id.example/")
//!     .audiences(["orders", "payments"]);
//!
//! let users = customers
//!     .or(staff)
//!     .from_cookie("session")
//!     .claim_header(HeaderName::from_static("x-user-id"), "sub")
//!     .realm("orders");
//!
//! let layer = AuthLayer::new(Any::of(users).or(Mtls::new())).roles("realm_access.roles", ["clerk", "admin"]);
//! # let _ = layer;
//! # Ok(())
//! # }
//! ```

mod api_key;
mod authenticate;
mod base64url;
#[cfg(feature = "basic")]
mod basic;
mod bearer;
mod challenge;
mod claim_headers;
mod claim_path;
mod combine;
mod content;
mod cookie;
mod digest;
mod fields;
#[cfg(feature = "remote")]
mod form;
#[cfg(feature = "remote")]
mod introspection;
mod jwks;
mod jwt;
mod layer;
mod mtls;
mod outcome;
mod policy;
#[cfg(feature = "remote")]
mod provider;
mod query;
mod requirements;
mod strict_json;
mod token_cache;

pub use api_key::{ApiKeys, ApiKeysBuilder, ApiKeysError, NewApiKey, NewApiKeyBuilder, NewApiKeyError};
pub use authenticate::{Attempt, Authenticate, Immediate};
#[cfg(feature = "basic")]
pub use basic::{Basic, BasicBuilder, BasicError, BasicFuture};
pub use challenge::{Cause, Challenge};
pub use claim_path::ClaimPath;
pub use combine::{All, AllFuture, Anonymous, Any, AnyFuture, Authenticator, AuthenticatorFuture};
pub use content::{ContentError, ContentProblem};
pub use gatewright_core::Clock;
#[cfg(feature = "remote")]
pub use introspection::{Introspection, IntrospectionBuilder, IntrospectionFuture};
#[cfg(feature = "remote")]
pub use jwks::RemoteJwksBuilder;
pub use jwks::{Jwks, KeyError};
pub use jwt::{Algorithm, Jwt, JwtFuture, JwtWithoutAudience, JwtWithoutIssuer, UnknownAlgorithm};
pub use layer::{AuthLayer, AuthService};
pub use mtls::{Mtls, MtlsError};
pub use outcome::{Identity, Outcome, Refusal};
pub use policy::{Admission, Auth, AuthFuture};
#[cfg(feature = "remote")]
pub use provider::ProviderError;

/// The code of the README, so that it is compiled too.
#[cfg(all(doctest, feature = "remote"))]
#[doc = include_str!("../README.md")]
struct Readme;
