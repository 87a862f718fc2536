//! Keys that an identity provider publishes.
//!
//! 1. Keys are fetched when they are first needed, and again before they are stale: after the provider's `max-age`,
//!    clamped between a minute and an hour, or after ten minutes without one.
//! 2. At most one fetch is under way. Requests that need keys in the meantime wait for it.
//! 3. A token of an unknown key causes a fetch, unless another fetch began in the last 30 seconds, for any reason
//!    and with any result. The first successful fetch does not count.
//! 4. Keys stay in use until newer keys replace them, also while the provider is away. The provider is asked again
//!    after 30 seconds. While there are no keys at all, it is asked again after 1, 2, 4, 8, 16 and then every 30
//!    seconds.
//! 5. A fetch that brings the same text is no change, so verified tokens stay remembered.
//! 6. One task does this, on the runtime of the first request that needs keys. The task ends with the last clone of
//!    the keys. If its runtime ends, the next request starts another task.

mod address;
mod builder;
mod discovery;
mod fetch;
mod refresher;
mod schedule;

pub use builder::RemoteJwksBuilder;
pub(crate) use refresher::{Fetching, Remote};

#[cfg(test)]
mod tests;
