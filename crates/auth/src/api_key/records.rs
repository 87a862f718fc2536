//! Reads YAML that is a list of flat maps, record by record. A file of 100,000 keys is never in memory as a tree.

use granit_parser::{Event, Marker, Parser, ScalarStyle};

use crate::content::{Position, Problems};

/// One map of the list.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) position: Position,
    pub(super) fields: Vec<Field>,
}

/// A key of the map, with its value.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: Text,
    pub(super) value: Value,
}

#[derive(Debug)]
pub(super) enum Value {
    /// No value, or `~` or `null`.
    Nothing,
    Text(Text),
    List(Vec<Text>),
    /// The value was reported as a problem already.
    Invalid,
}

/// A scalar, as text. The reader of a field gives it a meaning.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) position: Position,
    pub(super) text: String,
}

/// The deepest nesting that the parser follows; a keys file needs three levels.
const DEPTH: usize = 16;

/// Passes each record to `each`. Returns whether the text is a list, even an empty one.
pub(super) fn read(text: &str, problems: &mut Problems, each: impl FnMut(Record, &mut Problems)) -> bool {
    let options = granit_parser::options! {
        emit_comments: false,
        emit_anchor_events: true,
        emit_unresolved_aliases: true,
        disallow_directives: true,
        flow_nesting_limit: DEPTH,
        block_nesting_limit: DEPTH,
    };
    let mut reading = Reading { problems, each, at: At::Start, skipped_depth: 0, documents: 0, list: false };
    for event in Parser::new_from_str_with_options(text, options) {
        match event {
            Ok((event, span)) => {
                if let (Some(_), Some(tag)) = (event.tag(), span.tag_start()) {
                    reading.problems.add(
                        position(&tag),
                        "YAML tags are not supported",
                        "write the value without it",
                    );
                }
                reading.event(event, position(&span.start));
            }
            Err(error) => {
                // The parser's message contains at most one character of the text.
                let message = format!("this is not valid YAML: {}", error.kind());
                reading.problems.add(position(error.marker()), message, SYNTAX);
                return reading.list;
            }
        }
    }
    reading.list
}

const SYNTAX: &str = "the file is a list, each item of it `- name: …` and, indented below it, `hash: …`";

fn position(marker: &Marker) -> Position {
    Position { line: marker.line(), column: marker.col() + 1 }
}

struct Reading<'a, F> {
    problems: &'a mut Problems,
    each: F,
    at: At,
    /// The depth of open collections that are skipped.
    skipped_depth: usize,
    documents: usize,
    list: bool,
}

/// The state: where the next node belongs.
enum At {
    Start,
    List,
    Name(Record),
    Value(Record, Text),
    Values(Record, Text, Vec<Text>),
    End,
}

/// A node, as far as one event describes it.
enum Node {
    Null,
    Text(String),
    List,
    Map,
    /// An alias, which was reported already.
    Invalid,
}

impl<F: FnMut(Record, &mut Problems)> Reading<'_, F> {
    fn event(&mut self, event: Event<'_>, position: Position) {
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents == 2 {
                    self.problems.add(position, "a second document begins here", "a keys file is one list");
                }
            }
            Event::Anchor(..) => {
                self.problems.add(position, "YAML anchors are not supported", "write each key out")
            }
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                self.problems.add(position, "YAML aliases are not supported", "write each key out");
                self.node(Node::Invalid, position);
            }
            Event::Scalar(text, style, ..) => {
                let null = style == ScalarStyle::Plain && matches!(&*text, "" | "~" | "null");
                self.node(if null { Node::Null } else { Node::Text(text.into_owned()) }, position);
            }
            Event::SequenceStart(..) => self.node(Node::List, position),
            Event::MappingStart(..) => self.node(Node::Map, position),
            Event::SequenceEnd | Event::MappingEnd if self.skipped_depth > 0 => self.skipped_depth -= 1,
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            _ => {}
        }
    }

    fn node(&mut self, node: Node, position: Position) {
        if self.skipped_depth > 0 {
            self.skipped_depth += usize::from(matches!(node, Node::List | Node::Map));
            return;
        }
        self.at = match (std::mem::replace(&mut self.at, At::End), node) {
            (At::Start, Node::List) => {
                self.list = true;
                At::List
            }
            (At::Start, Node::Null) => At::Start,
            (At::Start, node) => {
                self.report_unexpected(&node, position, "a keys file must be a list", SYNTAX);
                At::End
            }
            (At::List, Node::Map) => At::Name(Record { position, fields: Vec::new() }),
            (At::List, node) => {
                self.report_unexpected(&node, position, "an item of the list must be a map", SYNTAX);
                At::List
            }
            (At::Name(record), Node::Text(text)) => At::Value(record, Text { position, text }),
            (At::Name(record), node) => {
                self.report_unexpected(&node, position, "the name of a field must be a word", "");
                // Its value follows and is dropped with it.
                At::Value(record, Text { position, text: String::new() })
            }
            (At::Value(record, name), Node::Null) => At::Name(record.with(name, Value::Nothing)),
            (At::Value(record, name), Node::Text(text)) => {
                At::Name(record.with(name, Value::Text(Text { position, text })))
            }
            (At::Value(record, name), Node::List) => At::Values(record, name, Vec::new()),
            (At::Value(record, name), node) => {
                self.report_unexpected(&node, position, "no field of a key can be a map", "");
                At::Name(record.with(name, Value::Invalid))
            }
            (At::Values(record, name, mut values), node) => {
                match node {
                    Node::Text(text) => values.push(Text { position, text }),
                    node => self.report_unexpected(&node, position, "the items of this list must be words", ""),
                }
                At::Values(record, name, values)
            }
            (At::End, node) => {
                self.skipped_depth += usize::from(matches!(node, Node::List | Node::Map));
                At::End
            }
        };
    }

    /// Reports an unexpected node and skips its content.
    fn report_unexpected(&mut self, node: &Node, position: Position, message: &str, help: &str) {
        match node {
            Node::Invalid => return,
            Node::List | Node::Map => self.skipped_depth += 1,
            Node::Null | Node::Text(_) => {}
        }
        self.problems.add(position, message, help);
    }

    fn close(&mut self) {
        self.at = match std::mem::replace(&mut self.at, At::End) {
            At::Name(record) => {
                (self.each)(record, self.problems);
                At::List
            }
            At::Values(record, name, values) => At::Name(record.with(name, Value::List(values))),
            _ => At::End,
        };
    }
}

impl Record {
    fn with(mut self, name: Text, value: Value) -> Self {
        // A name that is not a word was reported already.
        if !name.text.is_empty() {
            self.fields.push(Field { name, value });
        }
        self
    }
}
