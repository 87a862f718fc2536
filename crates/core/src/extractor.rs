//! Who calls, as an argument of axum's handlers.

use std::convert::Infallible;

use axum_core::{
    body::Body,
    extract::{FromRequestParts, OptionalFromRequestParts},
    response::Response,
};
use http::{StatusCode, request::Parts};

use crate::{Principal, Rejection};

/// The handler is for callers that are known. Where no layer has found out who calls, the request is refused with 403.
impl<S: Send + Sync> FromRequestParts<S> for Principal {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        Self::of(&parts.extensions).ok_or_else(|| {
            Rejection::new(StatusCode::FORBIDDEN, "principal", "no_principal")
                .detail("Nothing has said who calls.")
                .answer(parts)
                .map(Body::from)
        })
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for Principal {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(Self::of(&parts.extensions))
    }
}
