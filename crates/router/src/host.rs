use std::{borrow::Cow, ops::ControlFlow};

use http::{header, request};

use crate::hash::FixedMap;

/// The longest DNS name (RFC 1035, section 2.3.4). A longer host matches no route with a host.
const MAX_LEN: usize = 253;

/// A value for each host that routes name, and one for all other hosts.
#[derive(Debug)]
pub(crate) struct Hosts<T> {
    exact: FixedMap<Box<str>, T>,
    /// By the text after `*.`.
    wildcard: FixedMap<Box<str>, T>,
    any: Option<T>,
}

/// The host of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum HostMatch {
    Exact(Box<str>),
    Wildcard(Box<str>),
    Any,
}

impl HostMatch {
    /// Parses a host; the error says how to mend the text.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        if text == "*" {
            return Err("leave the host out to take every one");
        }
        let (name, is_wildcard) = match text.strip_prefix("*.") {
            Some(name) => (name, true),
            None => (text, false),
        };
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        if name.contains('*') {
            return Err("a wildcard stands for the first labels only: `*.example.com`");
        }
        let is_address = !is_wildcard && name.starts_with('[') && name.ends_with(']');
        if name.contains("://") || name.contains('/') {
            return Err("leave the scheme and the path out: a host is a name such as `api.example.com`");
        }
        if name.contains(':') && !is_address {
            return Err("leave the port out, and write an IPv6 address in brackets");
        }
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let is_name = !name.split('.').any(str::is_empty) && name.bytes().all(fits);
        if name.len() > MAX_LEN || !(is_name || is_address) {
            return Err("write a host name such as `api.example.com`, in its ASCII form");
        }
        Ok(if is_wildcard { Self::Wildcard(name.into()) } else { Self::Exact(name.into()) })
    }
}

impl<T> Hosts<T> {
    pub(crate) fn new() -> Self {
        Self { exact: FixedMap::default(), wildcard: FixedMap::default(), any: None }
    }

    pub(crate) fn entry(&mut self, host: HostMatch) -> &mut T
    where
        T: Default,
    {
        match host {
            HostMatch::Exact(name) => self.exact.entry(name).or_default(),
            HostMatch::Wildcard(name) => self.wildcard.entry(name).or_default(),
            HostMatch::Any => self.any.get_or_insert_default(),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.exact.values().chain(self.wildcard.values()).chain(&self.any)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.exact.values_mut().chain(self.wildcard.values_mut()).chain(&mut self.any)
    }

    /// Visits the values for the host of a request: the exact host, then the wildcards from the longest, then the value for
    /// all other hosts.
    pub(crate) fn visit<'a, B>(
        &'a self,
        head: &request::Parts,
        mut visit: impl FnMut(&'a T) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        if !(self.exact.is_empty() && self.wildcard.is_empty())
            && let Some(host) = of(head)
        {
            if let Some(found) = self.exact.get(&*host) {
                visit(found)?;
            }
            // The wildcard stands for at least the first label.
            for (dot, _) in host.match_indices('.').filter(|(dot, _)| *dot > 0 && !self.wildcard.is_empty()) {
                if let Some(found) = self.wildcard.get(&host[dot + 1..]) {
                    visit(found)?;
                }
            }
        }
        self.any.as_ref().map_or(ControlFlow::Continue(()), visit)
    }
}

/// The host of a request, from its URI's authority or else from its Host header, without a port, in lower case, and without
/// a final dot.
pub(crate) fn of(head: &request::Parts) -> Option<Cow<'_, str>> {
    let host = match head.uri.host() {
        Some(host) => host,
        None => without_port(head.headers.get(header::HOST)?.to_str().ok()?),
    };
    let host = host.strip_suffix('.').unwrap_or(host);
    if host.len() > MAX_LEN {
        None
    } else if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Some(Cow::Owned(host.to_ascii_lowercase()))
    } else {
        Some(Cow::Borrowed(host))
    }
}

fn without_port(authority: &str) -> &str {
    let end = match authority.rfind(']') {
        Some(bracket) => bracket + 1,
        None => authority.find(':').unwrap_or(authority.len()),
    };
    &authority[..end]
}
