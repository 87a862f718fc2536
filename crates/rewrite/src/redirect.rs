use std::fmt::Write as _;

use gatewright_core::{
    RequestRecord,
    path::{PathError, PathRules, canonical},
};
use http::{HeaderValue, Response, StatusCode, header, request, uri::Authority};

use crate::{RewriteError, host::Host, path_rule::PathRule};

/// A redirect: which parts of the request's URI change, and the status that says so.
///
/// A part that is not set keeps its value from the request, as the Kubernetes Gateway API has it
/// (`HTTPRequestRedirectFilter`):
///
/// 1. The scheme is the scheme that the client spoke; the host is the host of the request.
/// 2. If the port is not set but the scheme is, the port is the default port of that scheme. If neither is set, the
///    port is the port of the request. The default port of `http` and `https` is not written.
/// 3. The query is kept byte for byte.
/// 4. A request whose path does not fit the path rule is not redirected. A request that would be redirected to its own
///    URI is not redirected either, unless [`always`](Self::always) is set.
/// 5. If the client's scheme is not known, the `Location` is relative (RFC 3986, section 4.2), which keeps the scheme.
#[derive(Debug, Clone)]
#[must_use = "a redirect does nothing until it is given to `RewriteLayer::redirect`"]
pub struct Redirect {
    status: StatusCode,
    scheme: Option<Scheme>,
    host: Option<Host>,
    port: Option<u16>,
    path: Option<PathRule>,
    is_always: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
}

impl Scheme {
    fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// A URI without its query.
#[derive(Debug, PartialEq, Eq)]
struct Place<'a> {
    scheme: Option<Scheme>,
    host: Option<&'a str>,
    port: Option<u16>,
    path: &'a str,
}

/// Why there is no `Location` for a request.
pub(crate) enum Unfit {
    Path(PathError),
    /// The redirect needs a host, and neither the request nor the redirect names one.
    NoHost,
}

impl Redirect {
    /// A redirect with status 301, 302, 303, 307 or 308 (RFC 9110, section 15.4).
    ///
    /// # Errors
    ///
    /// For another status.
    pub fn new(status: u16) -> Result<Self, RewriteError> {
        match StatusCode::from_u16(status) {
            Ok(
                status @ (StatusCode::MOVED_PERMANENTLY
                | StatusCode::FOUND
                | StatusCode::SEE_OTHER
                | StatusCode::TEMPORARY_REDIRECT
                | StatusCode::PERMANENT_REDIRECT),
            ) => Ok(Self::with(status)),
            _ => {
                Err(RewriteError::new(&status.to_string(), "a redirect's status is 301, 302, 303, 307 or 308"))
            }
        }
    }

    /// 308: a permanent redirect that keeps the method.
    pub fn permanent() -> Self {
        Self::with(StatusCode::PERMANENT_REDIRECT)
    }

    /// 307: a temporary redirect that keeps the method.
    pub fn temporary() -> Self {
        Self::with(StatusCode::TEMPORARY_REDIRECT)
    }

    /// 303: the client fetches the answer with GET.
    pub fn see_other() -> Self {
        Self::with(StatusCode::SEE_OTHER)
    }

    fn with(status: StatusCode) -> Self {
        Self { status, scheme: None, host: None, port: None, path: None, is_always: false }
    }

    /// Sets the scheme: `http` or `https`.
    ///
    /// # Errors
    ///
    /// For another scheme.
    pub fn scheme(mut self, scheme: &str) -> Result<Self, RewriteError> {
        self.scheme = Some(match scheme.to_ascii_lowercase().as_str() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return Err(RewriteError::new(scheme, "the scheme is `http` or `https`")),
        });
        Ok(self)
    }

    /// Sets the host.
    ///
    /// # Errors
    ///
    /// When the text is not a host name or an address, and when it has a port: [`port`](Self::port) sets the port.
    pub fn host(mut self, host: &str) -> Result<Self, RewriteError> {
        let parsed = Host::parse(host)?;
        if parsed.authority().port().is_some() {
            return Err(RewriteError::new(host, "set the port apart from the host"));
        }
        self.host = Some(parsed);
        Ok(self)
    }

    /// Sets the port.
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Sets the whole path, as [`RewriteLayer::replace_path`](crate::RewriteLayer::replace_path) does.
    pub fn path(mut self, path: &str) -> Self {
        self.path = Some(PathRule::whole(path));
        self
    }

    /// Replaces a prefix of the path, as [`RewriteLayer::replace_prefix`](crate::RewriteLayer::replace_prefix) does.
    pub fn prefix(mut self, from: &str, to: &str) -> Self {
        self.path = Some(PathRule::prefix(from, to));
        self
    }

    /// Makes the path from the captures of a pattern, as
    /// [`RewriteLayer::path_pattern`](crate::RewriteLayer::path_pattern) does.
    ///
    /// # Errors
    ///
    /// When the pattern or the template cannot be read.
    pub fn pattern(mut self, pattern: &str, template: &str) -> Result<Self, RewriteError> {
        self.path = Some(PathRule::pattern(pattern, template)?);
        Ok(self)
    }

    /// Makes the path from the captures of a regex, as
    /// [`RewriteLayer::replace_regex`](crate::RewriteLayer::replace_regex) does.
    ///
    /// # Errors
    ///
    /// When the regex or the replacement cannot be read.
    pub fn regex(mut self, regex: &str, replacement: &str) -> Result<Self, RewriteError> {
        self.path = Some(PathRule::regex(regex, replacement)?);
        Ok(self)
    }

    /// Redirects a request also to its own URI. Use this if no service behind the redirect could answer instead: the
    /// client then sees the loop and stops.
    pub fn always(mut self) -> Self {
        self.is_always = true;
        self
    }

    /// The answer to a request; `None` if the request is not redirected.
    pub(crate) fn answer(
        &self,
        head: &request::Parts,
        rules: PathRules,
    ) -> Result<Option<Response<bytes::Bytes>>, Unfit> {
        let Some(location) = self.location(head, rules)? else { return Ok(None) };
        // A path and a query from a URI are always valid in a header value.
        let location = HeaderValue::try_from(location).map_err(|_| Unfit::Path(PathError::Control))?;
        let mut response = Response::new(bytes::Bytes::new());
        *response.status_mut() = self.status;
        response.headers_mut().insert(header::LOCATION, location);
        Ok(Some(response))
    }

    fn location(&self, head: &request::Parts, rules: PathRules) -> Result<Option<String>, Unfit> {
        let path = canonical(head.uri.path(), rules).map_err(Unfit::Path)?;
        let target = match &self.path {
            None => None,
            Some(rule) => match rule.apply(&path, rules) {
                None => return Ok(None),
                Some(target) => Some(target.map_err(Unfit::Path)?),
            },
        };
        let authority = authority(head);
        let scheme = client_scheme(head);
        let here = Place {
            scheme,
            host: authority.as_ref().map(Authority::host),
            port: authority.as_ref().and_then(Authority::port_u16),
            path: &path,
        };
        let there = Place {
            scheme: self.scheme.or(scheme),
            host: self.host.as_ref().map(|host| host.authority().host()).or(here.host),
            port: self.port.or(if self.scheme.is_some() { None } else { here.port }),
            path: target.as_deref().unwrap_or(here.path),
        };
        if !self.is_always && there.is_same_as(&here) {
            return Ok(None);
        }
        there.write(head.uri.query(), self.scheme.is_some() || self.port.is_some()).map(Some)
    }
}

impl Place<'_> {
    /// The port, unless it is the scheme's default.
    fn uncommon_port(&self) -> Option<u16> {
        self.port.filter(|port| self.scheme.is_none_or(|scheme| scheme.default_port() != *port))
    }

    fn is_same_as(&self, other: &Self) -> bool {
        let is_same_host = match (self.host, other.host) {
            (Some(one), Some(other)) => one.eq_ignore_ascii_case(other),
            (one, other) => one == other,
        };
        self.scheme == other.scheme
            && is_same_host
            && self.uncommon_port() == other.uncommon_port()
            && self.path == other.path
    }

    fn write(&self, query: Option<&str>, needs_host: bool) -> Result<String, Unfit> {
        let mut location = String::new();
        if let Some(host) = self.host {
            if let Some(scheme) = self.scheme {
                location.push_str(scheme.as_str());
                location.push(':');
            }
            location.push_str("//");
            location.push_str(host);
            if let Some(port) = self.uncommon_port() {
                let _ = write!(location, ":{port}");
            }
        } else if needs_host {
            return Err(Unfit::NoHost);
        } else if self.path.starts_with("//") {
            // Two slashes at the beginning would name a host (RFC 3986, section 4.2).
            location.push_str("/.");
        }
        location.push_str(self.path);
        if let Some(query) = query {
            location.push('?');
            location.push_str(query);
        }
        Ok(location)
    }
}

/// The host that the request names: the authority of its URI, or else its Host header.
fn authority(head: &request::Parts) -> Option<Authority> {
    let host = || head.headers.get(header::HOST)?.to_str().ok()?.parse().ok();
    head.uri.authority().cloned().or_else(host)
}

/// The scheme that the client spoke, after trusted hops if they are known.
fn client_scheme(head: &request::Parts) -> Option<Scheme> {
    let record = RequestRecord::of(&head.extensions);
    let of_client = record.and_then(|record| record.with(|summary| Some(summary.client.as_ref()?.is_secure())));
    let of_connection = || Some(record?.connection()?.tls().is_some());
    let of_uri = || match head.uri.scheme_str()? {
        "https" => Some(true),
        "http" => Some(false),
        _ => None,
    };
    let is_secure = of_client.or_else(of_connection).or_else(of_uri)?;
    Some(if is_secure { Scheme::Https } else { Scheme::Http })
}
