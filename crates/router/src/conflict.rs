//! Finding routes that conflict, and routes that no request can reach.
//!
//! 1. Two routes conflict if one request can fit both and they have equal rank. They share host and path, or both are
//!    regexes whose literal prefixes do not exclude each other.
//! 2. A route is unreachable if, for each of its methods, a route of higher rank takes all of its requests.

use std::{collections::BTreeMap, ops::ControlFlow};

use crate::{
    ProblemKind, RouteProblem,
    draft::Draft,
    host::Hosts,
    path_regex::PathRegex,
    table::HostTable,
    tree::{End, Tree},
};

pub(crate) fn check(drafts: &[Draft], hosts: &Hosts<HostTable>, problems: &mut Vec<RouteProblem>) {
    let mut check = Check { drafts, conflicts: BTreeMap::new(), hidden: BTreeMap::new() };
    for table in hosts.iter() {
        for (bucket, longer) in table.tree.buckets() {
            check.bucket(bucket, longer);
        }
        check.regexes(&table.tree, &table.regexes);
    }
    check.report(problems);
}

struct Check<'a> {
    drafts: &'a [Draft],
    /// For each route in conflict, one earlier route; naming one is enough.
    conflicts: BTreeMap<u32, u32>,
    /// For each hidden route, the number of hosts in which it is hidden, and a route that hides it.
    hidden: BTreeMap<u32, (usize, u32)>,
}

impl<'a> Check<'a> {
    fn draft(&self, route: u32) -> &'a Draft {
        &self.drafts[route as usize]
    }

    /// Checks routes that share a path, in order of precedence. The routes of `longer` take all requests of that path first.
    fn bucket(&mut self, bucket: &[u32], longer: &[u32]) {
        for (index, route) in bucket.iter().enumerate() {
            let rank = self.draft(*route).rule.rank();
            let equals = bucket[..index].iter().position(|earlier| self.draft(*earlier).rule.rank() == rank);
            let higher = equals.unwrap_or(index);
            for equal in &bucket[higher..index] {
                self.equal(*equal, *route);
            }
            self.hide(*route, longer.iter().chain(&bucket[..higher]).copied());
        }
    }

    fn regexes(&mut self, tree: &Tree, routes: &[u32]) {
        let mut regexes: Vec<(u32, &PathRegex)> =
            routes.iter().filter_map(|route| Some((*route, self.draft(*route).regex()?))).collect();
        // In this order, the regexes with a common prefix follow each other.
        regexes.sort_by_key(|(_, regex)| regex.prefix());
        for (index, (route, regex)) in regexes.iter().enumerate() {
            let rank = self.draft(*route).rule.rank();
            let related = |other: &&(u32, &PathRegex)| other.1.prefix().starts_with(regex.prefix());
            for (other, _) in regexes[index + 1..].iter().take_while(related) {
                if self.draft(*other).rule.rank() == rank {
                    self.equal(*other, *route);
                }
            }
            let is_same = |other: &&(u32, &PathRegex)| other.1.as_str() == regex.as_str();
            let higher = regexes.iter().filter(is_same).map(|(other, _)| *other);
            let mut before: Vec<u32> = higher.filter(|other| self.draft(*other).rule.rank() < rank).collect();
            let _: ControlFlow<()> = tree.walk(regex.directory()).visit(|end, routes| {
                if end != End::Whole {
                    before.extend_from_slice(routes);
                }
                ControlFlow::Continue(())
            });
            self.hide(*route, before.into_iter());
        }
    }

    /// Checks two routes of equal rank.
    fn equal(&mut self, one: u32, other: u32) {
        if self.draft(one).rule.meets(&self.draft(other).rule) {
            self.conflicts.entry(one.max(other)).or_insert(one.min(other));
        }
    }

    /// Counts the route as hidden in this host if the routes before it take all its requests.
    fn hide(&mut self, route: u32, before: impl Iterator<Item = u32> + Clone) {
        let rule = &self.draft(route).rule;
        let mut covering = before.filter(|other| self.draft(*other).rule.follows_from(rule));
        let by = if rule.methods.is_empty() {
            covering.find(|other| self.draft(*other).rule.methods.is_empty())
        } else {
            let covers = |method| covering.clone().find(|other| self.draft(*other).rule.allows(method));
            let by: Option<Vec<u32>> = rule.methods.iter().map(covers).collect();
            by.and_then(|by| by.first().copied())
        };
        if let Some(by) = by {
            self.hidden.entry(route).or_insert((0, by)).0 += 1;
        }
    }

    fn report(self, problems: &mut Vec<RouteProblem>) {
        for (route, earlier) in &self.conflicts {
            let (route, earlier) = (self.draft(*route), self.draft(*earlier));
            let (rule, other) = (&route.rule, &earlier.rule);
            let is_same = rule.methods == other.methods && rule.follows_from(other) && other.follows_from(rule);
            let mend = if is_same && route.regex().is_none() {
                "remove one of them, or tell them apart by method, header or query"
            } else {
                "give one of them a higher `priority`"
            };
            let text = format!(
                "routes `{}` and `{}` can take the same request, and nothing ranks them: {mend}",
                other.info, rule.info
            );
            let (route, earlier) = (rule.info.clone(), other.info.clone());
            problems.push(RouteProblem::between(ProblemKind::Conflict, route, earlier, text));
        }
        for (route, (hidden_in, by)) in &self.hidden {
            let (route, by) = (self.draft(*route), self.draft(*by));
            if *hidden_in < route.hosts.len() {
                continue;
            }
            let why = match (route.regex(), by.regex()) {
                (Some(_), None) => {
                    "a prefix goes before a regex, so narrow the prefix, or write it as a regex of lower `priority`"
                }
                _ => "remove it, or let the other one take less",
            };
            let text = format!(
                "route `{}` can never match, for `{}` takes its requests first: {why}",
                route.rule.info, by.rule.info
            );
            let (route, by) = (route.rule.info.clone(), by.rule.info.clone());
            problems.push(RouteProblem::between(ProblemKind::Unreachable, route, by, text));
        }
    }
}
