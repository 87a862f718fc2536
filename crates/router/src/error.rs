use std::{error::Error, fmt};

use crate::route_info::RouteInfo;

/// The problems of a set of routes: all of them, not only the first.
#[derive(Debug, Clone)]
pub struct BuildError {
    problems: Vec<RouteProblem>,
}

/// One problem of a route, or of a pair of routes.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{text}")]
pub struct RouteProblem {
    kind: ProblemKind,
    route: RouteInfo,
    other: Option<RouteInfo>,
    text: String,
}

/// The kind of a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProblemKind {
    /// A part of the route cannot be parsed.
    Invalid,
    /// Another route can take the same requests, and nothing ranks the two.
    Conflict,
    /// The route can never match, because other routes take all its requests first.
    Unreachable,
}

impl BuildError {
    pub(crate) fn new(problems: Vec<RouteProblem>) -> Self {
        Self { problems }
    }

    /// All problems, in the order of the routes.
    pub fn problems(&self) -> &[RouteProblem] {
        &self.problems
    }
}

impl RouteProblem {
    pub(crate) fn new(kind: ProblemKind, route: RouteInfo, text: String) -> Self {
        Self { kind, route, other: None, text }
    }

    pub(crate) fn between(kind: ProblemKind, route: RouteInfo, other: RouteInfo, text: String) -> Self {
        Self { kind, route, other: Some(other), text }
    }

    /// The kind of the problem.
    pub fn kind(&self) -> ProblemKind {
        self.kind
    }

    /// The name of the route.
    pub fn route(&self) -> &str {
        self.route.name()
    }

    /// The position of the route, counted from 0 in the order in which the routes were added.
    pub fn route_index(&self) -> usize {
        self.route.index()
    }

    /// The name of the other route, if the problem is between two routes.
    pub fn other(&self) -> Option<&str> {
        self.other.as_ref().map(RouteInfo::name)
    }

    /// The position of the other route.
    pub fn other_index(&self) -> Option<usize> {
        self.other.as_ref().map(RouteInfo::index)
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.problems {
            [problem] => problem.fmt(f),
            problems => {
                write!(f, "{} problems with the routes:", problems.len())?;
                problems.iter().try_for_each(|problem| write!(f, "\n- {problem}"))
            }
        }
    }
}

impl Error for BuildError {}
