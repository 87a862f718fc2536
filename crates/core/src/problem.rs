//! Problem details (RFC 9457), the one table from errors to statuses, and the one place where both become responses.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;

use crate::{Error, ErrorKind, ReplyFormat, reply};

/// The name of the header that carries the request's id.
pub const REQUEST_ID: header::HeaderName = header::HeaderName::from_static("x-request-id");

/// A problem document: `type`, `title`, `status`, `detail`, `request_id`.
#[derive(Debug, Clone)]
pub struct Problem<'a> {
    status: StatusCode,
    detail: Option<&'a str>,
}

#[derive(Serialize)]
struct Document<'a> {
    r#type: &'static str,
    title: &'a str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

impl<'a> Problem<'a> {
    /// A problem whose title is the status's own phrase; its `type` is then `about:blank` (RFC 9457, section 4.2.1).
    pub fn new(status: StatusCode) -> Self {
        Self { status, detail: None }
    }

    /// A sentence for the client.
    #[must_use]
    pub fn detail(mut self, detail: &'a str) -> Self {
        self.detail = Some(detail);
        self
    }

    /// The document's bytes.
    pub fn to_json(&self, request_id: Option<&HeaderValue>) -> Bytes {
        let document = Document {
            r#type: "about:blank",
            title: self.title(),
            status: self.status.as_u16(),
            detail: self.detail,
            request_id: request_id.and_then(|id| id.to_str().ok()),
        };
        serde_json::to_vec(&document).unwrap_or_default().into()
    }

    /// The response, in a form that the caller understands. What is no problem document says as much of it as its format
    /// has room for.
    pub fn into_response(self, format: ReplyFormat, request_id: Option<&HeaderValue>) -> Response<Bytes> {
        let mut response = match format {
            ReplyFormat::Problem => self.document(request_id),
            ReplyFormat::Grpc => reply::render_grpc(self.status, self.detail.unwrap_or_else(|| self.title())),
        };
        if let Some(id) = request_id {
            response.headers_mut().insert(REQUEST_ID, id.clone());
        }
        response
    }

    fn document(&self, request_id: Option<&HeaderValue>) -> Response<Bytes> {
        let mut response = Response::new(self.to_json(request_id));
        *response.status_mut() = self.status;
        let content_type = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, content_type);
        response
    }

    fn title(&self) -> &'static str {
        self.status.canonical_reason().unwrap_or("Error")
    }
}

/// The status of each kind of error.
pub fn status(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::Resolve | ErrorKind::Connect | ErrorKind::Tls | ErrorKind::Closed | ErrorKind::Protocol => {
            StatusCode::BAD_GATEWAY
        }
        ErrorKind::Overloaded | ErrorKind::NoEndpoint | ErrorKind::LoadShed => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::ConnectTimeout
        | ErrorKind::ResponseTimeout
        | ErrorKind::IdleTimeout
        | ErrorKind::Timeout => StatusCode::GATEWAY_TIMEOUT,
        ErrorKind::RequestBody | ErrorKind::BadRequest => StatusCode::BAD_REQUEST,
        ErrorKind::RequestBodyTimeout => StatusCode::REQUEST_TIMEOUT,
        ErrorKind::RequestBodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorKind::Loop => StatusCode::LOOP_DETECTED,
        ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The response to an error, in the form that [`ReplyFormat::of`] its request. Only its kind shows; the cause is for logs.
/// A [`Rejection`](crate::Rejection) among its causes is answered as it is.
pub fn from_error(error: &Error, format: ReplyFormat, request_id: Option<&HeaderValue>) -> Response<Bytes> {
    if let Some(rejection) = error.rejection() {
        return rejection.clone().into_response(format, request_id);
    }
    let problem = Problem::new(status(error.kind()));
    match error.kind() {
        ErrorKind::RequestBody => problem.detail("The request body ended early or is not valid."),
        ErrorKind::RequestBodyTooLarge => problem.detail("The request body is too large."),
        ErrorKind::RequestBodyTimeout => problem.detail("The request body took too long to arrive."),
        ErrorKind::BadRequest => problem.detail("The request cannot be forwarded."),
        ErrorKind::Overloaded => problem.detail("The service is at its limit of connections."),
        ErrorKind::Timeout => problem.detail("The service did not answer in time."),
        ErrorKind::LoadShed => problem.detail("The service takes no more requests just now. Try again later."),
        ErrorKind::Loop => problem.detail("The request came back to the gateway."),
        ErrorKind::Internal => problem,
        kind if kind.side() == crate::Side::Upstream && error.is_timeout() => {
            problem.detail("The service did not answer in time.")
        }
        _ => problem.detail("The service is not available."),
    }
    .into_response(format, request_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_of_the_cause_reaches_the_client() {
        let error = Error::new(ErrorKind::Connect, "10.0.0.7:5432 refused, password hunter2");
        let id = HeaderValue::from_static("abc");
        let response = from_error(&error, ReplyFormat::Problem, Some(&id));
        assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
        assert_eq!(response.headers()["x-request-id"], "abc");
        let document: serde_json::Value = serde_json::from_slice(response.body()).expect("valid JSON");
        assert_eq!(document["status"], 502);
        assert_eq!(document["request_id"], "abc");
        assert!(!document.to_string().contains("hunter2"));
    }
}
