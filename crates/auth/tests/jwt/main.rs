//! Tokens against the layer: those that are let in, and the many that are not.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]

mod accepted;
mod asking;
mod by_algorithm;
mod challenges;
mod combined;
mod forged;
mod keys;
mod properties;
mod remembered;
mod token;
mod upstream;
mod without_alg;
