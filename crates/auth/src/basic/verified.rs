//! A cache of passwords that were verified recently.

use std::{
    collections::HashMap,
    fmt, io,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{credentials::Credentials, users::User};
use crate::digest::{ByDigest, Digest};

/// Remembers good credentials, so that the password of a client that sends it with each request is verified only
/// once in a while.
///
/// It stores a hash under a key of this process. The hash covers the password's hash in the file, so a password
/// that changes there is forgotten here. Bad credentials are not remembered.
pub(super) struct Verified {
    key: [u8; 32],
    keep: Duration,
    most: usize,
    shards: [Shard; SHARDS],
}

type Shard = Mutex<HashMap<Digest, Instant, ByDigest>>;

/// The number of locks, so that threads rarely wait for each other.
const SHARDS: usize = 16;

impl Verified {
    /// Keeps at most this many credentials, each for this time.
    pub(super) fn new(keep: Duration, most: usize) -> io::Result<Self> {
        let mut key = [0; 32];
        aws_lc_rs::rand::fill(&mut key).map_err(io::Error::other)?;
        Ok(Self { key, keep, most: most.div_ceil(SHARDS), shards: Default::default() })
    }

    /// The digest under which a user's credentials are remembered.
    pub(super) fn digest(&self, user: &User, credentials: &Credentials) -> Digest {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        for part in [credentials.user().as_bytes(), user.hash.as_bytes(), credentials.password()] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        Digest::new(hasher.finalize().into())
    }

    pub(super) fn holds(&self, digest: Digest, now: Instant) -> bool {
        self.shard(digest).get(&digest).is_some_and(|until| now < *until)
    }

    pub(super) fn remember(&self, digest: Digest, now: Instant) {
        if self.keep.is_zero() || self.most == 0 {
            return;
        }
        let mut shard = self.shard(digest);
        if shard.len() >= self.most && !shard.contains_key(&digest) {
            shard.retain(|_, until| now < *until);
            // A displaced password is verified again; nothing else happens.
            if shard.len() >= self.most
                && let Some(any) = shard.keys().next().copied()
            {
                shard.remove(&any);
            }
        }
        shard.insert(digest, now + self.keep);
    }

    fn shard(&self, digest: Digest) -> MutexGuard<'_, HashMap<Digest, Instant, ByDigest>> {
        // The table itself uses the first octets.
        let index = usize::from(digest.bytes()[31]) % SHARDS;
        self.shards[index].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verified").field("keep", &self.keep).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(number: u32) -> Digest {
        Digest::new(*blake3::hash(&number.to_le_bytes()).as_bytes())
    }

    #[test]
    fn what_was_verified_is_known_for_a_while() {
        let verified = Verified::new(Duration::from_secs(60), 100).expect("random bytes");
        let start = Instant::now();
        verified.remember(digest(1), start);
        assert!(verified.holds(digest(1), start + Duration::from_secs(59)));
        assert!(!verified.holds(digest(1), start + Duration::from_secs(60)));
        assert!(!verified.holds(digest(2), start));
        let never = Verified::new(Duration::ZERO, 100).expect("random bytes");
        never.remember(digest(1), start);
        assert!(!never.holds(digest(1), start));
    }

    #[test]
    fn no_more_is_kept_than_was_said() {
        let verified = Verified::new(Duration::from_secs(60), 160).expect("random bytes");
        let start = Instant::now();
        for number in 0..10_000 {
            verified.remember(digest(number), start);
            assert!(verified.holds(digest(number), start));
        }
        let kept: usize = verified.shards.iter().map(|shard| shard.lock().expect("no panic").len()).sum();
        assert_eq!(kept, 160);
    }
}
