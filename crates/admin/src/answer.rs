//! Answers.

use axum::response::{IntoResponse, Response as AxumResponse};
use gatewright_core::{Body, ReplyFormat, problem::Problem};
use http::{HeaderValue, Response, StatusCode, header::CONTENT_TYPE};
use serde_json::Value;

/// A problem document.
pub(crate) fn problem(status: StatusCode, detail: &'static str) -> Response<Body> {
    Problem::new(status).detail(detail).into_response(ReplyFormat::Problem, None).map(Body::once)
}

/// A JSON document.
pub(crate) struct Json(pub(crate) Value);

impl IntoResponse for Json {
    fn into_response(self) -> AxumResponse {
        text("application/json", self.0.to_string())
    }
}

/// A text of this type.
pub(crate) fn text(content_type: &'static str, text: impl Into<axum::body::Body>) -> AxumResponse {
    let mut response = Response::new(text.into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
