//! What the programs of others make of the gateway's metrics.

mod prometheus;
mod scene;
