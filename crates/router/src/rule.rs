use std::cmp::Reverse;

use gatewright_core::Label;
use http::{Method, request};

use crate::{
    arrival::Arrival,
    condition::{HeaderCondition, QueryCondition},
};

/// What a route asks of a request beside its host and path.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) name: Label,
    pub(crate) arrival: Arrival,
    pub(crate) methods: Box<[Method]>,
    pub(crate) headers: Box<[HeaderCondition]>,
    pub(crate) query: Box<[QueryCondition]>,
    pub(crate) priority: i32,
    pub(crate) encoded_slash: bool,
    pub(crate) empty_segments: bool,
    /// Whether its own path holds a parameter (`;x`).
    pub(crate) names_parameter: bool,
}

/// Where a route stands among those that share its path; the smaller goes first.
pub(crate) type Rank = Reverse<(u8, bool, usize, usize, i32)>;

impl Rule {
    /// Listener and scheme, then method, then the number of headers, then of query parameters, then `priority`.
    pub(crate) fn rank(&self) -> Rank {
        Reverse((
            self.arrival.rank(),
            !self.methods.is_empty(),
            self.headers.len(),
            self.query.len(),
            self.priority,
        ))
    }

    /// The rank, and among equals the route that names HEAD before one that only implies it.
    pub(crate) fn order(&self) -> (Rank, bool) {
        (self.rank(), !self.methods.contains(&Method::HEAD))
    }

    /// Whether the method is allowed. HEAD is where GET is (RFC 9110, section 9.3.2).
    pub(crate) fn allows(&self, method: &Method) -> bool {
        let named = |method: &Method| self.methods.contains(method);
        self.methods.is_empty() || named(method) || (*method == Method::HEAD && named(&Method::GET))
    }

    /// Whether the request came by this way and has all the headers and query parameters.
    pub(crate) fn fits(&self, head: &request::Parts) -> bool {
        let query = || head.uri.query().unwrap_or_default();
        self.arrival.fits(head)
            && self.headers.iter().all(|header| header.fits(&head.headers))
            && self.query.iter().all(|parameter| parameter.fits(query()))
    }

    /// The first thing that the route asks for and the request does not have.
    pub(crate) fn misfit(&self, head: &request::Parts) -> Option<String> {
        let query = head.uri.query().unwrap_or_default();
        if !self.arrival.fits(head) {
            Some("another listener or scheme".to_owned())
        } else if !self.allows(&head.method) {
            Some(format!("another method than {}", head.method))
        } else if let Some(header) = self.headers.iter().find(|header| !header.fits(&head.headers)) {
            Some(format!("another `{}`", header.name()))
        } else {
            let parameter = self.query.iter().find(|parameter| !parameter.fits(query))?;
            Some(format!("another `{}` in the query", parameter.name()))
        }
    }

    /// Whether there are requests that fit both, their paths left aside.
    pub(crate) fn meets(&self, other: &Self) -> bool {
        let methods = self.methods.is_empty()
            || other.methods.is_empty()
            || self.methods.iter().any(|method| other.methods.contains(method));
        let excluded = self
            .headers
            .iter()
            .any(|header| other.headers.iter().any(|theirs| header.excludes(theirs)))
            || self.query.iter().any(|parameter| other.query.iter().any(|theirs| parameter.excludes(theirs)));
        methods && !excluded && self.arrival.meets(&other.arrival)
    }

    /// Whether every request that came by `other`'s way and has its headers and query parameters fits these.
    pub(crate) fn follows_from(&self, other: &Self) -> bool {
        self.arrival.follows_from(&other.arrival)
            && self.headers.iter().all(|header| other.headers.iter().any(|theirs| header.follows_from(theirs)))
            && self
                .query
                .iter()
                .all(|parameter| other.query.iter().any(|theirs| parameter.follows_from(theirs)))
    }
}
