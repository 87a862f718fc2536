//! How an attempt ended.

use gatewright_core::ErrorKind;
use http::StatusCode;

/// How an attempt at an endpoint ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The response came whole, or as far as the proxy wanted it. The status may be one that counts as a failure.
    Answered(StatusCode),
    /// There was no connection, no response, or not all of one. [`ErrorKind::side`] tells whose fault that was.
    Failed(ErrorKind),
    /// Nobody waited any longer, most often because the client has gone. The status is there if the head had come.
    Abandoned(Option<StatusCode>),
}
