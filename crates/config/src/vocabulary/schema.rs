//! The tables as a JSON Schema.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Key, Section, Shape, json::json as to_json, prose};
use crate::{
    diagnostics::Source,
    settings::GATEWAY,
    syntax::{self, Node},
};

/// The JSON Schema of the file (draft 2020-12), for editors that complete and check while one types.
///
/// It tells the shape of a file: which keys there are, what their values look like, which of them go together. Whether names
/// lead somewhere, files hold what they should and routes are in conflict, only [`Config`](crate::Config) can tell.
///
/// ```
/// let schema: serde_json::Value = serde_json::from_str(&gatewright_config::schema()).unwrap();
/// assert_eq!(schema["properties"]["workers"]["examples"][0], 2);
/// ```
pub fn schema() -> String {
    let mut defs = BTreeMap::new();
    define(GATEWAY, &mut defs);
    let Some(Value::Object(mut root)) = defs.remove(GATEWAY.name) else {
        unreachable!("the whole file is defined first")
    };
    root.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    root.insert("title".to_owned(), json!("Gatewright's configuration file"));
    root.insert("$defs".to_owned(), json!(defs));
    format!("{:#}", Value::Object(root))
}

/// Defines a section and all that it holds.
fn define(section: &'static Section, defs: &mut BTreeMap<&'static str, Value>) {
    if defs.contains_key(section.name) {
        return;
    }
    // Its name is taken before its parts are looked at, so that a section may hold itself.
    defs.insert(section.name, Value::Null);
    for inner in section.keys().flat_map(|key| key.shape.sections()) {
        define(inner, defs);
    }
    defs.insert(section.name, object(section));
}

fn object(section: &Section) -> Value {
    let properties: Map<_, _> =
        section.keys().map(|key| (key.name.to_owned(), property(key, section))).collect();
    let mut object = json!({
        "title": section.title,
        "description": prose(section.about),
        "examples": [to_json(&parse(section.smallest))],
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    let required: Vec<_> = section.keys().filter(|key| section.requires(key)).map(|key| key.name).collect();
    let others: Vec<_> = section.rules.iter().flat_map(|rule| rule.relation.schemas()).collect();
    if !required.is_empty() {
        object["required"] = json!(required);
    }
    if !others.is_empty() {
        object["allOf"] = json!(others);
    }
    object
}

fn property(key: &Key, section: &Section) -> Value {
    let mut property = key.shape.schema();
    let absent = key.absent_in(section).map(|absent| format!("\n\nWhen left out: {absent}."));
    property["description"] = json!(prose(key.about) + &absent.unwrap_or_default());
    property["examples"] = json!([to_json(&parse(key.example))]);
    property
}

/// A text of the tables, whose syntax a test has looked at.
pub(super) fn parse(text: &str) -> Node {
    let source = Source::new("", text.to_owned());
    let mut problems = Vec::new();
    let node = syntax::parse(&source, &mut problems);
    match node {
        Some(node) if problems.is_empty() => node,
        _ => unreachable!("`{text}` is YAML"),
    }
}

/// A text that is no number has to look like this. The reader takes a number or `true` for the text that it is.
fn text(pattern: &str) -> Value {
    json!({"type": ["string", "number", "boolean"], "pattern": pattern})
}

/// A text that cannot be a number.
fn word(pattern: &str) -> Value {
    json!({"type": "string", "pattern": pattern})
}

impl Shape {
    /// The schema of a value, in the place of which an environment variable may stand.
    pub(super) fn schema(self) -> Value {
        let written = self.written();
        match self {
            Self::Path
            | Self::HostPattern
            | Self::Address
            | Self::Network
            | Self::Target
            | Self::Url
            | Self::Rate
            | Self::Share
            | Self::Duration
            | Self::Size
            | Self::Number(..) => json!({"anyOf": [written, word(r"\$\{env:[^}]+\}")]}),
            _ => written,
        }
    }

    /// The schema of a value that is written out.
    fn written(self) -> Value {
        const NUMBER: &str = r"^(?=.*[1-9])[0-9]+(\.[0-9]+)?";
        const TOKEN: &str = r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$";
        match self {
            Self::Text | Self::Claim => json!({"type": ["string", "number", "boolean"]}),
            Self::Path => word(r"^/[^?#\s\\]*$"),
            Self::NewPath => word("^[/$]"),
            Self::Regex => json!({"type": ["string", "number", "boolean"], "format": "regex"}),
            Self::Host => text(r"^[^\s/]+$"),
            Self::HostPattern => text(r"^((\*\.)?[0-9A-Za-z_-]+(\.[0-9A-Za-z_-]+)*|\[[^/*]*\])\.?$"),
            Self::Method => json!({"type": ["string", "number"], "pattern": r"^[!#$%&'*+.^_`|~0-9A-Z-]+$"}),
            Self::HeaderName => text(TOKEN),
            Self::File => text("."),
            Self::Address => word(r"^([0-9]{1,3}(\.[0-9]{1,3}){3}|\[[0-9a-fA-F:.]+\]):[0-9]{1,5}$"),
            Self::Network => word(r"^([0-9]{1,3}(\.[0-9]{1,3}){3}|[0-9a-fA-F]*:[0-9a-fA-F:.]*)(/[0-9]{1,3})?$"),
            Self::Target => word(r"^([0-9A-Za-z._-]+|\[[0-9a-fA-F:.]+\]):[1-9][0-9]{0,4}$"),
            Self::Upstream => text(r"^[^:/]+$"),
            Self::Limit => text("^[^/]+$"),
            Self::Auth => word("^(?!(none|off|no|false|on|yes|true)$)[A-Za-z_][0-9A-Za-z_.-]*$"),
            Self::Scope => text(r"^[!#-\[\]-~]+$"),
            Self::Secret => word(r"^file:.|\$\{env:"),
            Self::Url => word(r"^https?://[^\s/@][^\s@]*$"),
            Self::Uri => word(r#"^[!#-\[\]-~]*:[!#-\[\]-~]*$"#),
            Self::Rate => word(
                "^[1-9][0-9]{0,9} */ *([1-9][0-9]*)?(ms|s|sec|second|m|min|minute|h|hour|d|day)( burst [1-9][0-9]{0,9})?$",
            ),
            Self::LimitKey => {
                word(r"^(principal_or_ip|principal|client_ip|route|all|header:[!#$%&'*+.^_`|~0-9A-Za-z-]+)$")
            }
            Self::Duration => word(r"^(?=.*[1-9])([0-9]+(\.[0-9]+)?(ms|s|m|h|d))+$"),
            Self::Size => word(&format!("{NUMBER}(B|KiB|MiB|GiB|KB|kB|MB|GB)$")),
            Self::Share => word(r"^0*(100(\.0*)?|[0-9]{1,2}(\.[0-9]*)?|\.[0-9]+)\s*%$"),
            Self::Number(least, most) => json!({"type": "integer", "minimum": least, "maximum": most}),
            Self::Flag => json!({"enum": [true, false, "on", "off", "yes", "no"]}),
            Self::On => json!({"enum": [true, "on", "yes"]}),
            Self::Off => json!({"enum": [false, "off", "no"]}),
            Self::Word(words) => {
                let value =
                    |word: &&str| word.parse::<i64>().map_or_else(|_| json!(word), |number| json!(number));
                json!({"enum": words.iter().map(value).collect::<Vec<_>>()})
            }
            Self::Map(section) => json!({"$ref": format!("#/$defs/{}", section.name)}),
            Self::List(item) => json!({"anyOf": [item.schema(), Self::Items(item).schema()]}),
            Self::Items(item) => json!({"type": "array", "items": item.schema(), "minItems": 1}),
            Self::Named(name, value) => json!({
                "type": "object",
                "propertyNames": {"pattern": name.schema()["pattern"].as_str().unwrap_or(".")},
                "additionalProperties": value.schema(),
            }),
            Self::Any(shapes) => {
                json!({"anyOf": shapes.iter().map(|shape| shape.schema()).collect::<Vec<_>>()})
            }
        }
    }
}
