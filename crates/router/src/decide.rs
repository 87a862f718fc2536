//! The decision about a request, which [`RouterService`](crate::RouterService) both follows and explains.

use std::borrow::Cow;

use gatewright_core::path::{self, EncodedSlash, PathError, PathRules, canonical, without_parameters};
use http::{Method, request};

use crate::{
    refusal::Refusal,
    table::{Found, Table},
};

/// Why a request goes to no route.
#[derive(Debug)]
pub(crate) enum Unrouted {
    Refused(Refusal),
    /// The request asks about the server itself, not about a resource on it (RFC 9110, section 9.3.7).
    WholeServer,
}

impl From<Refusal> for Unrouted {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<PathError> for Unrouted {
    fn from(error: PathError) -> Self {
        Self::Refused(Refusal::BadPath(error))
    }
}

impl Table {
    /// Finds the route of a request, and writes the canonical path into its URI.
    pub(crate) fn decide(&self, head: &mut request::Parts) -> Result<u32, Unrouted> {
        // A CONNECT in authority form has no path (RFC 9112, section 3.2.3), and no route takes it.
        if head.method == Method::CONNECT && head.uri.path().is_empty() {
            return Err(Refusal::MethodNotAllowed(Vec::new()).into());
        }
        let mut path = self.canonical_path(head).map_err(|error| without_path(error, head))?;
        let found = self.find(head, &path);
        // Encoded slashes pass the canonical form as soon as one route takes them; for all other routes they are
        // refused here.
        let is_slash_allowed = matches!(found, Found::Route(route) if self.rule(route).encoded_slash);
        if self.encoded_slash && !is_slash_allowed && path.contains("%2F") {
            return Err(PathError::EncodedSlash.into());
        }
        let route = match found {
            Found::Route(route) => route,
            Found::MethodNotAllowed(methods) => return Err(Refusal::MethodNotAllowed(methods).into()),
            Found::Nothing => return Err(Refusal::NoRoute.into()),
        };
        if self.empty_segments && self.rule(route).empty_segments {
            let rules = PathRules::from(self.slash_rule()).keep_empty_segments();
            let whole = canonical(head.uri.path(), rules)?;
            if whole != path {
                // The path with its empty segments must not reach a route that the path without them would miss.
                if !matches!(self.find(head, &whole), Found::Route(same) if same == route) {
                    return Err(Refusal::NoRoute.into());
                }
                path = whole;
            }
        }
        // Some services remove parameters. A path that is then the path of another route would escape the policies of
        // that route.
        if !self.rule(route).names_parameter && self.route_without_parameters(head, &path, route).is_some() {
            return Err(PathError::Parameter.into());
        }
        if path != head.uri.path() {
            let path = path.into_owned();
            path::replace(&mut head.uri, &path)?;
        }
        Ok(route)
    }

    /// The canonical path by which the table is searched.
    pub(crate) fn canonical_path<'a>(&self, head: &'a request::Parts) -> Result<Cow<'a, str>, PathError> {
        canonical(head.uri.path(), self.slash_rule())
    }

    /// The route, other than `route`, that takes the path once its parameters are removed.
    pub(crate) fn route_without_parameters(
        &self,
        head: &request::Parts,
        path: &str,
        route: u32,
    ) -> Option<u32> {
        match self.find(head, &without_parameters(path)?) {
            Found::Route(other) if other != route => Some(other),
            _ => None,
        }
    }

    fn slash_rule(&self) -> EncodedSlash {
        if self.encoded_slash { EncodedSlash::Keep } else { EncodedSlash::Refuse }
    }
}

/// What becomes of a request whose path has no canonical form.
#[cold]
fn without_path(error: PathError, head: &request::Parts) -> Unrouted {
    match head.uri.path_and_query() {
        Some(target) if head.method == Method::OPTIONS && target.as_str() == "*" => Unrouted::WholeServer,
        _ => error.into(),
    }
}
