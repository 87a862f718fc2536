//! The binary, as its user meets it.

mod command_line;
mod reload;
mod running;
