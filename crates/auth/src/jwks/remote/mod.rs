//! Keys that an identity provider publishes.
//!
//! 1. They are fetched when they are first needed, and then before they have aged: after the provider's `max-age`,
//!    held between a minute and an hour, or after ten minutes where it says nothing.
//! 2. One fetch is under way at a time; who needs keys meanwhile waits for it.
//! 3. A token of an unknown key asks for newer ones, unless they have been asked for in the last 30 seconds, for
//!    whatever reason and with whatever success; the first fetch alone does not count.
//! 4. Keys that are there go on until others take their place, also while the provider is away. It is asked again after
//!    30 seconds; sooner, from one second on, while there are none yet.
//! 5. Keys that come again as they were are no change, so that verified tokens stay remembered.
//! 6. One task does this, on the runtime of the first who needs keys. It ends with the last clone of the keys, and is
//!    begun anew when its runtime has ended.

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
