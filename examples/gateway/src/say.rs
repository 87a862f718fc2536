//! What is said to people, and printed for programs.

use std::{
    fmt::Display,
    io::{self, Write},
};

/// Writes a line to stderr. That nobody reads it any more is no reason to end, as it would be for `eprintln`.
pub(crate) fn say(text: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Writes a line to stdout. Who reads on no further, as `head` does, has what he wants.
pub(crate) fn print(text: impl Display) {
    let _ = writeln!(io::stdout().lock(), "{text}");
}
