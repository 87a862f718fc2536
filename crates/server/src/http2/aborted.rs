use gatewright_core::BoxError;

/// Why a response ends early.
pub(super) enum Aborted {
    /// The client reset the stream, or the connection is gone.
    Gone,
    /// The client takes the response too slowly.
    Cut,
    /// The body of the response failed.
    Body(BoxError),
    /// The service gave an interim response as its final one.
    Interim,
    /// h2 refuses the response.
    Refused(h2::Error),
}
