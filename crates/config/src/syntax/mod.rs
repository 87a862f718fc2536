//! YAML as a tree of nodes that know where they were written.
//!
//! 1. A file holds one document; its nesting is bounded ([`parse::DEPTH`]), and so is its size
//!    ([`parse::SIZE`]).
//! 2. Anchors, aliases and tags are refused: nothing in a file stands for more than is written there.
//! 3. A key that is written twice in one map is an error, at its second place.
//! 4. Scalars stay text. What a text means is decided by who reads it, so that `8080`, `no` and `1.10` are
//!    what was written wherever a text is wanted.

mod mistakes;
mod node;
mod parse;

pub(crate) use node::{Entry, Kind, Node, printable, shorten};
pub(crate) use parse::{SIZE, parse};
