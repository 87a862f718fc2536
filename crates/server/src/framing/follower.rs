//! Following message boundaries over a stream of requests.

use super::{
    chunked::Chunks,
    head::{BodyLength, HeadScan, Rules, Upgrade},
    trailers::TrailerScan,
    violation::Violation,
};

/// Follows the messages of one connection, from head to body to trailers to the next head.
#[derive(Debug)]
pub(crate) struct Follower {
    rules: Rules,
    at: Place,
    heads: u64,
}

/// Where in the messages the next byte stands.
#[derive(Debug)]
enum Place {
    Head(HeadScan),
    Length(u64),
    Chunks(Chunks),
    Trailers(TrailerScan),
    /// After a head that asks for an upgrade: what follows is only known when the response is.
    Upgrade,
    Tunnel,
}

/// What may be done with the bytes that were followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Followed {
    /// So many from the start are proven and may go on.
    pub(crate) pass: usize,
    pub(crate) rest: Rest,
}

/// What the bytes after the proven ones are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest {
    /// There are none, or they are the start of a head or of trailers, to be given again with what comes after them.
    Unfinished,
    /// They wait for the answer to an upgrade.
    Upgrade(Upgrade),
    /// They break a rule.
    Refused(Violation),
}

impl Follower {
    pub(crate) fn new(rules: Rules) -> Self {
        Self { rules, at: Place::Head(HeadScan::default()), heads: 0 }
    }

    /// Goes on with `bytes`: those not passed last time, and the new ones.
    pub(crate) fn follow(&mut self, bytes: &[u8]) -> Followed {
        let mut pass = 0;
        loop {
            let rest = &bytes[pass..];
            let step = match &mut self.at {
                _ if rest.is_empty() => Ok(Step::More),
                Place::Head(scan) => scan.advance(rest, &self.rules).map(|head| match head {
                    None => Step::More,
                    Some(head) => {
                        self.heads += 1;
                        match (head.upgrade, head.body) {
                            (Some(Upgrade::WebSocket), _) | (Some(Upgrade::Ignored), BodyLength::None) => {
                                Step::Upgrade(head.length, head.upgrade.unwrap_or(Upgrade::Ignored))
                            }
                            (_, BodyLength::None) => Step::Next(head.length, Place::Head(HeadScan::default())),
                            (_, BodyLength::Known(length)) => Step::Next(head.length, Place::Length(length)),
                            (_, BodyLength::Chunked) => Step::Next(head.length, Place::Chunks(Chunks::START)),
                        }
                    }
                }),
                Place::Length(left) => {
                    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                    *left -= taken as u64;
                    let done = *left == 0;
                    pass += taken;
                    if done {
                        self.at = Place::Head(HeadScan::default());
                    }
                    continue;
                }
                Place::Chunks(chunks) => {
                    let (taken, violation) = chunks.advance(rest);
                    pass += taken;
                    match violation {
                        Some(violation) => Err(violation),
                        None => {
                            if *chunks == Chunks::Done {
                                self.at = Place::Trailers(TrailerScan::default());
                            }
                            continue;
                        }
                    }
                }
                Place::Trailers(scan) => scan.advance(rest, &self.rules).map(|length| match length {
                    None => Step::More,
                    Some(length) => Step::Next(length, Place::Head(HeadScan::default())),
                }),
                Place::Upgrade => Ok(Step::More),
                Place::Tunnel => Ok(Step::Next(rest.len(), Place::Tunnel)),
            };
            match step {
                Ok(Step::More) => return Followed { pass, rest: Rest::Unfinished },
                Ok(Step::Next(length, place)) => {
                    pass += length;
                    self.at = place;
                }
                Ok(Step::Upgrade(length, upgrade)) => {
                    self.at = Place::Upgrade;
                    return Followed { pass: pass + length, rest: Rest::Upgrade(upgrade) };
                }
                Err(violation) => return Followed { pass, rest: Rest::Refused(violation) },
            }
        }
    }

    /// Settles an upgrade: after `101` the stream is raw, after another response the next head is due.
    pub(crate) fn settle_upgrade(&mut self, granted: bool) {
        if matches!(self.at, Place::Upgrade) {
            self.at = if granted { Place::Tunnel } else { Place::Head(HeadScan::default()) };
        }
    }

    /// How many whole heads have passed.
    pub(crate) fn heads(&self) -> u64 {
        self.heads
    }

    /// Whether the next byte is one of a body or of its trailers.
    pub(crate) fn in_body(&self) -> bool {
        matches!(self.at, Place::Length(_) | Place::Chunks(_) | Place::Trailers(_))
    }

    /// Whether an upgrade waits to be settled.
    pub(crate) fn awaits_upgrade(&self) -> bool {
        matches!(self.at, Place::Upgrade)
    }

    /// Whether a head has begun that is not whole yet, `held` being the bytes not passed.
    pub(crate) fn head_has_begun(&self, held: &[u8]) -> bool {
        matches!(&self.at, Place::Head(scan) if scan.has_begun(held))
    }

    /// The method and target of the head in `held`, as far as they have come.
    pub(crate) fn request_line<'a>(&self, held: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
        match &self.at {
            Place::Head(scan) => scan.request_line(held),
            _ => None,
        }
    }
}

enum Step {
    More,
    Next(usize, Place),
    Upgrade(usize, Upgrade),
}
