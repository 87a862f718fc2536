//! The engine against a model of what it is to do, over a socket that takes and gives bytes as it likes; what it holds,
//! and what it does as time goes by.

mod expected;
mod memory;
mod model;
mod plan;
mod reader;
mod regressions;
mod run;
mod service;
mod socket;
mod strategy;
mod time;
