//! The status page: files of its own, which load nothing from elsewhere.

use axum::{extract::Path, response::Response};

use crate::{answer, router};

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Each file by its name. The links between them are relative, so that the page may be mounted anywhere.
const FILES: [(&str, &str, &str); 10] = [
    ("index.html", HTML, include_str!("index.html")),
    ("style.css", CSS, include_str!("style.css")),
    ("app.js", SCRIPT, include_str!("app.js")),
    ("charts.js", SCRIPT, include_str!("charts.js")),
    ("heat.js", SCRIPT, include_str!("heat.js")),
    ("tables.js", SCRIPT, include_str!("tables.js")),
    ("requests.js", SCRIPT, include_str!("requests.js")),
    ("reloads.js", SCRIPT, include_str!("reloads.js")),
    ("dom.js", SCRIPT, include_str!("dom.js")),
    ("icon.svg", "image/svg+xml", include_str!("icon.svg")),
];

pub(crate) async fn index() -> Response {
    let (_, content_type, text) = FILES[0];
    answer::text(content_type, text)
}

pub(crate) async fn file(Path(name): Path<String>) -> Response {
    match FILES.iter().find(|(file, ..)| *file == name) {
        Some((_, content_type, text)) => answer::text(content_type, *text),
        None => router::nothing().await,
    }
}
