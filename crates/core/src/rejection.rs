//! A policy's refusal.

use std::{borrow::Cow, fmt};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header::CONTENT_TYPE, request::Parts};

use crate::{ReplyFormat, RequestRecord, problem::Problem};

/// A refusal: the status and text that the client gets, and the policy and reason that only the operator sees.
///
/// It is answered in a form that the caller understands, which is `application/problem+json` (RFC 9457) for all but those
/// of [`ReplyFormat`], and rides in the response's extensions, so that an outer
/// layer can label it.
#[derive(Clone)]
pub struct Rejection(Box<Inner>);

#[derive(Clone)]
struct Inner {
    status: StatusCode,
    policy: &'static str,
    reason: Cow<'static, str>,
    detail: Option<Cow<'static, str>>,
    headers: HeaderMap,
}

impl Rejection {
    /// A refusal by `policy`. `reason` is a short stable word for logs and metrics (`over_limit`, `no_token`).
    pub fn new(status: StatusCode, policy: &'static str, reason: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner { status, policy, reason: reason.into(), detail: None, headers: HeaderMap::new() }))
    }

    /// A sentence for the client. It must hold nothing that helps an attacker.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// A header of the response, `WWW-Authenticate` or `Retry-After` say; repeated calls add values.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.append(name, value);
        self
    }

    /// The status of the response.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The sentence for the client, when there is one.
    pub fn detail_text(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    /// The header fields of the response that this refusal asks for.
    pub fn headers(&self) -> &HeaderMap {
        &self.0.headers
    }

    /// The name of the policy that refused.
    pub fn policy(&self) -> &'static str {
        self.0.policy
    }

    /// Why it refused, as a short stable word.
    pub fn reason(&self) -> &str {
        &self.0.reason
    }

    /// Writes itself into the record of the request, and answers the request.
    pub fn answer(self, request: &Parts) -> Response<Bytes> {
        let request_id = RequestRecord::of(&request.extensions).and_then(|record| {
            record.with(|summary| {
                summary.rejection = Some(self.clone());
                summary.request_id.clone()
            })
        });
        self.into_response(ReplyFormat::of(request), request_id.as_ref())
    }

    /// The response, with itself in the extensions, where no request is at hand any more to be
    /// [answered](Self::answer).
    pub fn into_response(self, format: ReplyFormat, request_id: Option<&HeaderValue>) -> Response<Bytes> {
        let mut problem = Problem::new(self.0.status);
        if let Some(detail) = &self.0.detail {
            problem = problem.detail(detail);
        }
        let mut response = problem.into_response(format, request_id);
        // What the content is, its format says.
        for (name, value) in self.0.headers.iter().filter(|(name, _)| *name != CONTENT_TYPE) {
            response.headers_mut().append(name, value.clone());
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl fmt::Debug for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rejection")
            .field("status", &self.0.status)
            .field("policy", &self.0.policy)
            .field("reason", &self.0.reason)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.policy, self.0.reason)
    }
}

impl std::error::Error for Rejection {}
