//! Values of headers that hold what a path captures.

use gatewright_core::pattern::PathPattern;

use super::PathMatch;
use crate::{
    diagnostics::Diagnostic,
    read::Reader,
    syntax::{Kind, Node},
};

/// Warns of headers of a `rewrite` whose values hold the name of a capture, since nothing fills it in there.
pub(super) fn warn(rewrite: &Node, path: &PathMatch, reader: &mut Reader<'_>) {
    let captures = written(path);
    let edits = ["request_headers", "response_headers"].iter().filter_map(|side| rewrite.value(side));
    let lines = edits.flat_map(|edit| ["set", "add"].map(|key| edit.value(key))).flatten();
    for entry in lines.flat_map(|lines| lines.entries()) {
        let Kind::Scalar(text) = &entry.value.kind else { continue };
        let Some(capture) = captures.iter().find(|capture| holds(text, capture)) else { continue };
        let place = Some(reader.place(entry.value.span));
        let message = format!("`{capture}` in the value of a header stands for itself");
        reader.report(Diagnostic::warning(place, message)).help(
            "values of headers are fixed texts; what the path captures fills the `path` of a `rewrite` alone",
        );
    }
}

/// Whether a text has this name of a capture. `$10` is not the first one.
fn holds(text: &str, capture: &str) -> bool {
    let ends = text.match_indices(capture).map(|(at, _)| &text[at + capture.len()..]);
    let is_whole =
        |after: &str| capture.ends_with('}') || !after.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    ends.into_iter().any(is_whole)
}

/// What a path captures, as a new path writes it.
fn written(path: &PathMatch) -> Vec<String> {
    match path {
        PathMatch::Exact(pattern) | PathMatch::Prefix(pattern) => match PathPattern::parse(pattern) {
            Ok(pattern) => pattern.names().map(|name| format!("{{{name}}}")).collect(),
            Err(_) => Vec::new(),
        },
        PathMatch::Regex(regex) => {
            let groups = regex::bytes::Regex::new(regex).map_or(0, |regex| regex.captures_len());
            (1..groups).map(|group| format!("${group}")).collect()
        }
    }
}
