//! A request made of the bytes of its head.

use bytes::Bytes;
use gatewright_core::Body;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version, header};

use super::names;
use crate::framing::{FieldSpan, Head, Upgrade, Violation};

/// What a request says of its response.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) is_head: bool,
    pub(super) version: Version,
    /// Whether the client takes trailers (RFC 9110, section 6.5.1).
    pub(super) trailers: bool,
}

impl Asked {
    pub(super) fn of(request: &Request<Body>, head: &Head) -> Self {
        Self { is_head: request.method() == Method::HEAD, version: head.version, trailers: head.takes_trailers }
    }
}

/// Makes a request, still without its body, of slices of `bytes`, the head that framing has proven. What framing lets
/// pass and the types of the `http` crate do not is a violation too: a name that is too long, say.
pub(super) fn build(head: &Head, bytes: &Bytes, fields: &[FieldSpan]) -> Result<Request<Body>, Violation> {
    let mut request = Request::new(Body::empty());
    *request.method_mut() = Method::from_bytes(&bytes[head.method.clone()]).map_err(|_| Violation::METHOD)?;
    *request.uri_mut() =
        Uri::from_maybe_shared(bytes.slice(head.target.clone())).map_err(|_| Violation::TARGET)?;
    *request.version_mut() = head.version;
    *request.headers_mut() = self::fields(bytes, fields).ok_or(Violation::FIELD_NAME)?;
    if head.upgrade == Some(Upgrade::Ignored) {
        request.headers_mut().remove(header::UPGRADE);
        request.headers_mut().remove("http2-settings");
    }
    Ok(request)
}

/// The fields of a head or of trailers.
pub(super) fn fields(bytes: &Bytes, fields: &[FieldSpan]) -> Option<HeaderMap> {
    // Layers add a few of their own.
    let mut map = HeaderMap::try_with_capacity(fields.len() + 4).ok()?;
    for field in fields {
        let (from_name, length) = (&bytes[field.name.start..], field.name.len());
        let name = names::usual(from_name, length);
        let name = name.or_else(|| HeaderName::from_bytes(from_name.get(..length)?).ok())?;
        let value = HeaderValue::from_maybe_shared(bytes.slice(field.value.clone())).ok()?;
        map.try_append(name, value).ok()?;
    }
    Some(map)
}
