//! From the decision about a request to its explanation.

use std::collections::BTreeSet;

use gatewright_core::path::PathError;
use http::request;

use crate::{
    decide::Unrouted,
    explanation::{Candidate, Explanation, Misfit, MisfitKind, Precedence, Standing, Verdict},
    host,
    refusal::Refusal,
    table::{Place, Table},
};

impl Table {
    /// Decides as [`Table::decide`] does, and says why.
    pub(crate) fn explain(&self, head: &request::Parts) -> Explanation {
        let mut decided = head.clone();
        let decision = self.decide(&mut decided);
        let searched = self.canonical_path(head).ok();
        let candidates = searched.as_ref().map(|path| self.candidates(head, path, &decision));
        let (verdict, path) = match decision {
            Ok(route) => (Verdict::Route(self.rule(route).info.clone()), Some(decided.uri.path().to_owned())),
            Err(Unrouted::Refused(refusal)) => (Verdict::Refused(refusal), searched.map(String::from)),
            Err(Unrouted::WholeServer) => (Verdict::WholeServer, None),
        };
        Explanation {
            method: head.method.clone(),
            host: host::of(head).map(String::from),
            requested_path: head.uri.path().to_owned(),
            path,
            verdict,
            candidates: candidates.unwrap_or_default(),
        }
    }

    /// Every route that has the path, and what became of it.
    fn candidates(
        &self,
        head: &request::Parts,
        path: &str,
        decision: &Result<u32, Unrouted>,
    ) -> Vec<Candidate> {
        let mut seen = BTreeSet::new();
        let mut first = None;
        let mut candidates = Vec::new();
        for place in self.places(head, path) {
            // A route with several hosts counts where it stands first.
            if !seen.insert(place.route) {
                continue;
            }
            let rule = self.rule(place.route);
            let misfits = rule.misfits(head);
            let standing = match (misfits.is_empty(), &first) {
                (false, _) => Standing::DoesNotFit(misfits),
                (true, Some(first)) => Standing::Outranked(self.precedence(first, &place)),
                (true, None) => {
                    let standing = match decision {
                        Ok(_) => Standing::Taken,
                        Err(why) => Standing::DoesNotFit(vec![self.path_misfit(head, path, place.route, why)]),
                    };
                    first = Some(place);
                    standing
                }
            };
            candidates.push(Candidate::new(rule.info.clone(), standing));
        }
        let elsewhere: BTreeSet<u32> = self.routes_of_any_host(path).collect();
        for route in elsewhere.difference(&seen) {
            let rule = self.rule(*route);
            let mut misfits = vec![Misfit::new(MisfitKind::Host, "the route has another host")];
            misfits.extend(rule.misfits(head));
            candidates.push(Candidate::new(rule.info.clone(), Standing::DoesNotFit(misfits)));
        }
        candidates
    }

    /// Why one route goes before another that fits too.
    fn precedence(&self, first: &Place, later: &Place) -> Precedence {
        if first.host != later.host {
            return Precedence::Host;
        }
        if first.path != later.path {
            return Precedence::Path;
        }
        self.rule(first.route).precedence(self.rule(later.route))
    }

    /// Why a route that fits does not get the request after all.
    fn path_misfit(&self, head: &request::Parts, path: &str, route: u32, why: &Unrouted) -> Misfit {
        let text = match why {
            Unrouted::Refused(Refusal::BadPath(PathError::Parameter)) => {
                match self.route_without_parameters(head, path, route) {
                    Some(other) => {
                        let other = self.rule(other).info.name();
                        format!("the path without its parameter (`;x`) belongs to the route `{other}`")
                    }
                    None => PathError::Parameter.to_string(),
                }
            }
            Unrouted::Refused(Refusal::BadPath(PathError::EncodedSlash)) => {
                "the path holds an encoded slash (`%2f`), and the route does not allow it".to_owned()
            }
            Unrouted::Refused(Refusal::BadPath(error)) => error.to_string(),
            _ => "the route keeps empty segments, and the path with its empty segments is not a path of the route"
                .to_owned(),
        };
        Misfit::new(MisfitKind::Path, text)
    }
}
