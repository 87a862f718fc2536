//! Where buckets are kept.

mod buckets;
mod clock;
mod local;
mod overflow;

pub use local::LocalStore;

#[cfg(feature = "redis")]
use crate::redis::RedisStore;

/// Where a layer keeps its buckets: in this process ([`LocalStore`]), or in Redis (`RedisStore`, feature `redis`).
#[derive(Debug, Clone)]
pub struct Store(pub(crate) Kind);

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Local(LocalStore),
    #[cfg(feature = "redis")]
    Redis(RedisStore),
}

impl From<LocalStore> for Store {
    fn from(store: LocalStore) -> Self {
        Self(Kind::Local(store))
    }
}

#[cfg(feature = "redis")]
impl From<RedisStore> for Store {
    fn from(store: RedisStore) -> Self {
        Self(Kind::Redis(store))
    }
}
