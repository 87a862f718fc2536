use std::fmt;

use crate::{explanation::Misfit, route_info::RouteInfo};

/// A route whose path takes the path of an explained request.
#[derive(Debug, Clone)]
pub struct Candidate {
    route: RouteInfo,
    standing: Standing,
}

/// What became of a candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Standing {
    /// The route takes the request.
    Taken,
    /// The request meets the conditions of the route, and another route goes first.
    Outranked(Precedence),
    /// The request does not meet these conditions of the route.
    DoesNotFit(Vec<Misfit>),
}

/// The rule of precedence by which one route goes before another, in the order in which the rules apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Precedence {
    /// The first route has the more specific host.
    Host,
    /// The first route has the more specific path.
    Path,
    /// Only the first route names a listener.
    Listener,
    /// Only the first route names a scheme.
    Scheme,
    /// Only the first route names methods.
    Methods,
    /// The first route has more headers.
    Headers,
    /// The first route has more query parameters.
    Query,
    /// The first route has the higher `priority`.
    Priority,
    /// The request is a HEAD request, and only the first route names HEAD.
    Head,
}

impl Candidate {
    pub(crate) fn new(route: RouteInfo, standing: Standing) -> Self {
        Self { route, standing }
    }

    /// The route.
    pub fn route(&self) -> &RouteInfo {
        &self.route
    }

    /// What became of the route.
    pub fn standing(&self) -> &Standing {
        &self.standing
    }

    /// The conditions of the route that the request does not meet.
    pub fn misfits(&self) -> &[Misfit] {
        match &self.standing {
            Standing::DoesNotFit(misfits) => misfits,
            Standing::Taken | Standing::Outranked(_) => &[],
        }
    }
}

/// A sentence without a full stop.
impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` ", self.route)?;
        match &self.standing {
            Standing::Taken => f.write_str("takes the request"),
            Standing::Outranked(precedence) => write!(f, "fits, but comes later: {precedence}"),
            Standing::DoesNotFit(misfits) => {
                f.write_str("does not fit: ")?;
                misfits
                    .iter()
                    .enumerate()
                    .try_for_each(|(index, misfit)| write!(f, "{}{misfit}", if index == 0 { "" } else { "; " }))
            }
        }
    }
}

/// A clause about the route that goes first.
impl fmt::Display for Precedence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Host => "the first route has the more specific host",
            Self::Path => "the first route has the more specific path",
            Self::Listener => "only the first route names a listener",
            Self::Scheme => "only the first route names a scheme",
            Self::Methods => "only the first route names methods",
            Self::Headers => "the first route has more headers",
            Self::Query => "the first route has more query parameters",
            Self::Priority => "the first route has the higher `priority`",
            Self::Head => "only the first route names HEAD",
        })
    }
}
