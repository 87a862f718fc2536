//! What an origin tells of the upload that it received.

use std::{fmt, str::FromStr};

use crate::{
    content::{Check, Content},
    exchange::Exchange,
    world::World,
};

/// Notes that all of an upload has come, with these trailers.
pub(crate) fn received(world: &World, exchange: &Exchange, trailers: &[(String, String)]) {
    let trailer = trailers.iter().find(|(name, _)| name == "x-soak-trailer").map(|(_, value)| value.clone());
    if trailer == exchange.upload_trailer() {
        world.count("uploads that arrived whole");
    } else {
        let kind = format!("an upload's trailers differ on {}", exchange.route.name());
        world.differs(&kind, Some(exchange), &format!("{trailers:?}"));
    }
}

/// Length and hash of an upload, as the field `X-Soak-Received` says them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Received {
    length: usize,
    hash: u64,
}

impl Received {
    pub(crate) fn of(check: &Check) -> Self {
        Self { length: check.received(), hash: check.hash() }
    }

    /// What it is when all of it arrives.
    pub(crate) fn all(content: Content) -> Self {
        Self { length: content.length, hash: content.hash() }
    }
}

impl fmt::Display for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:x}", self.length, self.hash)
    }
}

impl FromStr for Received {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (length, hash) = text.split_once('-').ok_or(())?;
        let (length, hash) = (length.parse().ok(), u64::from_str_radix(hash, 16).ok());
        length.zip(hash).map(|(length, hash)| Self { length, hash }).ok_or(())
    }
}
