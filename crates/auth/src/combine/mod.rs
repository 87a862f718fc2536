//! Authenticators of several, and none.

mod all;
mod anonymous;
mod any;
mod authenticator;

pub use all::{All, AllFuture};
pub use anonymous::Anonymous;
pub use any::{Any, AnyFuture};
pub use authenticator::{Authenticator, AuthenticatorFuture};
