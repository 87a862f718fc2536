//! The binary, as its user meets it.

mod audit;
mod command_line;
mod reload;
mod reload_under_load;
mod running;
mod top;
