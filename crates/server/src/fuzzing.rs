//! A door for the project's fuzz targets, to what is private. It is there under `--cfg fuzzing` only, which cargo-fuzz
//! sets, and is no part of the crate.

use crate::{
    Limits,
    framing::{Follower, Rest},
};

/// The check of HTTP/1 framing, under the default limits. Upgrades are never granted.
#[derive(Debug)]
pub struct Framing(Follower);

impl Default for Framing {
    fn default() -> Self {
        Self(Follower::new(Limits::default().rules()))
    }
}

impl Framing {
    /// Goes on with those bytes that were not passed last time, and new ones. Says how many pass now, and why the next
    /// ones are refused when they are.
    pub fn follow(&mut self, bytes: &[u8]) -> (usize, Option<&'static str>) {
        let mut passed = 0;
        loop {
            let followed = self.0.follow(&bytes[passed..]);
            passed += followed.pass;
            match followed.rest {
                Rest::Unfinished => return (passed, None),
                Rest::Upgrade(_) => self.0.settle_upgrade(false),
                Rest::Refused(violation) => return (passed, Some(violation.reason())),
            }
        }
    }

    /// How many whole heads have passed.
    pub fn heads(&self) -> u64 {
        self.0.heads()
    }
}
