//! A file without its secrets, for others to see.

use serde_json::{Map, Value};

use crate::{
    diagnostics::{Span, secrets_in},
    syntax::{Kind, Node},
};

const REDACTED: &str = "[redacted]";

/// The tree of a file as JSON, each value as it is written: what comes from the environment or a file is shown as its name.
/// `secrets` are the places of what was read as a secret. What looks like one is left out too, and comments are.
pub(crate) fn redacted(root: &Node, secrets: &[Span]) -> String {
    json(root, "", secrets).to_string()
}

fn json(node: &Node, key: &str, secrets: &[Span]) -> Value {
    match &node.kind {
        Kind::Null | Kind::Invalid => Value::Null,
        Kind::Scalar(text) => Value::String(scalar(text, key, secrets.contains(&node.span))),
        Kind::List(nodes) => nodes.iter().map(|node| json(node, key, secrets)).collect(),
        Kind::Map(entries) => {
            let shown =
                entries.iter().map(|entry| (entry.key.clone(), json(&entry.value, &entry.key, secrets)));
            Value::Object(shown.collect::<Map<_, _>>())
        }
    }
}

fn scalar(text: &str, key: &str, is_secret: bool) -> String {
    let is_elsewhere = (text.starts_with("file:") && !text.contains('\n')) || is_variable(text);
    if is_elsewhere {
        return text.to_owned();
    }
    // What a key names a secret is one, also where the reader does not take it for one.
    let line = format!("{key}: '{text}'");
    let looks_like_one = secrets_in(&line).iter().any(|range| range.start == key.len() + 2);
    if is_secret || looks_like_one {
        return REDACTED.to_owned();
    }
    // The passwords of URLs.
    let mut shown = text.to_owned();
    for range in secrets_in(text).into_iter().rev() {
        shown.replace_range(range, REDACTED);
    }
    shown
}

/// Whether it is `${env:NAME}`, and nothing else.
fn is_variable(text: &str) -> bool {
    let name = text.strip_prefix("${env:").and_then(|rest| rest.strip_suffix('}'));
    name.is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_secret_is_not_shown_and_where_it_is_said_to_be_is() {
        for (key, text, is_secret, shown) in [
            ("secret", "hunter2", false, REDACTED),
            ("client_secret", "hunter2", false, REDACTED),
            ("x-token", "hunter2", true, REDACTED),
            ("x-token", "Bearer ${env:TOKEN}", true, REDACTED),
            ("secret", "${env:TOKEN}", true, "${env:TOKEN}"),
            ("secret", "file:jwt.secret", true, "file:jwt.secret"),
            ("redis", "redis://user:hunter2@a:6379", false, "redis://user:[redacted]@a:6379"),
            ("upstream", "orders:8080", false, "orders:8080"),
            ("secret", "it's hunter2", false, REDACTED),
        ] {
            assert_eq!(scalar(text, key, is_secret), shown, "{key}: {text}");
        }
    }
}
