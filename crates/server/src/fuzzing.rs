//! A door for the project's fuzz targets, to what is private. It is there under `--cfg fuzzing` only, which cargo-fuzz
//! sets, and is no part of the crate.

use crate::{Limits, framing::Follower};

/// The check of HTTP/1 framing, under the default limits. Upgrades are never granted.
#[derive(Debug)]
pub struct Framing {
    follower: Follower,
    heads: u64,
}

impl Default for Framing {
    fn default() -> Self {
        Self { follower: Follower::new(Limits::default().rules()), heads: 0 }
    }
}

impl Framing {
    /// Goes on with those bytes that were not passed last time, and new ones. Says how many pass now, and why the next
    /// ones are refused when they are.
    pub fn follow(&mut self, bytes: &[u8]) -> (usize, Option<&'static str>) {
        let (passed, heads, violation) = self.follower.follow(bytes);
        self.heads += heads;
        (passed, violation.map(|violation| violation.reason()))
    }

    /// How many whole heads have passed.
    pub fn heads(&self) -> u64 {
        self.heads
    }
}
