//! What the targets of whole connections share: a socket in memory, the way to play a connection over it to its end, and
//! a reader of what came out that knows neither engine.

pub mod responses;
pub mod service;
pub mod socket;
