//! Parsing routes, before they have a place in the table.

use gatewright_core::pattern::{PathPattern, Segment};

use crate::{
    ProblemKind, Route, RouteProblem,
    arrival::Arrival,
    condition::{Condition, HeaderCondition, QueryCondition},
    host::HostMatch,
    path_regex::PathRegex,
    route::{PathMatch, ValueMatch},
    route_info::RouteInfo,
    rule::Rule,
    tree::End,
};

/// A parsed route.
pub(crate) struct Draft {
    pub(crate) rule: Rule,
    pub(crate) path: DraftPath,
    pub(crate) hosts: Vec<HostMatch>,
}

pub(crate) enum DraftPath {
    Segments(Box<[Segment]>, End),
    Regex(PathRegex),
}

impl Draft {
    pub(crate) fn regex(&self) -> Option<&PathRegex> {
        match &self.path {
            DraftPath::Regex(regex) => Some(regex),
            DraftPath::Segments(..) => None,
        }
    }
}

/// Parses one route, and adds its problems to `problems`.
pub(crate) fn read(index: usize, route: &Route, problems: &mut Vec<RouteProblem>) -> Option<Draft> {
    let info = RouteInfo::new(index, &route.label(), route.to_string());
    let mut reader = Reader { info, route, problems, ok: true };
    let path = reader.path();
    let hosts = reader.hosts();
    let headers = reader.conditions(&route.headers, "header", HeaderCondition::header);
    let query = reader.conditions(&route.query, "query parameter", QueryCondition::query);
    let (Some(path), true) = (path, reader.ok) else { return None };
    let mut methods = route.methods.clone();
    methods.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
    methods.dedup();
    let rule = Rule {
        info: reader.info,
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
    Some(Draft { rule, path, hosts })
}

/// Whether the written path holds a parameter (`;x`), so that the route tells paths apart that some services do not.
fn names_parameter(path: &PathMatch) -> bool {
    let (PathMatch::Whole(text) | PathMatch::Prefix(text) | PathMatch::Regex(text)) = path;
    text.contains(';') || text.contains("%3B") || text.contains("%3b")
}

/// Parses the parts of one route, and collects their problems.
struct Reader<'a> {
    info: RouteInfo,
    route: &'a Route,
    problems: &'a mut Vec<RouteProblem>,
    ok: bool,
}

impl Reader<'_> {
    fn problem(&mut self, text: impl std::fmt::Display) {
        self.ok = false;
        let text = format!("route `{}`: {text}", self.route);
        self.problems.push(RouteProblem::new(ProblemKind::Invalid, self.info.clone(), text));
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
            // A slash at the end of a prefix makes no difference, and the root is only a slash.
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
        written: &[ValueMatch],
        kind: &str,
        read: impl Fn(&ValueMatch) -> Result<Condition<N>, String>,
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
