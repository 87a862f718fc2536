//! What Gatewright's layers share.
//!
//! Layers never import each other; they meet in the types of this crate:
//!
//! 1. [`Body`] is the one concrete body, [`ResponseBody`] an inner body or a layer's own.
//! 2. [`Policy`] looks at a request, lets it go on or refuses it, and may touch the response. [`PolicyLayer`]
//!    makes a Tower layer of it.
//! 3. A refusal is a response: [`Rejection`], answered as `application/problem+json` (RFC 9457), or as gRPC to a gRPC
//!    client ([`ReplyFormat`]).
//! 4. A failure is an error: [`Error`], which knows its kind and which side failed. [`problem`] holds the one table
//!    that turns it into a response.
//! 5. [`RequestRecord`] is the common ground of one request: whoever knows something writes it there.
//! 6. [`ConnectionInfo`] is what a listener knows, [`ClientInfo`] who the client is after trusted hops, [`Principal`]
//!    who calls, [`Quota`] how much and how often.
//! 7. [`claims`] are the header fields in which only the gateway may speak.
//! 8. [`hop_by_hop`] fields are removed where a request comes in and where it goes out.
//! 9. [`ids`] are random: a request's, a trace's.
//! 10. [`path`] holds the one canonical form of a path, [`pattern`] the patterns that match it.
//! 11. [`WatchedFile`] is a file that is read again when it changes.
//! 12. [`KeyFile`] says what a file holds that was meant to hold a key or a certificate.
//! 13. With the feature `x509`, `CertificateFacts` and `RevocationListFacts` are what those say of themselves, and
//!     `IdentityFault` is why a certificate and a key are no pair.
//! 14. [`OnUpgrade`] waits for a connection that leaves HTTP, [`Upgraded`] is what becomes of it.
//!
//! # Example
//!
//! A policy that refuses, as a layer around any service:
//!
//! ```
//! use gatewright_core::{Decision, Immediate, Policy, PolicyLayer, Rejection};
//! use http::{StatusCode, request::Parts};
//!
//! struct ReadOnly;
//!
//! impl Policy for ReadOnly {
//!     type Grant = ();
//!     type Future = Immediate;
//!
//!     fn name(&self) -> &'static str {
//!         "read-only"
//!     }
//!
//!     fn decide(&self, request: &mut Parts) -> Decision<(), Immediate> {
//!         if request.method.is_safe() {
//!             Decision::Allow(())
//!         } else {
//!             Decision::Refuse(Rejection::new(StatusCode::FORBIDDEN, "read-only", "unsafe_method"))
//!         }
//!     }
//! }
//!
//! let layer = PolicyLayer::new(ReadOnly);
//! # let _ = layer;
//! ```
//!
//! Customised: a failure of one's own, and the response it becomes.
//!
//! ```
//! use gatewright_core::{Error, ErrorKind, ReplyFormat, problem};
//!
//! let error = Error::new(ErrorKind::Connect, "connection refused");
//! let response = problem::from_error(&error, ReplyFormat::Problem, None);
//! assert_eq!(response.status(), 502);
//! ```

mod body;
mod body_policy;
pub mod claims;
mod client_info;
mod clock;
mod connection;
mod counter;
mod error;
#[cfg(feature = "axum")]
mod extractor;
mod gather;
pub mod hop_by_hop;
pub mod ids;
mod key_file;
mod label;
pub mod method_override;
pub mod path;
pub mod pattern;
mod policy;
mod principal;
pub mod problem;
mod quota;
mod record;
mod rejection;
mod rejection_layer;
pub mod reply;
mod response_body;
mod tower_errors;
pub mod trailers;
mod upgrade;
mod watched_file;
#[cfg(feature = "x509")]
mod x509;

pub use body::Body;
pub use body_policy::{
    BodyPolicy, BodyPolicyFuture, BodyPolicyLayer, BodyPolicyService, BufferBudget, BufferedBody, Look,
    RequestBody,
};
pub use client_info::{ClientInfo, ClientInfoLayer, ClientInfoService, ForwardedBy, IpNetwork, NotANetwork};
pub use clock::Clock;
pub use connection::{ConnectionInfo, InterimResponder, SendInterim, TlsInfo};
#[doc(hidden)]
pub use counter::Counter;
pub use error::{BoxError, Error, ErrorKind, Side};
pub use gather::Gather;
pub use key_file::{KeyFile, KeyFilePart};
pub use label::{Label, LabelKind};
pub use policy::{
    Decision, Immediate, Lease, Policy, PolicyFn, PolicyFuture, PolicyLayer, PolicyList, PolicyListFuture,
    PolicyListService, PolicyService, TakeReady, policy_fn,
};
pub use principal::{Principal, PrincipalBuilder};
pub use quota::{NotAQuota, Quota};
#[doc(hidden)]
pub use record::LayerState;
pub use record::{PolicyDecision, PolicyVerdict, RequestRecord, SpanContext, Summary};
pub use rejection::Rejection;
pub use rejection_layer::{RejectionFuture, RejectionLayer, RejectionService};
pub use reply::ReplyFormat;
pub use response_body::ResponseBody;
pub use upgrade::{OnUpgrade, PendingUpgrade, TunnelLeases, UpgradeError, Upgraded};
pub use watched_file::{FileStamp, WatchedContent, WatchedFile, WatchedFileError, WatchedFileStatus};
#[cfg(feature = "x509")]
pub use x509::{CertificateFacts, CertificatePurpose, IdentityFault, RevocationListFacts};

/// The code of the README, so that it is compiled too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
