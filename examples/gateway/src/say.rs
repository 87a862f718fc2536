//! Words to the operator.

use std::{
    fmt::Display,
    io::{self, Write},
};

/// Writes a line to stderr. That nobody reads it any more is no reason to end, as it would be for `eprintln`.
pub(crate) fn say(text: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}
