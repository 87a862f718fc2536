//! The engine against a model of what it is to do, over a socket that takes and gives bytes as it likes.

mod expected;
mod model;
mod plan;
mod reader;
mod regressions;
mod run;
mod service;
mod socket;
mod strategy;
