use std::{fmt, net::IpAddr};

use http::StatusCode;

use super::line::{Label, Line};

/// A request that was refused before it reached any layer, since its framing is not valid HTTP say, with what is known
/// of it all the same.
pub struct RefusedRequest<'a>(pub(super) Line<'a>);

impl<'a> RefusedRequest<'a> {
    /// A request from this client, with the status it was answered with; `policy` and `reason` are the line's
    /// `rejection`.
    pub fn new(client: IpAddr, status: StatusCode, policy: &'a str, reason: &'a str) -> Self {
        Self(Line {
            client: Some(client),
            status: Some(status.as_u16()),
            rejection: Some(Label { by: policy, reason }),
            ..Line::default()
        })
    }

    /// The id that the response carries.
    #[must_use]
    pub fn request_id(mut self, id: Option<&'a str>) -> Self {
        self.0.request_id = id;
        self
    }

    /// The method, as far as it was read.
    #[must_use]
    pub fn method(mut self, method: Option<&'a str>) -> Self {
        self.0.method = method;
        self
    }

    /// The target as far as it was read; of it only the path is logged, since queries hold secrets.
    #[must_use]
    pub fn target(mut self, target: Option<&'a str>) -> Self {
        self.0.path = target.and_then(|target| target.split(['?', '#']).next());
        self
    }
}

impl fmt::Debug for RefusedRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefusedRequest")
    }
}
