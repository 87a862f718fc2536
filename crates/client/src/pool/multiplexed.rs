//! An HTTP/2 connection that several requests share.

use std::sync::Arc;

use hyper::client::conn::http2;

use super::{
    streams::{StreamPermit, Streams},
    upload::Upload,
};

/// An HTTP/2 connection to send on.
pub(super) struct Multiplexed<B> {
    sender: http2::SendRequest<Upload<B>>,
    streams: Arc<Streams<B>>,
}

impl<B> Multiplexed<B> {
    pub(super) fn new(sender: http2::SendRequest<Upload<B>>, streams: Arc<Streams<B>>) -> Self {
        Self { sender, streams }
    }

    /// Whether it serves no new streams.
    pub(super) fn is_over(&self) -> bool {
        self.sender.is_closed() || self.streams.is_retired()
    }

    /// A sender for one more stream, if the connection has room for it.
    pub(super) fn reserve(&self) -> Option<(http2::SendRequest<Upload<B>>, StreamPermit<B>)> {
        if self.sender.is_closed() {
            return None;
        }
        let permit = self.streams.reserve()?;
        Some((self.sender.clone(), permit))
    }
}
