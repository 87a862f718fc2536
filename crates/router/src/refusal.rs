//! The router's own answers.

use gatewright_core::{Rejection, path::PathError};
use http::{HeaderValue, Method, StatusCode, header};

const POLICY: &str = "router";

/// The path is none that can be matched: 400.
pub(crate) fn bad_path(error: PathError) -> Rejection {
    Rejection::new(StatusCode::BAD_REQUEST, POLICY, error.reason())
        .detail(format!("The request is refused: {error}."))
}

/// No route takes the request: 404.
pub(crate) fn no_route() -> Rejection {
    Rejection::new(StatusCode::NOT_FOUND, POLICY, "no_route").detail("No route takes this request.")
}

/// Routes take the request with other methods: 405, with those (RFC 9110, section 15.5.6).
pub(crate) fn method_not_allowed(methods: &[Method]) -> Rejection {
    let allow = methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
    let rejection = Rejection::new(StatusCode::METHOD_NOT_ALLOWED, POLICY, "method_not_allowed")
        .detail("The method is not allowed here.");
    match HeaderValue::try_from(allow) {
        Ok(allow) => rejection.header(header::ALLOW, allow),
        Err(_) => rejection,
    }
}
