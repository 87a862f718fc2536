//! One attempt on its way.

use gatewright_client::{Connection, Sending};
use gatewright_core::Error;
use http::{Request, Version};
use tokio::time::Instant;

use super::{exchange::Exchange, retry_state::RetryState, trace};
use crate::{
    deadline::Deadline, interim, request_body::RequestBody, settings::Settings, tunnel::Upgrade, upstream::Pick,
};

/// An attempt on its way.
pub(super) struct Attempt {
    pub(super) response: Deadline<Sending<RequestBody>>,
    pub(super) sent: Sent,
}

/// What the answer to an attempt is judged by.
pub(super) struct Sent {
    pub(super) pick: Pick,
    /// The connection had served before.
    pub(super) reused: bool,
    /// The head once more, for a retry. A request that the endpoint has not answered is given back without a copy.
    pub(super) copy: Option<Box<Request<RequestBody>>>,
}

impl Exchange {
    /// Sends the request on its way.
    pub(super) fn attempt(
        &self,
        mut connection: Connection<RequestBody>,
        mut request: Request<RequestBody>,
        pick: Pick,
        retry_state: &RetryState,
        now: Instant,
    ) -> Result<Attempt, Error> {
        let Settings { upstream, preserve_host, .. } = &*self.settings;
        let version = connection.version();
        let copy = self.may_resend(retry_state).then(|| copy_of(&request));
        let own_host = &pick.endpoint().host;
        self.destination.write(&mut request, version, upstream.scheme(), own_host, *preserve_host)?;
        let sent = Sent { pick, reused: connection.is_reused(), copy };
        if version == Version::HTTP_11 {
            if self.upgrade.is_some() {
                Upgrade::write(request.headers_mut());
            }
            if let Some(responder) = interim::responder(self.record.as_ref(), self.client_version) {
                connection = connection.relay_interim(responder);
            }
        }
        if let Some(record) = self.traced() {
            trace::send(record, &mut request, &upstream.scheme());
        }
        let progress = request.body().progress();
        let connection = connection.stall_timeout(self.settings.idle_timeout);
        let response = Deadline::new(connection.send(request), self.limits(), progress, now);
        Ok(Attempt { response, sent })
    }

    /// The request once more, with the body from its beginning; `None` when the body is not kept any more.
    pub(super) fn renew(&self, mut copy: Request<RequestBody>) -> Option<Request<RequestBody>> {
        if let Some(replay) = &self.replay {
            *copy.body_mut() = replay.again()?;
        }
        Some(copy)
    }
}

/// The same head once more. Only requests that may be sent again are copied, and few requests may.
fn copy_of(request: &Request<RequestBody>) -> Box<Request<RequestBody>> {
    let mut copy = Request::new(RequestBody::empty());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    Box::new(copy)
}
