//! The types of other crates in the public signatures of one crate.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde_json::{Map, Value};

use crate::command::Result;

/// A type or trait of another crate in a public signature.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Leak {
    /// The other crate.
    pub(crate) foreign: String,
    path: String,
    /// The item whose signature it is.
    item: String,
    /// The file and line of the item.
    place: String,
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, item, place, .. } = self;
        write!(f, "{place}: the public signature of `{item}` names `{path}`, a type of another crate")
    }
}

pub(crate) struct Found {
    /// How many public items the crate has, its `impl` blocks included.
    pub(crate) items: usize,
    pub(crate) leaks: Vec<Leak>,
}

/// Looks at every item that rustdoc reached from the crate's root.
pub(crate) fn leaks(json: &Value) -> Result<Found> {
    let crates = names_of_crates(json)?;
    let mut open = vec![(key(&json["root"]).ok_or("rustdoc's JSON has no root")?, String::new())];
    let (mut seen, mut found) = (BTreeSet::new(), BTreeMap::new());
    while let Some((id, parent)) = open.pop() {
        // The index leaves out what belongs to other crates.
        let Some(item) = json["index"].get(&id).filter(|item| item["crate_id"] == 0) else { continue };
        if !seen.insert(id) {
            continue;
        }
        let Some((kind, inner)) = item["inner"].as_object().and_then(|inner| inner.iter().next()) else {
            return Err(format!("an item of an unknown form: {item}"));
        };
        if kind == "impl" && (inner["is_synthetic"] == true || !inner["blanket_impl"].is_null()) {
            continue;
        }
        let name = match item["name"].as_str().or(inner["name"].as_str()) {
            Some(name) if parent.is_empty() => name.to_owned(),
            Some(name) => format!("{parent}::{name}"),
            None => parent.clone(),
        };
        let mut references = Vec::new();
        if kind == "use" {
            references.extend(key(&inner["id"]));
        }
        references_in(inner, &mut references);
        for reference in references {
            let Some(path) = json["paths"].get(&reference) else { continue };
            let Some(foreign) = path["crate_id"].as_u64().and_then(|number| crates.get(&number)) else {
                continue;
            };
            if !super::is_allowed(foreign) {
                let segments: Vec<_> = list(&path["path"]).filter_map(Value::as_str).collect();
                let path = segments.join("::");
                let place = place(item);
                let leak = Leak {
                    foreign: (*foreign).to_owned(),
                    path: path.clone(),
                    item: name.clone(),
                    place: place.clone(),
                };
                found.insert((place, name.clone(), path), leak);
            }
        }
        // What a `use` leads to brings its own name.
        let inside = if kind == "use" { parent } else { name };
        open.extend(children(inner).into_iter().map(|child| (child, inside.clone())));
    }
    Ok(Found { items: seen.len(), leaks: found.into_values().collect() })
}

/// The other crates, by the number that rustdoc gives each.
fn names_of_crates(json: &Value) -> Result<BTreeMap<u64, &str>> {
    let crates = json["external_crates"].as_object().ok_or("rustdoc's JSON names no crates")?;
    Ok(crates.iter().filter_map(|(number, of)| Some((number.parse().ok()?, of["name"].as_str()?))).collect())
}

/// The types and traits that a signature names. Each has an id, beside the path by which the source names it.
fn references_in(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            if fields.get("path").is_some_and(Value::is_string) {
                found.extend(fields.get("id").and_then(key));
            }
            fields.values().for_each(|value| references_in(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| references_in(value, found)),
        _ => {}
    }
}

/// The items inside an item: the fields of a structure, the functions of an `impl`, what a `use` leads to.
fn children(inner: &Value) -> Vec<String> {
    let Some(fields) = inner.as_object() else { return Vec::new() };
    let kind = fields.get("kind");
    let in_kind = |name: &str| kind.map_or(&Value::Null, |kind| &kind[name]);
    let lists =
        ["items", "impls", "implementations", "variants"].map(|name| fields.get(name).unwrap_or(&Value::Null));
    let fields_of = [
        in_kind("tuple"),
        &in_kind("plain")["fields"],
        &in_kind("struct")["fields"],
        fields.get("fields").unwrap_or(&Value::Null),
    ];
    let mut children: Vec<_> = lists.into_iter().chain(fields_of).flat_map(list).filter_map(key).collect();
    if is_use(fields) {
        children.extend(fields.get("id").and_then(key));
    }
    children
}

fn is_use(fields: &Map<String, Value>) -> bool {
    fields.contains_key("source") && fields.contains_key("is_glob")
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// An id, as the index is keyed.
fn key(id: &Value) -> Option<String> {
    id.as_u64().map(|id| id.to_string())
}

fn place(item: &Value) -> String {
    let span = &item["span"];
    match (span["filename"].as_str(), span["begin"][0].as_u64()) {
        (Some(file), Some(line)) => format!("{file}:{line}"),
        _ => "somewhere".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A crate with one public structure, whose one field is a list of values of this type.
    fn crate_with_field(of: &Value) -> Value {
        let list = json!({"path": "Vec", "id": 11, "args": {"angle_bracketed": {"args": [{"type": of}]}}});
        let item = |name: &str, line: u64, inner: Value| json!({"crate_id": 0, "name": name, "span": {"filename": "a.rs", "begin": [line, 1]}, "inner": inner});
        json!({
            "root": 0,
            "index": {
                "0": item("ours", 1, json!({"module": {"items": [1]}})),
                "1": item("Held", 2, json!({"struct": {"kind": {"plain": {"fields": [2]}}, "impls": [3]}})),
                "2": item("all", 3, json!({"struct_field": {"resolved_path": list}})),
                // What every type has from a blanket impl of another crate is not ours to answer for.
                "3": item("", 2, json!({"impl": {
                    "is_synthetic": false,
                    "blanket_impl": {"generic": "T"},
                    "trait": {"path": "Instrument", "id": 10},
                    "items": [],
                }})),
            },
            "paths": {
                "10": {"crate_id": 2, "path": ["hyper", "body", "Incoming"]},
                "11": {"crate_id": 1, "path": ["alloc", "vec", "Vec"]},
            },
            "external_crates": {"1": {"name": "alloc"}, "2": {"name": "hyper"}},
        })
    }

    #[test]
    fn a_type_of_another_crate_is_found_deep_in_a_signature() {
        let json = crate_with_field(&json!({"resolved_path": {"path": "Incoming", "id": 10}}));
        let found = leaks(&json).expect("rustdoc's form");
        let shown: Vec<_> = found.leaks.iter().map(Leak::to_string).collect();
        assert_eq!(
            shown,
            [
                "a.rs:3: the public signature of `ours::Held::all` names `hyper::body::Incoming`, a type of another crate"
            ]
        );
        assert_eq!(found.items, 4);
    }

    #[test]
    fn types_of_the_standard_library_are_no_leak() {
        let json = crate_with_field(&json!({"primitive": "u8"}));
        assert_eq!(leaks(&json).expect("rustdoc's form").leaks, []);
    }

    #[test]
    fn what_is_not_rustdocs_form_is_an_error() {
        assert!(leaks(&json!({})).is_err());
    }
}
