use serde_json::{Value, json};

use super::{Diagnostic, Diagnostics, Place};

pub(super) fn document(diagnostics: &Diagnostics) -> Value {
    let file = diagnostics.file().display().to_string();
    let errors = diagnostics.errors();
    json!({
        "file": file,
        "errors": errors,
        "warnings": diagnostics.len() - errors,
        "diagnostics": diagnostics.iter().map(|diagnostic| one(&file, diagnostic)).collect::<Vec<_>>(),
    })
}

fn one(file: &str, diagnostic: &Diagnostic) -> Value {
    let related: Vec<_> = diagnostic
        .related_places()
        .map(|(place, note)| placed(json!({"message": note, "file": file}), Some(place)))
        .collect();
    let mut value = json!({
        "severity": diagnostic.severity().to_string(),
        "message": diagnostic.message(),
        "file": file,
        "related": related,
    });
    if let Some(help) = diagnostic.hint() {
        value["help"] = json!(help);
    }
    placed(value, diagnostic.place())
}

fn placed(mut value: Value, place: Option<Place>) -> Value {
    if let Some(place) = place {
        value["line"] = json!(place.line());
        value["column"] = json!(place.column());
        value["end"] = json!({"line": place.end_line(), "column": place.end_column()});
    }
    value
}
