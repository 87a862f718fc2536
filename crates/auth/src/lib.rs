//! Authentication for any Tower service.
//!
//! 1. [`AuthLayer`] asks an authenticator (the trait [`Authenticate`]) who calls: [`Jwt`], `Introspection` (RFC
//!    7662, feature `remote`), [`ApiKeys`], [`Mtls`], `Basic` (feature `basic`), or one of your own. [`Any`] and
//!    [`All`] combine authenticators. [`AuthLayer::none`] asks for nothing, and says so in the code.
//! 2. It fails closed. A request goes on only if the caller is known and meets all requirements of the layer
//!    (scopes, roles, claims). A credential that cannot be judged now is a 503.
//! 3. A principal that an outer layer has set is removed first. The new one goes into the request's
//!    [`RequestRecord`](gatewright_core::RequestRecord), or into its extensions if it has no record.
//! 4. Credentials are taken out of each request that goes on, unless you ask to keep them. That includes
//!    credentials that no authenticator had to look at. Header fields that only an authenticator may set are
//!    removed too, under every alias (`X_User_Id`). The authenticator's own fields then reach the service, even if
//!    the client names them in `Connection`.
//! 5. A refusal is a 401 with a challenge for each scheme (RFC 9110, RFC 6750), or a 403 if no other credential of
//!    the same caller would help. Its body is `application/problem+json`. The reason is a short stable word
//!    (`jwt_expired`), and only the log has it: for the client, all refusals of one kind look alike.
//! 6. Nothing here blocks. A known credential is judged at once and without an allocation; an unknown one may have
//!    to wait.
//!
//! # JSON Web Tokens
//!
//! 1. A token is verified with a key of the issuer that it names, and in the one algorithm of that key. There is no
//!    `none`. Keys and addresses of keys in a token's header are not looked at. `kid` is only compared.
//! 2. Issuer, audience, subject and `exp` are required. `nbf` and `iat` are checked if the token has them. Clocks
//!    may differ by 5 seconds.
//! 3. A token that two readers could read differently is refused: duplicate members, padding, bits beyond the last
//!    octet, extensions (`crit`), encrypted, nested, compressed and detached tokens, and two tokens in one request.
//! 4. Verified tokens are remembered by a keyed hash of the whole token. Each time, a remembered token is checked
//!    against the clock and the issuer's current keys: when a key is gone, its tokens are no longer accepted.
//! 5. Keys from a file are read again when the file changes. Keys from a URL (`Jwks::remote`, `Jwks::discover`,
//!    feature `remote`) are fetched by one task. Tokens of unknown keys cause at most one fetch in 30 seconds.
//!    While the provider is away, the last keys stay in use.
//!
//! # Example
//!
//! Orders for callers whose token has the scope `orders:read`:
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
//! Customised: two issuers, and one of them publishes the address of its keys; tokens in a cookie too; a claim
//! passed to the service in a header; and devices that are known by their certificates instead.
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
pub use token_cache::token_cache_hits_and_misses;

/// The code of the README, so that it is compiled too.
#[cfg(all(doctest, feature = "remote"))]
#[doc = include_str!("../README.md")]
struct Readme;
