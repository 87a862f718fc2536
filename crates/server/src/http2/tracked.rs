use std::sync::Arc;

use bytes::Bytes;
use gatewright_core::ReplyFormat;
use http::{Response, response};

use super::{state::State, streams::Stream};
use crate::{
    connection::{Accepted, Shared},
    service::{Track, refuse},
};

/// One request in flight. It is dropped when the response is over.
pub(super) struct Tracked {
    pub(super) state: Arc<State>,
    pub(super) stream: Arc<Stream>,
    pub(super) format: ReplyFormat,
    pub(super) accepted: Arc<Accepted>,
    pub(super) shared: Arc<Shared>,
}

impl Tracked {
    /// Stamps the start of a wait for the client, unless the response waits already.
    pub(super) fn begin_waiting(&self) {
        self.state.activity().begin(&self.stream.unsent);
    }

    /// h2 is about to get the end of the response.
    pub(super) fn hand_over(&self) {
        self.stream.unsent.set(self.state.activity().now());
        self.state.ended(self.state.streams.hand_over(self.stream.id()));
    }
}

impl Track for Tracked {
    fn respond(&mut self, head: &mut response::Parts) -> Option<Response<Bytes>> {
        self.stream.set_answered();
        self.state.note_response();
        let fault = self.stream.body_fault()?;
        let response = refuse(&fault.into(), self.format, Some(&head.headers));
        self.accepted.refused(&self.shared, Some(&response), fault.reason(), None);
        Some(response)
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.state.ended(self.state.streams.task_ended(self.stream.id()));
    }
}
