//! The state that the connections of one worker share, and the facts about one connection.

use std::sync::Arc;

use bytes::Bytes;
use gatewright_core::ConnectionInfo;
use http::Response;

use crate::{
    drain::Connections,
    host_check::HostCheck,
    limits::Limits,
    refused::{OnRefused, Refused, RequestLine},
};

/// The state that the connections of one worker share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) limits: Limits,
    pub(crate) connections: Arc<Connections>,
    pub(crate) on_refused: OnRefused,
}

/// The facts about a connection that is ready for HTTP.
pub(crate) struct Accepted {
    pub(crate) info: ConnectionInfo,
    pub(crate) host_check: Option<HostCheck>,
}

impl Accepted {
    /// Reports a refusal to the program.
    pub(crate) fn refused(
        &self,
        shared: &Shared,
        response: Option<&Response<Bytes>>,
        reason: &'static str,
        request_line: Option<RequestLine>,
    ) {
        let (peer, listener) = (self.info.peer(), Arc::clone(self.info.listener()));
        (shared.on_refused.0)(&Refused::new(peer, listener, response, reason, request_line));
    }
}
