//! The name of a claim, which may lead into objects.

use crate::{
    diagnostics::Span,
    read::{Name, Reader, Value},
    syntax::{Node, shorten},
    vocabulary::Shape,
};

/// The name of a claim.
pub(crate) struct ClaimName;

impl Value for ClaimName {
    type Kept = String;
    const SHAPE: Shape = Shape::Claim;

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<String> {
        let text = reader.text(node, "the name of a claim")?;
        Self::name(text, node.span, reader)
    }
}

impl Name for ClaimName {
    fn name(text: &str, span: Span, reader: &mut Reader<'_>) -> Option<String> {
        let Some(help) = mended(text) else { return Some(text.to_owned()) };
        let message = match text {
            "" => "the name of a claim is empty".to_owned(),
            _ => format!("`{}` is not the name of a claim", shorten(text)),
        };
        reader.error(span, message).help(help);
        None
    }
}

/// How to write what is no name of a claim.
fn mended(text: &str) -> Option<String> {
    let is_pointer = |text: &str| text.starts_with('/');
    if text.is_empty() {
        return Some(
            "write it as tokens have it: `sub`, `realm_access.roles`, `/realm_access/roles`".to_owned(),
        );
    }
    if let Some(pointer) = text.strip_prefix('#').filter(|pointer| is_pointer(pointer)) {
        return Some(format!("a JSON pointer begins with its slash: `{}`", shorten(pointer)));
    }
    if let Some(path) = text.strip_prefix('$').filter(|path| path.starts_with(['.', '['])) {
        let path = path.trim_start_matches('.');
        return Some(match path.contains(['[', '*', '.']) && !path.split('.').all(is_plain) {
            true => "a JSON path cannot be used: dots lead into objects, `realm_access.roles`".to_owned(),
            false => format!("dots lead into objects, and nothing stands for the whole: `{}`", shorten(path)),
        });
    }
    if is_pointer(text) {
        let is_escaped = |(at, _): (usize, &str)| text[at + 1..].starts_with(['0', '1']);
        return (!text.match_indices('~').all(is_escaped)).then(|| {
            format!("in a JSON pointer `~0` stands for `~`, and `~1` for `/`: `{}`", shorten(&escaped(text)))
        });
    }
    // A name of its own, such as a URL, may have whatever dots it likes.
    let names_nothing = !text.contains('/') && text.split('.').any(str::is_empty);
    names_nothing.then(|| {
        let names: Vec<_> = text.split('.').filter(|name| !name.is_empty()).collect();
        match names.is_empty() {
            true => "write it as tokens have it: `sub`, `realm_access.roles`".to_owned(),
            false => format!("between two dots there is a name: `{}`", shorten(&names.join("."))),
        }
    })
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.contains(['[', ']', '*', '(', '?'])
}

/// A pointer in which each `~` that escapes nothing stands for itself.
fn escaped(pointer: &str) -> String {
    let mut parts = pointer.split('~');
    let mut escaped = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        escaped.push_str(if part.starts_with(['0', '1']) { "~" } else { "~0" });
        escaped.push_str(part);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_name_is_mended_to_one() {
        for text in ["sub", "a.b", "/a/b", "/a~1b/~0", "https://example.com/roles", "urn:x:y", "$ref", "a b"] {
            assert_eq!(mended(text), None, "{text}");
        }
        for (text, name) in [
            ("/a~2b", "/a~02b"),
            ("/a~", "/a~0"),
            ("#/a/b", "/a/b"),
            ("a..b", "a.b"),
            (".a", "a"),
            ("a.", "a"),
            ("$.a.b", "a.b"),
            ("", "sub"),
            ("..", "sub"),
            ("$.a[0]", "realm_access.roles"),
        ] {
            let help = mended(text).unwrap_or_else(|| panic!("{text:?} is taken"));
            assert!(help.contains(&format!("`{name}`")), "{text}: {help}");
            assert_eq!(mended(name), None, "{name}");
        }
    }
}
