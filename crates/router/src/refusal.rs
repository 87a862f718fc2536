use std::fmt;

use gatewright_core::{Rejection, path::PathError};
use http::{HeaderValue, Method, StatusCode, header};

const POLICY: &str = "router";

/// Why a router answers a request itself, with an error.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// No route takes the request: 404.
    NoRoute,
    /// Routes take the request with these other methods only: 405, with the methods in `Allow` (RFC 9110,
    /// section 15.5.6).
    MethodNotAllowed(Vec<Method>),
    /// The path breaks this rule: 400.
    BadPath(PathError),
}

impl Refusal {
    /// The refusal as the client gets it.
    pub fn rejection(&self) -> Rejection {
        match self {
            Self::NoRoute => {
                Rejection::new(StatusCode::NOT_FOUND, POLICY, "no_route").detail("No route takes this request.")
            }
            Self::MethodNotAllowed(methods) => {
                let rejection = Rejection::new(StatusCode::METHOD_NOT_ALLOWED, POLICY, "method_not_allowed")
                    .detail("The method is not allowed here.");
                match HeaderValue::try_from(names(methods)) {
                    Ok(allow) => rejection.header(header::ALLOW, allow),
                    Err(_) => rejection,
                }
            }
            Self::BadPath(error) => Rejection::new(StatusCode::BAD_REQUEST, POLICY, error.reason())
                .detail(format!("The request is refused: {error}.")),
        }
    }
}

/// A clause that begins with the status.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRoute => f.write_str("404: no route takes the request"),
            Self::MethodNotAllowed(methods) if methods.is_empty() => {
                f.write_str("405: no route takes the method")
            }
            Self::MethodNotAllowed(methods) => {
                write!(f, "405: routes take the request with another method only ({})", names(methods))
            }
            Self::BadPath(error) => write!(f, "400: {error}"),
        }
    }
}

fn names(methods: &[Method]) -> String {
    methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", ")
}
