//! YAML that is a list of flat maps, read record by record: a file of 100,000 keys never stands in memory as a tree.

use granit_parser::{Event, Marker, Parser, ScalarStyle};

use crate::content::{Place, Problems};

/// One map of the list.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) place: Place,
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
    /// Nothing was written, or `~` or `null`.
    Nothing,
    Text(Text),
    List(Vec<Text>),
    /// What stands there was reported already.
    Invalid,
}

/// A scalar. It stays text: what it means is for the reader to say.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) place: Place,
    pub(super) text: String,
}

/// The deepest nesting that the parser follows; a keys file needs three levels.
const DEPTH: usize = 16;

/// Hands over each record. Says whether the text is a list at all, be it an empty one.
pub(super) fn read(text: &str, problems: &mut Problems, each: impl FnMut(Record, &mut Problems)) -> bool {
    let options = granit_parser::options! {
        emit_comments: false,
        emit_anchor_events: true,
        emit_unresolved_aliases: true,
        disallow_directives: true,
        flow_nesting_limit: DEPTH,
        block_nesting_limit: DEPTH,
    };
    let mut reading = Reading { problems, each, at: At::Start, unwanted: 0, documents: 0, list: false };
    for event in Parser::new_from_str_with_options(text, options) {
        match event {
            Ok((event, span)) => {
                if let (Some(_), Some(tag)) = (event.tag(), span.tag_start()) {
                    reading.problems.add(
                        place(&tag),
                        "YAML tags are not supported",
                        "write the value without it",
                    );
                }
                reading.event(event, place(&span.start));
            }
            Err(error) => {
                // The parser's own words hold no more of the text than a character.
                let message = format!("this is not valid YAML: {}", error.kind());
                reading.problems.add(place(error.marker()), message, SYNTAX);
                return reading.list;
            }
        }
    }
    reading.list
}

const SYNTAX: &str = "the file is a list, each item of it `- name: …` and, indented below it, `hash: …`";

fn place(marker: &Marker) -> Place {
    Place { line: marker.line(), column: marker.col() + 1 }
}

struct Reading<'a, F> {
    problems: &'a mut Problems,
    each: F,
    at: At,
    /// How many collections are open that have no business here.
    unwanted: usize,
    documents: usize,
    list: bool,
}

/// Where the next node belongs.
enum At {
    Start,
    List,
    Name(Record),
    Value(Record, Text),
    Values(Record, Text, Vec<Text>),
    End,
}

/// A node, as far as one event tells.
enum Node {
    Null,
    Text(String),
    List,
    Map,
    /// An alias; it was reported.
    Invalid,
}

impl<F: FnMut(Record, &mut Problems)> Reading<'_, F> {
    fn event(&mut self, event: Event<'_>, place: Place) {
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents == 2 {
                    self.problems.add(place, "a second document begins here", "a keys file is one list");
                }
            }
            Event::Anchor(..) => {
                self.problems.add(place, "YAML anchors are not supported", "write each key out")
            }
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                self.problems.add(place, "YAML aliases are not supported", "write each key out");
                self.node(Node::Invalid, place);
            }
            Event::Scalar(text, style, ..) => {
                let null = style == ScalarStyle::Plain && matches!(&*text, "" | "~" | "null");
                self.node(if null { Node::Null } else { Node::Text(text.into_owned()) }, place);
            }
            Event::SequenceStart(..) => self.node(Node::List, place),
            Event::MappingStart(..) => self.node(Node::Map, place),
            Event::SequenceEnd | Event::MappingEnd if self.unwanted > 0 => self.unwanted -= 1,
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            _ => {}
        }
    }

    fn node(&mut self, node: Node, place: Place) {
        if self.unwanted > 0 {
            self.unwanted += usize::from(matches!(node, Node::List | Node::Map));
            return;
        }
        self.at = match (std::mem::replace(&mut self.at, At::End), node) {
            (At::Start, Node::List) => {
                self.list = true;
                At::List
            }
            (At::Start, Node::Null) => At::Start,
            (At::Start, node) => {
                self.unwelcome(&node, place, "a keys file is a list", SYNTAX);
                At::End
            }
            (At::List, Node::Map) => At::Name(Record { place, fields: Vec::new() }),
            (At::List, node) => {
                self.unwelcome(&node, place, "an item of the list is a map", SYNTAX);
                At::List
            }
            (At::Name(record), Node::Text(text)) => At::Value(record, Text { place, text }),
            (At::Name(record), node) => {
                self.unwelcome(&node, place, "the name of a field is a word", "");
                // Its value follows, and goes the same way.
                At::Value(record, Text { place, text: String::new() })
            }
            (At::Value(record, name), Node::Null) => At::Name(record.with(name, Value::Nothing)),
            (At::Value(record, name), Node::Text(text)) => {
                At::Name(record.with(name, Value::Text(Text { place, text })))
            }
            (At::Value(record, name), Node::List) => At::Values(record, name, Vec::new()),
            (At::Value(record, name), node) => {
                self.unwelcome(&node, place, "no field of a key is a map", "");
                At::Name(record.with(name, Value::Invalid))
            }
            (At::Values(record, name, mut values), node) => {
                match node {
                    Node::Text(text) => values.push(Text { place, text }),
                    node => self.unwelcome(&node, place, "the items of this list are words", ""),
                }
                At::Values(record, name, values)
            }
            (At::End, node) => {
                self.unwanted += usize::from(matches!(node, Node::List | Node::Map));
                At::End
            }
        };
    }

    /// Reports a node that has no business here, and overlooks what is in it.
    fn unwelcome(&mut self, node: &Node, place: Place, message: &str, help: &str) {
        match node {
            Node::Invalid => return,
            Node::List | Node::Map => self.unwanted += 1,
            Node::Null | Node::Text(_) => {}
        }
        self.problems.add(place, message, help);
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
        // A name that is no word was reported.
        if !name.text.is_empty() {
            self.fields.push(Field { name, value });
        }
        self
    }
}
