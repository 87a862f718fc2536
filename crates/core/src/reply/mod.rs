//! In which form a caller is answered when a layer answers in the service's place.
//!
//! A client understands a refusal only in its own protocol: a gRPC client takes a problem document for a broken message.
//! So whoever refuses a request or answers a failure asks [`ReplyFormat::of`] first, and
//! [`Problem::into_response`](crate::problem::Problem::into_response), through which every such answer goes, renders it.
//!
//! 1. The format follows from the request as the layer sees it. A layer that translates a protocol translates
//!    the refusals from inside it too.
//! 2. Only a POST is a gRPC call, as gRPC itself demands. A gRPC answer always has the status 200, and no cache may
//!    store that as the response to a GET.
//! 3. What the status would have been is in the extensions of the response. [`status_meant`] finds it, so that logs and
//!    metrics show 401 or 503 whatever the client speaks.

mod grpc;

use http::{HeaderMap, Method, Request, Response, StatusCode, header::CONTENT_TYPE, request::Parts};

pub(crate) use grpc::render as render_grpc;

/// The form of an answer that a layer gives in the service's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum ReplyFormat {
    /// A problem document: `application/problem+json` (RFC 9457).
    #[default]
    Problem,
    /// A gRPC response without messages: status 200, and `grpc-status` and `grpc-message` in the head ("Trailers-Only").
    Grpc,
}

impl ReplyFormat {
    /// The format that the caller of a request understands.
    pub fn of(request: &Parts) -> Self {
        Self::of_call(&request.method, &request.headers)
    }

    /// As [`of`](Self::of), for a whole request.
    pub fn of_request<B>(request: &Request<B>) -> Self {
        Self::of_call(request.method(), request.headers())
    }

    fn of_call(method: &Method, headers: &HeaderMap) -> Self {
        // Asked first, since most requests are no POST and then cost no search.
        if *method != Method::POST {
            return Self::Problem;
        }
        match headers.get(CONTENT_TYPE) {
            Some(content_type) if grpc::is_grpc(content_type) => Self::Grpc,
            _ => Self::Problem,
        }
    }
}

/// The status that a response means, where its format cannot show it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StatusMeant(pub(crate) StatusCode);

/// The status that a response means: 401, say, where a gRPC client is told so with 200 and `grpc-status: 16`. For every
/// response that no layer of ours has made, that is its status.
pub fn status_meant<B>(response: &Response<B>) -> StatusCode {
    response.extensions().get::<StatusMeant>().map_or(response.status(), |meant| meant.0)
}

#[cfg(test)]
mod tests;
