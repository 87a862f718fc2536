//! Gatewright's YAML file: read, checked and assembled into a gateway.
//!
//! 1. A file is read into a tree of nodes that know where they were written. Anchors, aliases and tags are
//!    refused, depth and size are bounded, and a key that is written twice is an error.
//! 2. The tree is read by hand, section by section. All errors are collected, each with its place and, where
//!    there is one, the way to mend it. A key that is unknown, or that this version does not support, is an
//!    error: nothing is ignored.
//! 3. What was read is checked by building it: files are opened, patterns compiled, certificates held to
//!    their keys, routes compared for conflicts. Only what is right in all of that is a [`Config`].
//! 4. [`Gateway::assemble`] builds it again, for good: an upstream once, shared by its routes; a stack a
//!    route, of one static type; around them the router, the trace and the client's address.
//! 5. [`Gateway::reload`] takes on another configuration while the gateway serves, all of it or nothing. What it says
//!    just as before keeps its connections and its state. [`Files`] tell when there is a reason to.
//! 6. Each key stands in one table, with what its value is, what it means and an example. The reader takes no other;
//!    the JSON [`schema()`] and the [`reference()`] are made of the same tables.
//! 7. Secrets come from the environment (`${env:NAME}`) or a file (`file:PATH`), and are not shown in what is
//!    printed.
//!
//! The reference is `docs/reference/config.md`.
//!
//! # Example
//!
//! ```
//! use gatewright_config::{Config, Gateway};
//!
//! let config = Config::parse("gateway.yaml", "
//! routes:
//! - path_prefix: /v1/orders
//!   upstream: order-service:8080
//! ")?;
//! let gateway = Gateway::assemble(&config)?;
//! # let _ = gateway;
//! # Ok::<(), gatewright_config::Diagnostics>(())
//! ```
//!
//! Customised: an editor or a bot that shows what is wrong in its own way.
//!
//! ```
//! use gatewright_config::Config;
//!
//! let text = "routes: [{path: /a, upstrem: 'orders:8080'}]";
//! let errors = Config::parse("gateway.yaml", text).unwrap_err();
//! for error in errors.iter() {
//!     let place = error.place().unwrap();
//!     assert_eq!((place.line(), place.column()), (1, 21));
//!     assert_eq!(&text[place.bytes()], "upstrem");
//!     assert_eq!(error.hint(), Some("did you mean `upstream`?"));
//! }
//! ```

// docs.rs shows the feature of each item.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod assemble;
mod config;
mod diagnostics;
mod files;
mod read;
#[cfg(feature = "admin")]
mod redact;
mod settings;
mod syntax;
mod unresolved;
mod vocabulary;

pub use assemble::{Assembly, Changes, Entrance, Gateway, GatewayService, RedirectHttps, Reloaded, RouteStack};
pub use config::Config;
pub use diagnostics::{Diagnostic, Diagnostics, Place, Severity};
pub use files::Files;
pub use vocabulary::{reference, schema};

/// The code of the README, so that it is compiled too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
