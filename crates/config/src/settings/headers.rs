use http::{HeaderName, HeaderValue};

use crate::{
    diagnostics::{Diagnostic, Span, Spanned},
    read::{Fields, Reader, Secret},
    syntax::{Kind, Node, shorten},
    vocabulary::{Key, Section, Shape},
};

/// What is done to the headers of a message, in the order remove, set, add.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct HeaderEdits {
    pub(crate) set: Vec<(Spanned<HeaderName>, Secret)>,
    pub(crate) add: Vec<(Spanned<HeaderName>, Secret)>,
    pub(crate) remove: Vec<Spanned<HeaderName>>,
}

pub(super) static HEADERS: Section = Section {
    title: "an edit of headers",
    name: "header_edit",
    about: "Headers are removed first, then set, then added. Those that frame a message (`content-length`, `connection` and the \
            like) cannot be changed.",
    keys: &[
        Key::new(
            "set",
            Shape::Named(&Shape::HeaderName, &Shape::Text),
            "Headers with their values, in place of those that were there. Values are fixed texts: nothing that the path captures is filled in.",
            "{x-via: gatewright}",
        ),
        Key::new(
            "add",
            Shape::Named(&Shape::HeaderName, &Shape::Text),
            "Headers with their values, beside those that were there. Values are fixed texts here as well.",
            "{vary: origin}",
        ),
        Key::new("remove", Shape::List(&Shape::HeaderName), "Headers by their names.", "[cookie, x-debug]"),
    ],
    rules: &[],
    smallest: "{}",
    later: &[],
    aliases: &[("append", "add"), ("delete", "remove"), ("replace", "set")],
};

impl HeaderEdits {
    pub(crate) fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let fields = Fields::read(node, &HEADERS, reader)?;
        Some(Self {
            set: fields.get("set").map(|node| once(lines(node, reader), reader)).unwrap_or_default(),
            add: fields.get("add").map(|node| lines(node, reader)).unwrap_or_default(),
            remove: fields.get("remove").map(|node| names(node, reader)).unwrap_or_default(),
        })
    }
}

/// A map from header names to values.
fn lines(node: &Node, reader: &mut Reader<'_>) -> Vec<(Spanned<HeaderName>, Secret)> {
    let entries = match &node.kind {
        Kind::Map(entries) => entries.as_slice(),
        Kind::Invalid => &[],
        _ => {
            reader
                .error(node.span, format!("expected headers with their values, found {}", node.describe()))
                .help("write a map: `{x-via: gateway}`");
            &[]
        }
    };
    let mut lines = Vec::with_capacity(entries.len());
    for entry in entries {
        let name = name(&entry.key, entry.key_span, reader);
        let value = value(&entry.value, reader);
        if let (Some(name), Kind::Scalar(text)) = (&name, &entry.value.kind) {
            warn_of_clear_secret(name, text, &entry.value, reader);
        }
        lines.extend(name.map(|name| Spanned::new(name, entry.key_span)).zip(value));
    }
    lines
}

/// Reports a header that is set twice, in another spelling: the one would take the place of the other.
fn once(
    lines: Vec<(Spanned<HeaderName>, Secret)>,
    reader: &mut Reader<'_>,
) -> Vec<(Spanned<HeaderName>, Secret)> {
    for (index, (name, _)) in lines.iter().enumerate() {
        if let Some((first, _)) = lines[..index].iter().find(|(first, _)| first.value == name.value) {
            let first = reader.place(first.span);
            reader
                .error(
                    name.span,
                    format!("`{}` is set twice: names of headers are the same in either case", name.value),
                )
                .related(first, "the first one is here")
                .help("keep one of them; a second line of a header goes under `add`");
        }
    }
    lines
}

/// Warns of a credential that anybody who reads the file can use.
fn warn_of_clear_secret(name: &HeaderName, text: &str, node: &Node, reader: &mut Reader<'_>) {
    if !text.starts_with("file:") {
        warn_of_credential(
            name.as_str(),
            text,
            node,
            "have it come from outside: `\"Bearer ${env:TOKEN}\"`, or `\"file:PATH\"`",
            reader,
        );
    }
}

/// Warns of the value of a header or a query parameter that is a credential by its name.
pub(super) fn warn_of_credential(name: &str, text: &str, node: &Node, help: &str, reader: &mut Reader<'_>) {
    let lower = name.to_ascii_lowercase();
    let holds_secret = matches!(&*lower, "authorization" | "proxy-authorization" | "cookie")
        || ["api-key", "api_key", "apikey", "token", "secret", "password"]
            .iter()
            .any(|part| lower.contains(part));
    if holds_secret && !text.contains("${") && !text.is_empty() {
        let place = Some(reader.place(node.span));
        reader
            .report(Diagnostic::warning(
                place,
                format!("the value of `{}` stands in this file for all to read", shorten(name)),
            ))
            .help(help)
            .conceal();
    }
}

fn names(node: &Node, reader: &mut Reader<'_>) -> Vec<Spanned<HeaderName>> {
    let mut names = Vec::new();
    for node in reader.list(node, "a list of header names") {
        let Some(text) = reader.text(node, "the name of a header") else { continue };
        names.extend(name(text, node.span, reader).map(|name| Spanned::new(name, node.span)));
    }
    names
}

/// The name of a header, as RFC 9110 allows it (section 5.1).
pub(super) fn name(text: &str, span: Span, reader: &mut Reader<'_>) -> Option<HeaderName> {
    match HeaderName::from_bytes(text.as_bytes()) {
        Ok(name) => Some(name),
        Err(_) => {
            reader
                .error(span, format!("`{}` is not the name of a header", shorten(text)))
                .help("a name is made of letters, digits and dashes: `x-request-source`");
            None
        }
    }
}

/// A value, which may stand for a secret.
fn value(node: &Node, reader: &mut Reader<'_>) -> Option<Secret> {
    let value = reader.secret(node, "the value of a header")?;
    if HeaderValue::from_str(value.expose()).is_ok() {
        return Some(value);
    }
    // Which character it is stays untold: the value may be a secret.
    reader
        .error(node.span, "the value of a header holds a character that it may not")
        .help("a value is visible ASCII text on one line");
    None
}
