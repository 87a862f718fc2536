use gatewright_core::hop_by_hop;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::RewriteError;

/// One change to the headers of a request or response.
#[derive(Debug, Clone)]
pub(crate) enum HeaderEdit {
    Set(HeaderName, HeaderValue),
    Add(HeaderName, HeaderValue),
    Remove(HeaderName),
}

/// Whether an edit changes the headers of requests or of responses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Request,
    Response,
}

impl HeaderEdit {
    pub(crate) fn set(side: Side, name: &str, value: &str) -> Result<Self, RewriteError> {
        Ok(Self::Set(parse_name(side, name)?, parse_value(value)?))
    }

    pub(crate) fn add(side: Side, name: &str, value: &str) -> Result<Self, RewriteError> {
        Ok(Self::Add(parse_name(side, name)?, parse_value(value)?))
    }

    pub(crate) fn remove(side: Side, name: &str) -> Result<Self, RewriteError> {
        Ok(Self::Remove(parse_name(side, name)?))
    }

    /// The header whose values from the client are all removed or replaced, if there is one.
    pub(crate) fn replaces(&self) -> Option<&HeaderName> {
        match self {
            Self::Set(name, _) | Self::Remove(name) => Some(name),
            Self::Add(..) => None,
        }
    }

    pub(crate) fn apply(&self, headers: &mut HeaderMap) {
        match self {
            Self::Set(name, value) => {
                headers.insert(name, value.clone());
            }
            Self::Add(name, value) => {
                headers.append(name, value.clone());
            }
            Self::Remove(name) => {
                headers.remove(name);
            }
        }
    }
}

fn parse_name(side: Side, text: &str) -> Result<HeaderName, RewriteError> {
    let name: HeaderName = text.parse().map_err(|_| RewriteError::new(text, "this is no header name"))?;
    if hop_by_hop::frames(name.as_str()) {
        return Err(RewriteError::new(text, "this header frames the message, and a rewrite cannot change it"));
    }
    if side == Side::Request && name == header::HOST {
        return Err(RewriteError::new(text, "rewrite the host instead, which sets this header"));
    }
    Ok(name)
}

fn parse_value(text: &str) -> Result<HeaderValue, RewriteError> {
    HeaderValue::from_str(text)
        .map_err(|_| RewriteError::new(text, "a header value holds no control characters"))
}
