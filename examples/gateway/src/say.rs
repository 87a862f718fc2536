//! What is said to people, and printed for programs.

use std::{
    fmt::Display,
    io::{self, Write},
};

use tracing::Level;
use tracing_subscriber::fmt::{
    format::Writer,
    time::{FormatTime, SystemTime},
};

/// Writes a line to stderr. That nobody reads it any more is no reason to end, as it would be for `eprintln`.
pub(crate) fn say(text: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Writes a line to stderr about the life of the process, with its time and level, as the library's log lines have them.
/// It is said whatever `RUST_LOG` is.
pub(crate) fn log(level: Level, text: impl Display) {
    let mut time = String::new();
    // A String takes anything.
    let _ = SystemTime.format_time(&mut Writer::new(&mut time));
    say(format_args!("{time} {level:>5} {text}"));
}

/// Writes a line to stdout. Who reads on no further, as `head` does, has what he wants.
pub(crate) fn print(text: impl Display) {
    let _ = writeln!(io::stdout().lock(), "{text}");
}
