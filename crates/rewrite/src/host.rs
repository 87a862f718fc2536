use http::{HeaderValue, Uri, header, request, uri::Authority};

use crate::RewriteError;

/// The host that rewritten requests name, with an optional port.
#[derive(Debug, Clone)]
pub(crate) struct Host {
    authority: Authority,
    value: HeaderValue,
}

impl Host {
    pub(crate) fn parse(text: &str) -> Result<Self, RewriteError> {
        let wrong = |hint: &'static str| RewriteError::new(text, hint);
        if text.contains('@') {
            return Err(wrong("leave user and password out of the host"));
        }
        let hint = "write a host such as `users.internal` or `users.internal:8080`";
        let authority: Authority = text.parse().map_err(|_| wrong(hint))?;
        let has_port = authority.as_str().len() > authority.host().len();
        if authority.host().is_empty() || (has_port && authority.port_u16().is_none()) {
            return Err(wrong(hint));
        }
        let value = HeaderValue::try_from(authority.as_str()).map_err(|_| wrong(hint))?;
        Ok(Self { authority, value })
    }

    pub(crate) fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Sets the host in the Host header, and in the URI's authority if the URI has one.
    pub(crate) fn set(&self, head: &mut request::Parts) {
        if head.uri.authority().is_some() {
            let mut parts = head.uri.clone().into_parts();
            parts.authority = Some(self.authority.clone());
            if let Ok(uri) = Uri::from_parts(parts) {
                head.uri = uri;
            }
        }
        head.headers.insert(header::HOST, self.value.clone());
    }
}
