//! Answering the failures of routes.

use std::sync::Arc;

use gatewright_core::{Body, Error, ErrorKind, Rejection, ReplyFormat, RequestRecord, problem};
use http::Response;

/// The program's own function that decides about a failure.
type Judge = dyn Fn(&Error) -> Option<Rejection> + Send + Sync;

/// The shared handle of that function.
#[derive(Clone)]
pub(crate) struct OnError(pub(crate) Arc<Judge>);

/// The context for answering a failure of one request.
pub(crate) struct Failure {
    pub(crate) format: ReplyFormat,
    pub(crate) record: Option<RequestRecord>,
    pub(crate) on_error: Option<OnError>,
}

impl Failure {
    /// Makes the response, and puts its reason into the record and the log.
    #[cold]
    pub(crate) fn answer(&self, error: &Error) -> Response<Body> {
        let refusal = self.on_error.as_ref().and_then(|OnError(judge)| judge(error));
        let refusal = refusal.or_else(|| error.rejection().cloned());
        let (request_id, route) = match &self.record {
            Some(record) => record.with(|known| {
                match &refusal {
                    Some(refusal) => known.rejection = Some(refusal.clone()),
                    None => known.error = Some(error.kind()),
                }
                (known.request_id.clone(), known.route.clone())
            }),
            None => (None, None),
        };
        let (route, id) = (route.as_deref(), request_id.as_ref().and_then(|id| id.to_str().ok()));
        // The operator has to mend an unexpected failure, and no other line reports it.
        if refusal.is_none() && error.kind() == ErrorKind::Internal {
            tracing::error!(route, request_id = id, error = %error.chain(), "a route failed");
        } else {
            tracing::debug!(route, request_id = id, error = %error.chain(), "a route failed");
        }
        match refusal {
            Some(refusal) => refusal.into_response(self.format, request_id.as_ref()),
            None => problem::from_error(error, self.format, request_id.as_ref()),
        }
        .map(Body::once)
    }
}
