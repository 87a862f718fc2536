use std::{error::Error, fmt};

use crate::route_info::RouteInfo;

/// Routes that cannot stand: all that is wrong with them, not only the first.
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

/// What is wrong with a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProblemKind {
    /// Its description cannot be read.
    Invalid,
    /// Another route can take the same requests, and nothing ranks the two.
    Conflict,
    /// It can never match, since other routes take all its requests first.
    Unreachable,
}

impl BuildError {
    pub(crate) fn new(problems: Vec<RouteProblem>) -> Self {
        Self { problems }
    }

    /// All that is wrong, in the order of the routes.
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

    /// What kind of problem it is.
    pub fn kind(&self) -> ProblemKind {
        self.kind
    }

    /// The name of the route.
    pub fn route(&self) -> &str {
        self.route.name()
    }

    /// Which route it is, counted from 0 in the order in which the routes were added.
    pub fn route_index(&self) -> usize {
        self.route.index()
    }

    /// The name of the other route, when it takes two.
    pub fn other(&self) -> Option<&str> {
        self.other.as_ref().map(RouteInfo::name)
    }

    /// Which route the other one is.
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
