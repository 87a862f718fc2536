//! Diagnostics as plain text.

use std::fmt::{self, Write};

use super::{Diagnostic, Place, Source, secrets};
use crate::syntax::printable;

/// The most characters of a line that are shown.
const WIDTH: usize = 120;

/// ```text
/// gateway.yaml:3:3: error: unknown key `path_prefx` in a route
///     - path_prefx: /v1/orders
///       ^^^^^^^^^^
///   help: did you mean `path_prefix`?
/// ```
///
/// What stands in the concealed places, and what looks like a secret, is shown as asterisks.
pub(super) fn render(
    f: &mut fmt::Formatter<'_>,
    source: &Source,
    diagnostic: &Diagnostic,
    concealed: &[Place],
) -> fmt::Result {
    let file = source.path().display();
    match diagnostic.place {
        Some(place) => write!(f, "{file}:{}:{}: ", place.line(), place.column())?,
        None => write!(f, "{file}: ")?,
    }
    writeln!(f, "{}: {}", diagnostic.severity, shown(&diagnostic.message))?;
    if let Some(place) = diagnostic.place {
        snippet(f, source, place, concealed)?;
    }
    for (place, note) in &diagnostic.related {
        writeln!(f, "  {file}:{}:{}: {}", place.line(), place.column(), shown(note))?;
        snippet(f, source, *place, concealed)?;
    }
    if let Some(help) = &diagnostic.help {
        writeln!(f, "  help: {}", shown(help))?;
    }
    Ok(())
}

/// A text that may quote the file.
fn shown(text: &str) -> String {
    text.chars().map(|character| if character == '\n' { character } else { printable(character) }).collect()
}

/// The line of a place, with carets below what is meant.
fn snippet(f: &mut fmt::Formatter<'_>, source: &Source, place: Place, concealed: &[Place]) -> fmt::Result {
    let whole = source.line(place.line());
    let line = whole.trim_start_matches('\u{feff}');
    let start = source.line_start(place.line()) + whole.len() - line.len();
    if line.trim().is_empty() {
        return Ok(());
    }
    let before = place.column() - 1;
    let length = line.chars().count();
    let meant = source.slice(super::Span::new(place.bytes().start, place.bytes().end));
    let meant = meant.lines().next().unwrap_or_default().chars().count();
    let meant = meant.clamp(1, length.saturating_sub(before).max(1));

    // A line that is too long is cut so that what is meant stays in sight.
    let skipped = if before + meant > WIDTH { before.saturating_sub(WIDTH / 4) } else { 0 };
    let shown = line.char_indices().skip(skipped).take(WIDTH);
    let secrets = secrets::of(line);
    f.write_str("    ")?;
    for (index, character) in shown {
        let is_concealed = concealed.iter().any(|place| place.bytes().contains(&(start + index)))
            || secrets.iter().any(|secret| secret.contains(&index));
        f.write_char(if is_concealed { '*' } else { printable(character) })?;
    }
    let before = before - skipped;
    let meant = meant.min(WIDTH.saturating_sub(before).max(1));
    writeln!(f, "\n    {}{}", " ".repeat(before), "^".repeat(meant))
}
