use std::cmp::Reverse;

use http::{Method, request};

use crate::{
    arrival::Arrival,
    condition::{HeaderCondition, QueryCondition},
    explanation::{Misfit, MisfitKind, Precedence},
    route_info::RouteInfo,
};

/// The conditions of a route, apart from its host and path.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) info: RouteInfo,
    pub(crate) arrival: Arrival,
    pub(crate) methods: Box<[Method]>,
    pub(crate) headers: Box<[HeaderCondition]>,
    pub(crate) query: Box<[QueryCondition]>,
    pub(crate) priority: i32,
    pub(crate) encoded_slash: bool,
    pub(crate) empty_segments: bool,
    /// Whether the path of the route holds a parameter (`;x`).
    pub(crate) names_parameter: bool,
}

/// The rank of a route among the routes that share its path; the smaller rank goes first.
pub(crate) type Rank = Reverse<(u8, bool, usize, usize, i32)>;

impl Rule {
    /// The rank: listener and scheme, then methods, then the number of headers, then of query parameters, then `priority`.
    pub(crate) fn rank(&self) -> Rank {
        Reverse((
            self.arrival.rank(),
            !self.methods.is_empty(),
            self.headers.len(),
            self.query.len(),
            self.priority,
        ))
    }

    /// The order of lookup: by rank, and at equal rank a route that names HEAD before a route that implies it by GET.
    pub(crate) fn order(&self) -> (Rank, bool) {
        (self.rank(), !self.methods.contains(&Method::HEAD))
    }

    /// Whether the method is allowed. GET includes HEAD (RFC 9110, section 9.3.2).
    pub(crate) fn allows(&self, method: &Method) -> bool {
        let named = |method: &Method| self.methods.contains(method);
        self.methods.is_empty() || named(method) || (*method == Method::HEAD && named(&Method::GET))
    }

    /// Whether the request meets all conditions except the methods.
    pub(crate) fn fits(&self, head: &request::Parts) -> bool {
        let query = || head.uri.query().unwrap_or_default();
        self.arrival.fits(head)
            && self.headers.iter().all(|header| header.fits(&head.headers))
            && self.query.iter().all(|parameter| parameter.fits(query()))
    }

    /// The conditions that the request does not meet. There are none exactly when the route
    /// [allows](Self::allows) the method and [fits](Self::fits) the request.
    pub(crate) fn misfits(&self, head: &request::Parts) -> Vec<Misfit> {
        let mut misfits = self.arrival.misfits(head);
        if !self.allows(&head.method) {
            let allowed: Vec<&str> = self.methods.iter().map(Method::as_str).collect();
            let text = format!("the method is {}, and the route takes {}", head.method, allowed.join(", "));
            misfits.push(Misfit::new(MisfitKind::Method, text));
        }
        for header in self.headers.iter().filter(|header| !header.fits(&head.headers)) {
            let name = header.name().as_str();
            let what = if head.headers.contains_key(name) { "has another value" } else { "is missing" };
            misfits.push(Misfit::new(MisfitKind::Header, format!("the header `{name}` {what}")).named(name));
        }
        let query = head.uri.query().unwrap_or_default();
        for parameter in self.query.iter().filter(|parameter| !parameter.fits(query)) {
            let name = parameter.name();
            let text = format!("the query parameter `{name}` is missing or has another value");
            misfits.push(Misfit::new(MisfitKind::Query, text).named(name));
        }
        misfits
    }

    /// Why this route goes before another route of the same host and path.
    pub(crate) fn precedence(&self, later: &Self) -> Precedence {
        if self.arrival.listeners.is_empty() != later.arrival.listeners.is_empty() {
            Precedence::Listener
        } else if self.arrival.rank() != later.arrival.rank() {
            Precedence::Scheme
        } else if self.methods.is_empty() != later.methods.is_empty() {
            Precedence::Methods
        } else if self.headers.len() != later.headers.len() {
            Precedence::Headers
        } else if self.query.len() != later.query.len() {
            Precedence::Query
        } else if self.priority != later.priority {
            Precedence::Priority
        } else {
            // Two routes of equal rank can fit one request only if one names HEAD and the other implies it by GET.
            Precedence::Head
        }
    }

    /// Whether one request can fit both rules, apart from the path.
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

    /// Whether every request that fits `other` fits this rule, apart from the methods.
    pub(crate) fn follows_from(&self, other: &Self) -> bool {
        self.arrival.follows_from(&other.arrival)
            && self.headers.iter().all(|header| other.headers.iter().any(|theirs| header.follows_from(theirs)))
            && self
                .query
                .iter()
                .all(|parameter| other.query.iter().any(|theirs| parameter.follows_from(theirs)))
    }
}
