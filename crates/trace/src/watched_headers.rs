//! Headers that observers ask for, and what was kept of them.

use http::{HeaderMap, HeaderName, HeaderValue};

/// The names of the headers that an [`Observer`](crate::Observer) reads. Only these are kept of a request and of its response, and
/// where no observer names any, nothing is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WatchedHeaders {
    request: Vec<HeaderName>,
    response: Vec<HeaderName>,
}

impl WatchedHeaders {
    /// Keeps this header of requests, as the client wrote it.
    #[must_use]
    pub fn request(mut self, name: HeaderName) -> Self {
        add(&mut self.request, name);
        self
    }

    /// Keeps this header of responses, as the client gets it.
    #[must_use]
    pub fn response(mut self, name: HeaderName) -> Self {
        add(&mut self.response, name);
        self
    }

    /// Whether no header is kept.
    pub fn is_empty(&self) -> bool {
        self.request.is_empty() && self.response.is_empty()
    }

    pub(crate) fn and(self, other: &Self) -> Self {
        let both = other.request.iter().cloned().fold(self, Self::request);
        other.response.iter().cloned().fold(both, Self::response)
    }

    /// What is kept of a request; `None` when nothing is kept of it nor of its response.
    pub(crate) fn keep(&self, headers: &HeaderMap) -> Option<Box<KeptHeaders>> {
        (!self.is_empty())
            .then(|| Box::new(KeptHeaders { request: named(&self.request, headers), response: Vec::new() }))
    }

    pub(crate) fn keep_response(&self, headers: &HeaderMap) -> Vec<(HeaderName, HeaderValue)> {
        named(&self.response, headers)
    }
}

/// The headers that were kept, lines of one name side by side.
#[derive(Debug, Default)]
pub(crate) struct KeptHeaders {
    pub(crate) request: Vec<(HeaderName, HeaderValue)>,
    pub(crate) response: Vec<(HeaderName, HeaderValue)>,
}

fn add(names: &mut Vec<HeaderName>, name: HeaderName) {
    if !names.contains(&name) {
        names.push(name);
    }
}

fn named(names: &[HeaderName], headers: &HeaderMap) -> Vec<(HeaderName, HeaderValue)> {
    let lines = |name: &HeaderName| headers.get_all(name).iter().cloned();
    names.iter().flat_map(|name| lines(name).map(|value| (name.clone(), value))).collect()
}
