//! The routes of one host, by the segments of their paths.

use std::ops::ControlFlow;

use gatewright_core::pattern::Segment;
use smallvec::SmallVec;

use crate::{hash::FixedMap, path_regex::RegexGroup};

/// A tree of segments. The cost of a walk depends on the path, not on the number of routes.
#[derive(Debug)]
pub(crate) struct Tree {
    nodes: Vec<Node>,
}

#[derive(Debug, Default)]
pub(crate) struct Node {
    literals: FixedMap<Box<str>, u32>,
    name: Option<u32>,
    whole: Vec<u32>,
    rest: Vec<u32>,
    prefix: Vec<u32>,
    regexes: Option<RegexGroup>,
}

/// The way in which a route takes the paths that reach its node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The path ends at the node.
    Whole,
    /// `{*rest}`: at least one byte follows.
    Rest,
    /// A prefix: the path may end or go on.
    Prefix,
}

/// The nodes that a path reaches, level by level.
pub(crate) struct Walk<'a> {
    nodes: SmallVec<[&'a Node; 12]>,
    levels: SmallVec<[Level; 12]>,
    path_len: usize,
}

/// The nodes that one segment of a path reaches, the more literal node first.
struct Level {
    first: usize,
    /// The position of the next segment in the path; `None` after the last segment.
    next: Option<usize>,
}

const ROOT: u32 = 0;

impl Default for Tree {
    fn default() -> Self {
        Self { nodes: vec![Node::default()] }
    }
}

impl Tree {
    /// Adds a route at the end of `segments`. A final `{*rest}` is ignored, because `end` says it already.
    pub(crate) fn insert(&mut self, segments: &[Segment], end: End, route: u32) {
        let mut at = ROOT;
        for segment in segments {
            at = match segment {
                Segment::Literal(text) => self.literal(at, text),
                Segment::Name(_) => self.name(at),
                Segment::Rest(_) => break,
            };
        }
        let node = &mut self.nodes[at as usize];
        match end {
            End::Whole => node.whole.push(route),
            End::Rest => node.rest.push(route),
            End::Prefix => node.prefix.push(route),
        }
    }

    /// Puts regexes at the node of `directory`, which ends with a slash and which every path that they match passes.
    pub(crate) fn insert_regexes(&mut self, directory: &str, regexes: RegexGroup) {
        let mut at = ROOT;
        for segment in directory.split('/').filter(|segment| !segment.is_empty()) {
            at = self.literal(at, segment);
        }
        self.nodes[at as usize].regexes = Some(regexes);
    }

    fn literal(&mut self, parent: u32, text: &str) -> u32 {
        if let Some(child) = self.nodes[parent as usize].literals.get(text) {
            return *child;
        }
        let child = self.add();
        self.nodes[parent as usize].literals.insert(text.into(), child);
        child
    }

    fn name(&mut self, parent: u32) -> u32 {
        if let Some(child) = self.nodes[parent as usize].name {
            return child;
        }
        let child = self.add();
        self.nodes[parent as usize].name = Some(child);
        child
    }

    fn add(&mut self) -> u32 {
        self.nodes.push(Node::default());
        // Memory ends before the numbers do.
        u32::try_from(self.nodes.len() - 1).unwrap_or(u32::MAX)
    }

    /// Every set of routes that share one path.
    pub(crate) fn buckets_mut(&mut self) -> impl Iterator<Item = &mut Vec<u32>> {
        self.nodes.iter_mut().flat_map(|node| [&mut node.whole, &mut node.rest, &mut node.prefix])
    }

    /// Every set of routes that share one path, with the routes that take all its requests first: a prefix with one more
    /// `{name}` takes everything before `{*rest}` does.
    pub(crate) fn buckets(&self) -> impl Iterator<Item = (&[u32], &[u32])> {
        self.nodes.iter().flat_map(|node| {
            let longer = node.name.map_or(&[][..], |child| &self.nodes[child as usize].prefix);
            [(&*node.whole, &[][..]), (&*node.rest, longer), (&*node.prefix, &[][..])]
        })
    }

    /// Walks along a path as far as the tree reaches.
    pub(crate) fn walk<'a>(&'a self, path: &str) -> Walk<'a> {
        let mut nodes = SmallVec::<[&Node; 12]>::new();
        let mut levels = SmallVec::<[Level; 12]>::new();
        let mut next = path.starts_with('/').then_some(1);
        nodes.push(&self.nodes[ROOT as usize]);
        levels.push(Level { first: 0, next });
        while let Some(start) = next {
            let (first, last) = (levels[levels.len() - 1].first, nodes.len());
            let end = path[start..].find('/').map_or(path.len(), |slash| start + slash);
            let segment = &path[start..end];
            next = (end < path.len()).then_some(end + 1);
            for index in first..last {
                let node = nodes[index];
                let literal = node.literals.get(segment).copied();
                let name = node.name.filter(|_| !segment.is_empty());
                nodes.extend(literal.into_iter().chain(name).map(|child| &self.nodes[child as usize]));
            }
            if nodes.len() == last {
                break;
            }
            levels.push(Level { first: last, next });
        }
        Walk { nodes, levels, path_len: path.len() }
    }
}

impl<'a> Walk<'a> {
    /// Visits the routes that take the path: the longest first, at equal length the more literal first, and at one node in the
    /// order of [`End`]. The routes of one visit share their path.
    pub(crate) fn visit<B>(&self, mut visit: impl FnMut(End, &'a [u32]) -> ControlFlow<B>) -> ControlFlow<B> {
        let mut end = self.nodes.len();
        for level in self.levels.iter().rev() {
            let is_something_left = level.next.is_some_and(|next| next < self.path_len);
            for node in &self.nodes[level.first..end] {
                let ends = [
                    (level.next.is_none(), End::Whole, &node.whole),
                    (is_something_left, End::Rest, &node.rest),
                    (true, End::Prefix, &node.prefix),
                ];
                for (fits, end, routes) in ends {
                    if fits && !routes.is_empty() {
                        visit(end, routes)?;
                    }
                }
            }
            end = level.first;
        }
        ControlFlow::Continue(())
    }

    /// The regexes that may match the path.
    pub(crate) fn regexes(&self) -> impl Iterator<Item = &'a RegexGroup> {
        self.nodes.iter().filter_map(|node| node.regexes.as_ref())
    }
}
