use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, StructureStyle};

use super::{
    mistakes,
    node::{Entry, Kind, Node, shorten},
};
use crate::diagnostics::{Diagnostic, Source, Span};

/// The largest file, in bytes: some hundred thousand routes.
pub(crate) const SIZE: usize = 32 << 20;

/// The deepest nesting, of block style and of flow style each.
const DEPTH: usize = 32;

/// Reads one YAML document. What is wrong goes to `problems`; there is no tree when its syntax is.
pub(crate) fn parse(source: &Source, problems: &mut Vec<Diagnostic>) -> Option<Node> {
    let options = granit_parser::options! {
        emit_comments: false,
        emit_anchor_events: true,
        emit_unresolved_aliases: true,
        disallow_directives: true,
        flow_nesting_limit: DEPTH,
        block_nesting_limit: DEPTH,
    };
    let mut tree = Tree { source, problems, open: Vec::new(), root: None, documents: 0, last: None };
    for event in Parser::new_from_str_with_options(source.text(), options) {
        match event {
            Ok((event, span)) => tree.event(event, span),
            Err(error) => {
                let bracket = tree.open.iter().rev().find(|open| open.flow && !open.span.is_empty());
                let read = mistakes::Before { last: tree.last, bracket: bracket.map(|open| open.span) };
                let problem = mistakes::explain(source, &error, read);
                tree.problems.push(problem);
                return None;
            }
        }
    }
    let end = source.text().len();
    Some(tree.root.unwrap_or_else(|| Node::new(Span::new(end, end), Kind::Null)))
}

/// The tree while it grows.
struct Tree<'a> {
    source: &'a Source,
    problems: &'a mut Vec<Diagnostic>,
    open: Vec<Open>,
    root: Option<Node>,
    documents: usize,
    /// The node that was read last, whole or as far as it went.
    last: Option<Span>,
}

/// A collection that has not ended.
struct Open {
    span: Span,
    flow: bool,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, seen: HashMap<String, Span>, key: Option<(String, Span)> },
}

impl Tree<'_> {
    fn event(&mut self, event: Event<'_>, span: granit_parser::Span) {
        if let (Some(_), Some(tag)) = (event.tag(), span.tag_span()) {
            self.error(bytes(&tag), "YAML tags are not supported")
                .help("write the value without the tag; quote it if it begins with `!`");
        }
        let span = bytes(&span);
        match event {
            Event::Anchor(..) => {
                self.error(span, "YAML anchors are not supported").help(
                    "name an upstream once under `upstreams:`; what all routes share goes under `defaults:`",
                );
            }
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents == 2 {
                    self.error(span, "a second document begins here")
                        .help("a file holds one configuration; remove the `---` and what follows it");
                }
            }
            Event::Scalar(text, style, ..) => {
                let null = style == ScalarStyle::Plain && matches!(&*text, "" | "~" | "null");
                let kind = if null { Kind::Null } else { Kind::Scalar(text.into_owned()) };
                self.add(Node::new(span, kind));
            }
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                let text = self.source.slice(span);
                let quoted = format!("a value that begins with `*` is quoted: `\"{}\"`", shorten(text));
                self.error(span, "YAML aliases are not supported").help(quoted);
                self.add(Node::new(span, Kind::Invalid));
            }
            Event::SequenceStart(style, ..) => self.open(span, style, Content::List(Vec::new())),
            Event::MappingStart(style, ..) => {
                let content = Content::Map { entries: Vec::new(), seen: HashMap::new(), key: None };
                self.open(span, style, content);
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
            _ => {}
        }
    }

    fn open(&mut self, span: Span, style: StructureStyle, content: Content) {
        self.last = Some(span);
        self.open.push(Open { span, flow: style == StructureStyle::Flow, content });
    }

    fn close(&mut self, end: Span) {
        let Some(Open { span, flow, content }) = self.open.pop() else { return };
        let kind = match content {
            Content::List(nodes) => Kind::List(nodes),
            Content::Map { entries, .. } => Kind::Map(entries),
        };
        // A block has no brackets to show, so its first words stand for it.
        let first = match &kind {
            Kind::List(nodes) => nodes.first().map(|node| node.span),
            Kind::Map(entries) => entries.first().map(|entry| entry.key_span),
            _ => None,
        };
        let span = match first {
            Some(first) if !flow => Span::new(span.start, first.end),
            _ => Span::new(span.start, end.end),
        };
        self.add(Node::new(span, kind));
    }

    /// Puts a whole node where it belongs.
    fn add(&mut self, node: Node) {
        self.last = Some(node.span);
        let Some(open) = self.open.last_mut() else {
            if self.root.is_none() {
                self.root = Some(node);
            }
            return;
        };
        match &mut open.content {
            Content::List(nodes) => nodes.push(node),
            Content::Map { entries, seen, key } => match key.take() {
                // A key that is no word was reported when it was read.
                Some((name, _)) if name.is_empty() => {}
                Some((name, span)) => match seen.get(&name).copied() {
                    None => {
                        seen.insert(name.clone(), span);
                        entries.push(Entry { key: name, key_span: span, value: node });
                    }
                    Some(first) => {
                        let first = self.source.place(first);
                        self.error(span, format!("`{}` is written twice", shorten(&name)))
                            .related(first, "the first one is here")
                            .help("keep one of them");
                    }
                },
                None => {
                    let name = match node.kind {
                        Kind::Scalar(name) => name,
                        Kind::Null => self.source.slice(node.span).to_owned(),
                        _ => String::new(),
                    };
                    let is_word = !name.is_empty();
                    *key = Some((name, node.span));
                    if !is_word {
                        self.error(node.span, "the key of a map is a word")
                            .help("a value that holds `{`, `[` or `*` is quoted");
                    }
                }
            },
        }
    }

    fn error(&mut self, span: Span, message: impl Into<String>) -> &mut Diagnostic {
        self.problems.push(Diagnostic::error(Some(self.source.place(span)), message));
        let last = self.problems.len() - 1;
        &mut self.problems[last]
    }
}

/// Spans of a text always know their bytes.
fn bytes(span: &granit_parser::Span) -> Span {
    let range = span.byte_range().unwrap_or_default();
    Span::new(range.start, range.end)
}
