use gatewright_core::BoxError;

/// Why a response ends early.
pub(super) enum Broken {
    /// The client reset the stream, or the connection is gone.
    Gone,
    /// The client takes it too slowly.
    Cut,
    /// The body failed.
    Body(BoxError),
    /// It is none, but what goes before one.
    Interim,
    /// h2 does not take it.
    Refused(h2::Error),
}
