//! What a router does with a request, and why, without sending the request anywhere.

mod candidate;
mod misfit;

use std::fmt;

use http::Method;

pub use candidate::{Candidate, Precedence, Standing};
pub use misfit::{Misfit, MisfitKind};

use crate::{refusal::Refusal, route_info::RouteInfo};

/// What [`RouterService`](crate::RouterService) does with a request, and why: the result of
/// [`RouterService::explain`](crate::RouterService::explain).
///
/// The text form is made of plain sentences, one a line, for a terminal.
#[derive(Debug, Clone)]
pub struct Explanation {
    pub(crate) method: Method,
    pub(crate) host: Option<String>,
    pub(crate) requested_path: String,
    pub(crate) path: Option<String>,
    pub(crate) verdict: Verdict,
    pub(crate) candidates: Vec<Candidate>,
}

/// What a router does with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// The request goes to this route.
    Route(RouteInfo),
    /// The router refuses the request.
    Refused(Refusal),
    /// The request is `OPTIONS *`, which asks about the whole server: 204.
    WholeServer,
}

impl Explanation {
    /// What the router does with the request.
    pub fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    /// The route that takes the request, if one does.
    pub fn route(&self) -> Option<&RouteInfo> {
        match &self.verdict {
            Verdict::Route(route) => Some(route),
            Verdict::Refused(_) | Verdict::WholeServer => None,
        }
    }

    /// The refusal that the client gets, if the router refuses the request.
    pub fn refusal(&self) -> Option<&Refusal> {
        match &self.verdict {
            Verdict::Refused(refusal) => Some(refusal),
            Verdict::Route(_) | Verdict::WholeServer => None,
        }
    }

    /// The canonical path, which is matched and forwarded; `None` when the path has no canonical form.
    pub fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// The routes whose path takes the path of the request. The routes of the request's host come first, in order of
    /// precedence; the routes of other hosts follow, in the order in which they were added.
    pub fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    /// The candidates in one line, for the log.
    pub(crate) fn candidates_in_one_line(&self) -> String {
        if self.candidates.is_empty() {
            return "no route has this path".to_owned();
        }
        self.candidates.iter().map(Candidate::to_string).collect::<Vec<_>>().join(", ")
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, host, requested_path, path, verdict, candidates } = self;
        write!(f, "{method} {requested_path}")?;
        if let Some(host) = host {
            write!(f, " on host {host}")?;
        }
        match verdict {
            Verdict::Route(route) => write!(f, " goes to the route `{route}`.")?,
            Verdict::Refused(refusal) => write!(f, " is answered with {refusal}.")?,
            Verdict::WholeServer => {
                f.write_str(" is answered with 204: the request asks about the whole server.")?;
            }
        }
        if let Some(path) = path.as_ref().filter(|path| *path != requested_path) {
            write!(f, "\nThe canonical path is {path}.")?;
        }
        let mut others =
            candidates.iter().filter(|candidate| candidate.standing() != &Standing::Taken).peekable();
        if others.peek().is_some() {
            let other = if self.route().is_some() { "other " } else { "" };
            write!(f, "\nThe {other}routes for this path, in order of precedence:")?;
        }
        others.try_for_each(|candidate| write!(f, "\n- {candidate}."))
    }
}
