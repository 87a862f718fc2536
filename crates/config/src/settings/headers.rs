use http::{HeaderName, HeaderValue};

use crate::{
    diagnostics::{Diagnostic, Spanned},
    read::{Name, Named, Readable, Reader, Secret, Value},
    syntax::{Kind, Node, shorten},
    vocabulary::{Shape, map},
};

map! {
    /// Headers are removed first, then set, then added. Headers that frame a message (`content-length`, `connection` and the like)
    /// cannot be changed.
    #[derive(Debug, Default, PartialEq, Eq, Hash)]
    pub(crate) struct HeaderEdits {
        title: "an edit of headers";
        name: "header_edit";
        smallest: "{}";

        /// Headers with their values, in place of those that were there. Values are fixed texts: nothing that the path captures
        /// is filled in.
        set: lenient SetLines, "{x-via: gatewright}", alias ["replace"];
        /// Headers with their values, beside those that were there. Values are fixed texts here as well.
        add: lenient Lines, "{vary: origin}", alias ["append"];
        /// Headers by their names.
        remove: lenient Readable<Spanned<HeaderName>>, "[cookie, x-debug]", alias ["delete"];
    }
}

/// Header names with their values; wrong ones are left out.
pub(crate) struct Lines;

impl Value for Lines {
    type Kept = Vec<(Spanned<HeaderName>, Secret)>;
    const SHAPE: Shape = Named::<HeaderName, String>::SHAPE;

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self::Kept> {
        let mut lines = Vec::new();
        for entry in reader.named(node, Self::SHAPE)? {
            let name = HeaderName::name(&entry.key, entry.key_span, reader);
            let value = value(&entry.value, reader);
            if let (Some(name), Kind::Scalar(text)) = (&name, &entry.value.kind) {
                warn_of_clear_secret(name, text, &entry.value, reader);
            }
            lines.extend(name.map(|name| Spanned::new(name, entry.key_span)).zip(value));
        }
        Some(lines)
    }
}

/// Lines of which each header has one.
pub(crate) struct SetLines;

impl Value for SetLines {
    type Kept = Vec<(Spanned<HeaderName>, Secret)>;
    const SHAPE: Shape = Lines::SHAPE;

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self::Kept> {
        let lines = Lines::read(node, reader)?;
        report_twice(&lines, reader);
        Some(lines)
    }
}

/// Reports a header that is set twice, in another spelling: the second one would replace the first.
fn report_twice(lines: &[(Spanned<HeaderName>, Secret)], reader: &mut Reader<'_>) {
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
