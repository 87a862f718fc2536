//! What the page shows, as JSON.
//!
//! Times are milliseconds since 1970 (`now`, `at`, `began`), latencies milliseconds with fractions, rates requests a second over
//! the last minute. What is not known is `null`.

mod events;
mod numbers;
mod paging;
mod reloads;
mod requests;
mod routes;
mod summary;
mod upstreams;

use std::time::SystemTime;

pub(crate) use events::events;
pub(crate) use reloads::reloads;
pub(crate) use requests::requests;
pub(crate) use routes::routes;
pub(crate) use summary::summary;
pub(crate) use upstreams::upstreams;

/// Milliseconds since 1970.
pub(crate) fn unix_ms(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
