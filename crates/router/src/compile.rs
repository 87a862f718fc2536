//! From routes as they were written to a table.

use std::collections::BTreeMap;

use gatewright_core::{
    Label, LabelKind,
    pattern::{PathPattern, Segment},
};

use crate::{
    BuildError, ProblemKind, Route, RouteProblem,
    arrival::Arrival,
    condition::{Condition, HeaderCondition, QueryCondition},
    conflict,
    error::Subject,
    host::{HostMatch, Hosts},
    path_regex::{PathRegex, RegexGroup},
    route::PathMatch,
    rule::Rule,
    table::{self, HostTable, Table},
    tree::End,
};

/// A route that was read.
pub(crate) struct Draft {
    pub(crate) rule: Rule,
    pub(crate) path: DraftPath,
    pub(crate) hosts: Vec<HostMatch>,
    /// The route in the words of its configuration.
    pub(crate) text: String,
    index: usize,
}

pub(crate) enum DraftPath {
    Segments(Box<[Segment]>, End),
    Regex(PathRegex),
}

impl Draft {
    pub(crate) fn subject(&self) -> Subject {
        Subject { index: self.index, name: self.rule.name.as_str().into() }
    }

    pub(crate) fn regex(&self) -> Option<&PathRegex> {
        match &self.path {
            DraftPath::Regex(regex) => Some(regex),
            DraftPath::Segments(..) => None,
        }
    }
}

/// Makes the table, or tells all that is wrong.
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

fn read(index: usize, route: &Route, problems: &mut Vec<RouteProblem>) -> Option<Draft> {
    let mut reader =
        Reader { subject: Subject { index, name: route.label().into() }, route, problems, ok: true };
    let path = reader.path();
    let hosts = reader.hosts();
    let headers = reader.conditions(&route.headers, "header", HeaderCondition::header);
    let query = reader.conditions(&route.query, "query parameter", QueryCondition::query);
    let (Some(path), true) = (path, reader.ok) else { return None };
    let mut methods = route.methods.clone();
    methods.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
    methods.dedup();
    let rule = Rule {
        name: Label::new(LabelKind::Route, &reader.subject.name),
        arrival: Arrival {
            listeners: route.listeners.iter().map(|name| name.as_str().into()).collect(),
            scheme: route.scheme.clone(),
        },
        methods: methods.into(),
        headers,
        query,
        priority: route.priority,
        encoded_slash: route.encoded_slash,
        empty_segments: route.empty_segments,
        names_parameter: names_parameter(&route.path),
    };
    Some(Draft { rule, path, hosts, text: route.to_string(), index })
}

/// Whether a path as it was written holds a parameter, so that it tells apart what others read as one.
fn names_parameter(path: &PathMatch) -> bool {
    let (PathMatch::Whole(text) | PathMatch::Prefix(text) | PathMatch::Regex(text)) = path;
    text.contains(';') || text.contains("%3B") || text.contains("%3b")
}

/// Reads the parts of one route, and collects what is wrong with them.
struct Reader<'a> {
    subject: Subject,
    route: &'a Route,
    problems: &'a mut Vec<RouteProblem>,
    ok: bool,
}

impl Reader<'_> {
    fn problem(&mut self, text: impl std::fmt::Display) {
        self.ok = false;
        let text = format!("route `{}`: {text}", self.route);
        self.problems.push(RouteProblem::new(ProblemKind::Invalid, self.subject.clone(), text));
    }

    fn path(&mut self) -> Option<DraftPath> {
        let (text, is_prefix) = match &self.route.path {
            PathMatch::Whole(text) => (text, false),
            PathMatch::Prefix(text) => (text, true),
            PathMatch::Regex(text) => {
                let regex = PathRegex::parse(text).map_err(|error| self.problem(error)).ok()?;
                self.encoded_slash(regex.prefix());
                return Some(DraftPath::Regex(regex));
            }
        };
        let pattern = PathPattern::parse(text).map_err(|error| self.problem(error)).ok()?;
        let mut segments = pattern.segments();
        let mut end = match segments {
            [.., Segment::Rest(_)] => End::Rest,
            _ => End::Whole,
        };
        for segment in segments {
            if let Segment::Literal(text) = segment {
                self.encoded_slash(text);
            }
        }
        if is_prefix && end == End::Rest {
            self.problem("a prefix takes all that is left: end it before `{*name}`");
        } else if is_prefix {
            end = End::Prefix;
            // A slash at a prefix's end is of no account, and the root is such a slash.
            if let [shorter @ .., Segment::Literal(last)] = segments
                && last.is_empty()
            {
                segments = shorter;
            }
        }
        Some(DraftPath::Segments(segments.into(), end))
    }

    fn encoded_slash(&mut self, text: &str) {
        if text.contains("%2F") && !self.route.encoded_slash {
            self.problem(
                "it can never match, for a path with `%2F` is refused: allow encoded slashes on this route",
            );
        }
    }

    fn hosts(&mut self) -> Vec<HostMatch> {
        let mut hosts = Vec::new();
        for host in &self.route.hosts {
            match HostMatch::parse(host) {
                Ok(host) if hosts.contains(&host) => {}
                Ok(host) => hosts.push(host),
                Err(hint) => self.problem(format_args!("host `{host}`: {hint}")),
            }
        }
        if hosts.is_empty() {
            hosts.push(HostMatch::Any);
        }
        hosts
    }

    fn conditions<N: PartialEq>(
        &mut self,
        written: &[crate::route::ValueMatch],
        kind: &str,
        read: impl Fn(&crate::route::ValueMatch) -> Result<Condition<N>, String>,
    ) -> Box<[Condition<N>]> {
        let mut conditions = Vec::<Condition<N>>::new();
        for written in written {
            match read(written) {
                Ok(condition) if conditions.iter().any(|earlier| earlier.name() == condition.name()) => {
                    self.problem(format_args!("name the {kind} `{}` once", written.name));
                }
                Ok(condition) => conditions.push(condition),
                Err(error) => self.problem(format_args!("{kind} `{}`: {error}", written.name)),
            }
        }
        conditions.into()
    }
}

/// Puts the routes where requests find them, those that share a path in order of precedence.
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
                    let subject = draft_of(group[0].0).subject();
                    problems.push(RouteProblem::new(ProblemKind::Invalid, subject, error));
                }
            }
        }
    }
    hosts
}
