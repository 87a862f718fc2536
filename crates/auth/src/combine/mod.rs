//! Authenticators that combine others, and the one that asks for nothing.

mod all;
mod anonymous;
mod any;
mod authenticator;

pub use all::{All, AllFuture};
pub use anonymous::Anonymous;
pub use any::{Any, AnyFuture};
pub use authenticator::{Authenticator, AuthenticatorFuture};
