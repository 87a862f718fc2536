//! How many requests of a key are under way at once.

mod body;
mod layer;
mod permits;
mod service;

pub use body::Permitted;
pub use layer::ConcurrencyLimitLayer;
pub use service::{ConcurrencyLimitFuture, ConcurrencyLimitService};

#[cfg(test)]
mod tests;
