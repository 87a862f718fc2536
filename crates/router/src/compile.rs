//! Compiling routes into a table.

use std::collections::BTreeMap;

use crate::{
    BuildError, ProblemKind, Route, RouteProblem, conflict,
    draft::{Draft, DraftPath, read},
    host::Hosts,
    path_regex::{PathRegex, RegexGroup},
    rule::Rule,
    table::{self, HostTable, Table},
};

/// Makes the table, or reports all problems.
pub(crate) fn compile(routes: &[Route]) -> Result<Table, BuildError> {
    let mut problems = Vec::new();
    let drafts: Vec<Draft> =
        routes.iter().enumerate().filter_map(|(index, route)| read(index, route, &mut problems)).collect();
    let hosts = arrange(&drafts, &mut problems);
    conflict::check(&drafts, &hosts, &mut problems);
    problems.sort_by_key(RouteProblem::route_index);
    if !problems.is_empty() {
        return Err(BuildError::new(problems));
    }
    let rules: Box<[Rule]> = drafts.into_iter().map(|draft| draft.rule).collect();
    let encoded_slash = rules.iter().any(|rule| rule.encoded_slash);
    let empty_segments = rules.iter().any(|rule| rule.empty_segments);
    let allow = table::allow(&rules);
    Ok(Table { rules, hosts, encoded_slash, empty_segments, allow })
}

/// Puts the routes into the trees of their hosts. Routes that share a path are in order of precedence.
fn arrange(drafts: &[Draft], problems: &mut Vec<RouteProblem>) -> Hosts<HostTable> {
    let mut hosts = Hosts::<HostTable>::new();
    for (route, draft) in (0..).zip(drafts) {
        for host in &draft.hosts {
            let table = hosts.entry(host.clone());
            match &draft.path {
                DraftPath::Segments(segments, end) => table.tree.insert(segments, *end, route),
                DraftPath::Regex(_) => table.regexes.push(route),
            }
        }
    }
    let draft_of = |route: u32| &drafts[route as usize];
    for HostTable { tree, regexes } in hosts.iter_mut() {
        for bucket in tree.buckets_mut() {
            bucket.sort_by_key(|route| draft_of(*route).rule.order());
        }
        let mut groups = BTreeMap::<&str, Vec<(u32, &PathRegex)>>::new();
        for route in regexes {
            if let Some(regex) = draft_of(*route).regex() {
                groups.entry(regex.directory()).or_default().push((*route, regex));
            }
        }
        for (directory, group) in groups {
            match RegexGroup::new(&group) {
                Ok(regexes) => tree.insert_regexes(directory, regexes),
                Err(error) => {
                    let route = draft_of(group[0].0).rule.info.clone();
                    problems.push(RouteProblem::new(ProblemKind::Invalid, route, error));
                }
            }
        }
    }
    hosts
}
