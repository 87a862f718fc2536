//! Following message boundaries over a stream of requests.

use super::{
    chunked::{Chunks, Piece},
    fields::FieldSpan,
    head::{BodyLength, Head, HeadScan, Rules},
    trailers::TrailerScan,
    violation::Violation,
};

/// Follows the messages of one connection, from head to body to trailers to the next head.
#[derive(Debug)]
pub(crate) struct Follower {
    rules: Rules,
    at: Place,
    fields: Vec<FieldSpan>,
}

/// Where in the messages the next byte stands.
#[derive(Debug)]
enum Place {
    Head(HeadScan),
    Length(u64),
    Chunks(Chunks),
    Trailers(TrailerScan),
}

impl Place {
    fn after_head(body: BodyLength) -> Self {
        match body {
            BodyLength::None => Self::Head(HeadScan::default()),
            BodyLength::Known(length) => Self::Length(length),
            BodyLength::Chunked => Self::Chunks(Chunks::START),
        }
    }
}

/// What the next bytes are. They are done with once a step has told of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// There are none, or they are the start of a head or of trailers, to be given again with what comes after them.
    More,
    /// A whole head.
    Head(Head),
    /// So many bytes that frame a body and are no part of it.
    Framing(usize),
    /// So many bytes of a body.
    Data(usize),
    /// A whole trailer section, of so many bytes.
    Trailers(usize),
}

impl Follower {
    pub(crate) fn new(rules: Rules) -> Self {
        Self { rules, at: Place::Head(HeadScan::default()), fields: Vec::new() }
    }

    /// Tells what `bytes` begin with: those that no step has told of yet, and the new ones after them.
    pub(crate) fn step(&mut self, bytes: &[u8]) -> Result<Step, Violation> {
        if bytes.is_empty() {
            return Ok(Step::More);
        }
        match &mut self.at {
            Place::Head(scan) => {
                let Some(head) = scan.advance(bytes, &self.rules, &mut self.fields)? else {
                    return Ok(Step::More);
                };
                self.at = Place::after_head(head.body);
                Ok(Step::Head(head))
            }
            Place::Length(left) => {
                let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= taken as u64;
                if *left == 0 {
                    self.at = Place::Head(HeadScan::default());
                }
                Ok(Step::Data(taken))
            }
            Place::Chunks(chunks) => {
                let piece = chunks.advance(bytes)?;
                if *chunks == Chunks::Done {
                    self.fields.clear();
                    self.at = Place::Trailers(TrailerScan::default());
                }
                Ok(match piece {
                    Piece::Framing(length) => Step::Framing(length),
                    Piece::Data(length) => Step::Data(length),
                })
            }
            Place::Trailers(scan) => match scan.advance(bytes, &self.rules, &mut self.fields)? {
                None => Ok(Step::More),
                Some(length) => {
                    self.at = Place::Head(HeadScan::default());
                    Ok(Step::Trailers(length))
                }
            },
        }
    }

    /// Whether the next byte is the first of a head, or of a blank line before one.
    pub(crate) fn at_head_start(&self) -> bool {
        matches!(&self.at, Place::Head(scan) if scan.is_fresh())
    }

    /// Passes over a head of which all is known, at its start.
    pub(crate) fn pass_head(&mut self, body: BodyLength) {
        self.at = Place::after_head(body);
    }

    pub(crate) fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Where the fields of the latest head or trailer section stand in it.
    pub(crate) fn fields(&self) -> &[FieldSpan] {
        &self.fields
    }

    /// Gives memory back while the connection is idle.
    pub(crate) fn release(&mut self) {
        self.fields = Vec::new();
    }

    /// Whether the next byte is one of a body or of its trailers.
    pub(crate) fn in_body(&self) -> bool {
        !matches!(self.at, Place::Head(_))
    }

    /// Whether the next byte is data of a body, rather than what frames it.
    pub(crate) fn at_data(&self) -> bool {
        matches!(self.at, Place::Length(_) | Place::Chunks(Chunks::Data { .. }))
    }

    /// How many bytes of data a body of known length still has.
    pub(crate) fn data_left(&self) -> Option<u64> {
        match self.at {
            Place::Length(left) => Some(left),
            _ => None,
        }
    }

    /// Whether a head has begun that is not whole yet, `held` being the bytes that no step has told of.
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

#[cfg(any(test, fuzzing))]
impl Follower {
    /// Takes as many steps as `bytes` allow. Gives how many of them are done with, how many heads were whole, and the
    /// violation that comes next.
    pub(crate) fn follow(&mut self, bytes: &[u8]) -> (usize, u64, Option<Violation>) {
        let (mut done, mut heads) = (0, 0);
        loop {
            done += match self.step(&bytes[done..]) {
                Ok(Step::More) => return (done, heads, None),
                Ok(Step::Head(head)) => {
                    heads += 1;
                    head.length
                }
                Ok(Step::Framing(length) | Step::Data(length) | Step::Trailers(length)) => length,
                Err(violation) => return (done, heads, Some(violation)),
            };
        }
    }
}
