use std::{fmt, net::IpAddr};

use http::StatusCode;

use super::line::Line;
use crate::ended::Obstacle;

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
            rejection: Some(Obstacle { by: policy, reason }),
            ..Line::default()
        })
    }

    /// The status that it was answered with.
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// Who refused it.
    pub fn policy(&self) -> &'a str {
        self.0.rejection.map_or("", |rejection| rejection.by)
    }

    /// Why, as a short stable word.
    pub fn reason(&self) -> &'a str {
        self.0.rejection.map_or("", |rejection| rejection.reason)
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

    /// The target as far as it was read; of it only the path is logged, since queries and user information hold secrets.
    #[must_use]
    pub fn target(mut self, target: Option<&'a str>) -> Self {
        self.0.path = target.and_then(path);
        self
    }

    /// What is counted of it: method, status, and who refused it and why.
    #[cfg(feature = "metrics")]
    pub(crate) fn counted(&self) -> (Option<&'a str>, Option<u16>, Option<Obstacle<'a>>) {
        (self.0.method, self.0.status, self.0.rejection)
    }
}

/// The path of a target in origin form or absolute form (RFC 9112, section 3.2).
fn path(target: &str) -> Option<&str> {
    let target = target.split(['?', '#']).next()?;
    let path = match target.split_once("://") {
        Some((_, rest)) if !target.starts_with('/') => &rest[rest.find('/')?..],
        _ => target,
    };
    path.starts_with('/').then_some(path)
}

impl fmt::Debug for RefusedRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefusedRequest")
    }
}

#[cfg(test)]
mod tests {
    use super::path;

    #[test]
    fn of_a_target_only_the_path_is_shown() {
        for (target, shown) in [
            ("/a/b?token=1", Some("/a/b")),
            ("/a#b", Some("/a")),
            ("/a://b", Some("/a://b")),
            ("http://user:secret@host/a?b", Some("/a")),
            ("http://user:secret@host", None),
            ("user:secret@host:443", None),
            ("*", None),
            ("", None),
        ] {
            assert_eq!(path(target), shown, "{target}");
        }
    }
}
