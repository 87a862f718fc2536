//! Refused requests and connections, for logs.

use std::{fmt, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use gatewright_core::{problem::REQUEST_ID, reply::status_meant};
use gatewright_http1::Refusal;
use http::{HeaderValue, Request, Response, StatusCode};

/// A request or connection that broke a rule or a limit, so that the service was not called.
#[derive(Debug, Clone)]
pub struct Refused {
    peer: SocketAddr,
    listener: Arc<str>,
    status: Option<StatusCode>,
    request_id: Option<HeaderValue>,
    reason: &'static str,
    request_line: Option<RequestLine>,
}

/// The parts of a request line for the log.
#[derive(Debug, Clone)]
pub(crate) struct RequestLine {
    method: Box<[u8]>,
    target: Box<[u8]>,
}

impl RequestLine {
    pub(crate) fn new(method: &[u8], target: &[u8]) -> Self {
        Self { method: method.into(), target: target.into() }
    }

    pub(crate) fn of<B>(request: &Request<B>) -> Self {
        let target = request.uri().path_and_query().map_or("", |target| target.as_str());
        Self::new(request.method().as_str().as_bytes(), target.as_bytes())
    }

    /// The parts of the request line that were read.
    pub(crate) fn of_refusal(refusal: &Refusal) -> Option<Self> {
        refusal.request_line().map(|(method, target)| Self::new(method, target))
    }

    pub(crate) fn is_head(&self) -> bool {
        *self.method == *b"HEAD"
    }
}

impl Refused {
    pub(crate) fn new(
        peer: SocketAddr,
        listener: Arc<str>,
        response: Option<&Response<Bytes>>,
        reason: &'static str,
        request_line: Option<RequestLine>,
    ) -> Self {
        let status = response.map(status_meant);
        let request_id = response.and_then(|response| response.headers().get(REQUEST_ID).cloned());
        Self { peer, listener, status, request_id, reason, request_line }
    }

    /// The address of the client; behind PROXY protocol, the address in the PROXY header.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// The name of the listener.
    pub fn listener(&self) -> &Arc<str> {
        &self.listener
    }

    /// The status that the client got, or the status that its gRPC code stands for. `None` if the connection was closed
    /// without a response.
    pub fn status(&self) -> Option<StatusCode> {
        self.status
    }

    /// The `x-request-id` of the response that the client got.
    pub fn request_id(&self) -> Option<&HeaderValue> {
        self.request_id.as_ref()
    }

    /// The reason, as a short stable word: `bare_lf`, `slow_head`, `ping_flood`, …
    pub fn reason(&self) -> &'static str {
        self.reason
    }

    /// The method, if it was read. It is shown escaped, as printable ASCII, and cut at 256 bytes.
    pub fn method(&self) -> Option<impl fmt::Display + '_> {
        self.request_line.as_ref().map(|line| Escaped(&line.method))
    }

    /// The target, if it was read. It is shown escaped, as printable ASCII, and cut at 256 bytes.
    pub fn target(&self) -> Option<impl fmt::Display + '_> {
        self.request_line.as_ref().map(|line| Escaped(&line.target))
    }
}

struct Escaped<'a>(&'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 256;
        let shown = self.0.get(..SHOWN).unwrap_or(self.0);
        write!(f, "{}", shown.escape_ascii())?;
        if shown.len() < self.0.len() { f.write_str("...") } else { Ok(()) }
    }
}

/// The function that is called for each refusal.
#[derive(Clone)]
pub(crate) struct OnRefused(pub(crate) Arc<dyn Fn(&Refused) + Send + Sync>);

impl Default for OnRefused {
    fn default() -> Self {
        Self(Arc::new(|refused| {
            tracing::debug!(peer = %refused.peer, reason = refused.reason, "refused");
        }))
    }
}

impl fmt::Debug for OnRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnRefused")
    }
}
