use serde_json::{Number, Value};

use crate::syntax::{Kind, Node};

/// A node as JSON, its scalars read as YAML 1.2 reads plain ones (section 10.3.2). Quotes are not told apart.
pub(super) fn json(node: &Node) -> Value {
    match &node.kind {
        Kind::Null | Kind::Invalid => Value::Null,
        Kind::Scalar(text) => scalar(text),
        Kind::List(nodes) => nodes.iter().map(json).collect(),
        Kind::Map(entries) => {
            Value::Object(entries.iter().map(|entry| (entry.key.clone(), json(&entry.value))).collect())
        }
    }
}

fn scalar(text: &str) -> Value {
    match text {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ => match text.parse::<i64>() {
            Ok(number) if number.to_string() == text => Value::Number(Number::from(number)),
            _ => Value::String(text.to_owned()),
        },
    }
}
