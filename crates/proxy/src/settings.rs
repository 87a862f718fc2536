//! The settings of a proxy.

use std::time::Duration;

use crate::{retries::Retries, upstream::Upstream};

/// What all requests of one service share.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) upstream: Upstream,
    pub(crate) timeout: Duration,
    pub(crate) idle_timeout: Duration,
    pub(crate) retries: Retries,
    pub(crate) preserve_host: bool,
    pub(crate) pass_method_override: bool,
}
