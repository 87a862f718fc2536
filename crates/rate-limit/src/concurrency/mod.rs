//! How many requests of a key are under way at once.

mod layer;
mod permits;
mod policy;

pub use layer::ConcurrencyLimitLayer;
pub use policy::ConcurrencyLimit;

#[cfg(test)]
mod tests;
