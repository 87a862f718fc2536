//! Paths as nginx writes them at a `location`.

use crate::syntax::shorten;

/// How a path that does not begin with a slash is written here, where it is one of nginx or begins as a regular expression does.
pub(super) fn meant(path: &str) -> Option<String> {
    let (sign, rest) = match path.split_once(' ') {
        Some((sign @ ("~" | "~*" | "=" | "^~"), rest)) => (sign, rest.trim_start()),
        _ => ("~", path.strip_prefix('~').unwrap_or(path)),
    };
    match sign {
        "=" => Some(format!("write `path: {}`: one path is taken as it stands", shorten(rest))),
        "^~" => {
            Some(format!("write `path_prefix: {}`: a prefix goes before regular expressions", shorten(rest)))
        }
        _ if sign == "~*" || path.starts_with(['~', '^']) => {
            let regex = shorten(&whole(rest, sign == "~*")).replace('\'', "''");
            Some(format!("a regular expression goes into `path_regex`, and is for the whole path: `'{regex}'`"))
        }
        _ => None,
    }
}

/// A regular expression that is found anywhere, as one for the whole.
fn whole(regex: &str, folds_case: bool) -> String {
    let start = if folds_case { "(?i)" } else { "" };
    let (before, regex) = regex.strip_prefix('^').map_or((".*", regex), |regex| ("", regex));
    let anchored = regex.strip_suffix('$').filter(|before| {
        let backslashes = before.len() - before.trim_end_matches('\\').len();
        backslashes.is_multiple_of(2)
    });
    let (regex, after) = anchored.map_or((regex, ".*"), |regex| (regex, ""));
    // Alternatives are of the whole only within a group.
    let (open, close) = if has_alternatives(regex) { ("(?:", ")") } else { ("", "") };
    format!("{start}{before}{open}{regex}{close}{after}")
}

/// Whether it has alternatives outside of groups.
fn has_alternatives(regex: &str) -> bool {
    let mut depth = 0;
    let mut letters = regex.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => drop(letters.next()),
            '(' => depth += 1,
            ')' => depth -= 1,
            '|' if depth == 0 => return true,
            _ => {}
        }
    }
    false
}
