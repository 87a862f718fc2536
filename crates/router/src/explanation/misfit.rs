use std::fmt;

/// One condition of a route that a request does not meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    kind: MisfitKind,
    name: Option<String>,
    text: String,
}

/// The kind of a condition that a request does not meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MisfitKind {
    /// The route has another host.
    Host,
    /// The route has another listener.
    Listener,
    /// The route has another scheme.
    Scheme,
    /// The route does not allow the method.
    Method,
    /// A header is missing or has another value.
    Header,
    /// A query parameter is missing or has another value.
    Query,
    /// The route has this path, but refuses the form in which the request writes it: with an encoded slash, with a
    /// parameter, or with empty segments.
    Path,
}

impl Misfit {
    pub(crate) fn new(kind: MisfitKind, text: impl Into<String>) -> Self {
        Self { kind, name: None, text: text.into() }
    }

    pub(crate) fn named(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// The kind of the condition.
    pub fn kind(&self) -> MisfitKind {
        self.kind
    }

    /// The name of the header or of the query parameter, when the condition is about one.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }
}

/// A clause without a full stop: "the method is GET, and the route takes POST".
impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
