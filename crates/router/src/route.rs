use std::{fmt, fmt::Write as _};

use http::{Method, uri::Scheme};

use crate::host::HostMatch;

/// The conditions of a route, and its name.
///
/// A route has one path; every other condition narrows it. [`RouterBuilder::build`](crate::RouterBuilder::build) parses the
/// conditions and reports all problems at once.
#[derive(Debug, Clone)]
#[must_use = "a route does nothing until it is given to `RouterBuilder::route`"]
pub struct Route {
    pub(crate) path: PathMatch,
    pub(crate) name: Option<String>,
    pub(crate) hosts: Vec<String>,
    pub(crate) listeners: Vec<String>,
    pub(crate) scheme: Option<Scheme>,
    pub(crate) methods: Vec<Method>,
    pub(crate) headers: Vec<ValueMatch>,
    pub(crate) query: Vec<ValueMatch>,
    pub(crate) priority: i32,
    pub(crate) encoded_slash: bool,
    pub(crate) empty_segments: bool,
}

/// A path as it was written.
#[derive(Debug, Clone)]
pub(crate) enum PathMatch {
    Whole(String),
    Prefix(String),
    Regex(String),
}

/// A header or a query parameter as it was written.
#[derive(Debug, Clone)]
pub(crate) struct ValueMatch {
    pub(crate) name: String,
    pub(crate) value: Value,
}

#[derive(Debug, Clone)]
pub(crate) enum Value {
    Exact(String),
    Regex(String),
}

impl Route {
    /// Takes one path (`/v1/orders`), or the paths of one pattern (`/v1/users/{id}/avatar`, `/files/{*rest}`).
    pub fn path(path: impl Into<String>) -> Self {
        Self::new(PathMatch::Whole(path.into()))
    }

    /// Takes a path and all paths below it: `/v2` takes `/v2`, `/v2/` and `/v2/x`, never `/v2example`. A segment may be
    /// `{name}`.
    pub fn path_prefix(prefix: impl Into<String>) -> Self {
        Self::new(PathMatch::Prefix(prefix.into()))
    }

    /// Takes the paths that this regex matches as a whole, whether `^` and `$` are written or not.
    pub fn path_regex(regex: impl Into<String>) -> Self {
        Self::new(PathMatch::Regex(regex.into()))
    }

    fn new(path: PathMatch) -> Self {
        Self {
            path,
            name: None,
            hosts: Vec::new(),
            listeners: Vec::new(),
            scheme: None,
            methods: Vec::new(),
            headers: Vec::new(),
            query: Vec::new(),
            priority: 0,
            encoded_slash: false,
            empty_segments: false,
        }
    }

    /// Sets the name for logs and metrics. The default is the path.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Takes only requests for this host: `api.example.com`, or `*.example.com` for all names below it, with any number of
    /// labels. Repeated calls add hosts.
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.hosts.push(host.into());
        self
    }

    /// Checks whether [`host`](Self::host) takes this text.
    ///
    /// # Errors
    ///
    /// When the text is not a host. The error says how to mend it.
    ///
    /// ```
    /// use gatewright_router::Route;
    ///
    /// assert_eq!(Route::check_host("*.example.com"), Ok(()));
    /// assert_eq!(Route::check_host("*"), Err("leave the host out to take every one"));
    /// ```
    pub fn check_host(text: &str) -> Result<(), &'static str> {
        HostMatch::parse(text).map(drop)
    }

    /// Takes only requests from this listener, by its name in
    /// [`ConnectionInfo::listener`](gatewright_core::ConnectionInfo::listener). Repeated calls add listeners.
    pub fn listener(mut self, name: impl Into<String>) -> Self {
        self.listeners.push(name.into());
        self
    }

    /// Takes only requests whose client spoke this scheme, to this server or to a trusted proxy that reports it
    /// ([`ClientInfo::is_secure`](gatewright_core::ClientInfo::is_secure)). Under a server that gives no facts about the
    /// connection, the scheme of the URI counts, which HTTP/1 requests do not have.
    pub fn scheme(mut self, scheme: Scheme) -> Self {
        self.scheme = Some(scheme);
        self
    }

    /// Takes only requests with one of these methods. GET includes HEAD.
    pub fn methods(mut self, methods: impl IntoIterator<Item = Method>) -> Self {
        self.methods.extend(methods);
        self
    }

    /// Takes only requests whose header has exactly this value. Several lines of one header count as one value, joined by
    /// `, ` (RFC 9110, section 5.3).
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push(ValueMatch { name: name.into(), value: Value::Exact(value.into()) });
        self
    }

    /// Takes only requests whose header has a value that this regex matches as a whole.
    pub fn header_regex(mut self, name: impl Into<String>, regex: impl Into<String>) -> Self {
        self.headers.push(ValueMatch { name: name.into(), value: Value::Regex(regex.into()) });
        self
    }

    /// Takes only requests whose query has this parameter with exactly this value. Name and value are compared decoded. If
    /// the query has several parameters of the name, the first counts.
    pub fn query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.push(ValueMatch { name: name.into(), value: Value::Exact(value.into()) });
        self
    }

    /// Takes only requests whose query has this parameter, with a decoded value that this regex matches as a whole.
    pub fn query_regex(mut self, name: impl Into<String>, regex: impl Into<String>) -> Self {
        self.query.push(ValueMatch { name: name.into(), value: Value::Regex(regex.into()) });
        self
    }

    /// Ranks routes that nothing else ranks. The higher priority goes first; the default is 0.
    pub fn priority(mut self, priority: i32) -> Self {
        self.priority = priority;
        self
    }

    /// Also takes paths with an encoded slash (`%2F`), which stays part of its segment. On other routes such a path is
    /// answered with 400.
    pub fn allow_encoded_slash(mut self) -> Self {
        self.encoded_slash = true;
        self
    }

    /// Keeps empty segments in paths (`/bucket//key`, `/plain/https://host/image.png`), which other routes remove.
    ///
    /// The route is chosen by the path without its empty segments, so that they cannot lead past another route. The chosen
    /// route must then also match the path with its empty segments, or the answer is 404.
    pub fn keep_empty_segments(mut self) -> Self {
        self.empty_segments = true;
        self
    }

    /// The name of the route in logs and metrics: its own, or else its path behind its only host.
    pub fn label(&self) -> String {
        let path = match &self.path {
            PathMatch::Whole(text) | PathMatch::Prefix(text) | PathMatch::Regex(text) => text,
        };
        match (&self.name, &*self.hosts) {
            (Some(name), _) => name.clone(),
            (None, [host]) => format!("{host}{path}"),
            (None, _) => path.clone(),
        }
    }
}

/// The route in the words of its configuration, for errors.
impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        if let Some(name) = &self.name {
            write!(text, "{name}: ")?;
        }
        match &self.path {
            PathMatch::Whole(path) => write!(text, "path {path}")?,
            PathMatch::Prefix(path) => write!(text, "path_prefix {path}")?,
            PathMatch::Regex(regex) => write!(text, "path_regex {regex}")?,
        }
        for host in &self.hosts {
            write!(text, ", host {host}")?;
        }
        for listener in &self.listeners {
            write!(text, ", listener {listener}")?;
        }
        if let Some(scheme) = &self.scheme {
            write!(text, ", scheme {scheme}")?;
        }
        for (index, method) in self.methods.iter().enumerate() {
            write!(text, "{}{method}", if index == 0 { ", methods " } else { " " })?;
        }
        for (kind, conditions) in [("header", &self.headers), ("query", &self.query)] {
            for ValueMatch { name, value } in conditions {
                match value {
                    Value::Exact(value) => write!(text, ", {kind} {name}={value}")?,
                    Value::Regex(regex) => write!(text, ", {kind} {name}~{regex}")?,
                }
            }
        }
        if self.priority != 0 {
            write!(text, ", priority {}", self.priority)?;
        }
        f.write_str(&text)
    }
}
