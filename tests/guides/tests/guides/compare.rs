//! Whether what was printed is what is shown.

use std::sync::LazyLock;

use regex::{Captures, Regex};

/// What differs from run to run, and what stands for it.
static FORMS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    [
        (r"gw_[0-9A-Za-z]{43}", "<key>"),
        (r"\b(?:[0-9a-f]{16}|[0-9a-f]{32}|[0-9a-f]{64})\b", "<hex>"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z", "<time>"),
        (r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT", "<date>"),
        (r#"("[a-z]+_ms": ?)\d+(?:\.\d+)?"#, "$1<ms>"),
    ]
    .map(|(pattern, form)| (Regex::new(pattern).unwrap(), form))
    .into()
});

/// The text with a word in the place of all that has a known form.
fn forms(text: &str) -> String {
    FORMS.iter().fold(text.to_owned(), |text, (pattern, form)| pattern.replace_all(&text, *form).into_owned())
}

/// Whether the printed lines are the shown ones.
pub(crate) fn is_shown(printed: &str, shown: &[String]) -> bool {
    let printed = forms(printed);
    let lines: Vec<&str> = printed.lines().map(str::trim_end).collect();
    let mut shown: Vec<String> = shown.iter().map(|line| forms(line.trim_end())).collect();
    while shown.last().is_some_and(String::is_empty) {
        shown.pop();
    }
    let end = lines.iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1);
    are_lines(&lines[..end], &shown)
}

/// Whether the printed lines begin with the shown ones.
pub(crate) fn begins_with(printed: &str, shown: &[String]) -> bool {
    let mut shown = shown.to_vec();
    shown.push("…".to_owned());
    is_shown(printed, &shown)
}

fn are_lines(printed: &[&str], shown: &[String]) -> bool {
    match shown.split_first() {
        None => printed.is_empty(),
        Some((line, rest)) if line == "…" => {
            (0..=printed.len()).any(|from| are_lines(&printed[from..], rest))
        }
        Some((line, rest)) => {
            printed.split_first().is_some_and(|(first, others)| is_line(first, line) && are_lines(others, rest))
        }
    }
}

fn is_line(printed: &str, shown: &str) -> bool {
    let pattern: Vec<String> = shown.split('…').map(regex::escape).collect();
    Regex::new(&format!("^{}$", pattern.join(".+"))).unwrap().is_match(printed)
}

/// The text with each port replaced.
pub(crate) fn with_ports(text: &str, replace: impl Fn(u16) -> Option<u16>) -> String {
    static PORT: LazyLock<Regex> = LazyLock::new(|| Regex::new(r":(\d{2,5})\b").unwrap());
    let port = |found: &Captures<'_>| match found[1].parse().ok().and_then(&replace) {
        Some(port) => format!(":{port}"),
        None => found[0].to_owned(),
    };
    PORT.replace_all(text, port).into_owned()
}

#[test]
fn what_is_shown_is_all_that_is_printed_save_for_what_is_left_out() {
    let shown = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    for (printed, as_shown, expected) in [
        ("a\nb\n", "a\nb\n", true),
        ("a\r\nb\r\n\r\n", "a\nb", true),
        ("a\nb\n", "a", false),
        ("a\n", "a\nb", false),
        ("a\nb\nc\n", "a\n…\nc", true),
        ("a\nc\n", "a\n…\nc", true),
        ("a\nb\n", "…\na", false),
        ("host: 1.2\n", "host: …", true),
        ("host: 1x2\n", "host: 1.2", false),
        (
            "x-request-id: 0bfb1c0e8e0b4a399c1e0d7c7a0e6b11",
            "x-request-id: 4bf92f3577b34da6a3ce929d0e0e4736",
            true,
        ),
        ("x-request-id: abc", "x-request-id: 4bf92f3577b34da6a3ce929d0e0e4736", false),
        ("\"duration_ms\":3.141", "\"duration_ms\":0.7", true),
        ("\"bytes_out\":3", "\"bytes_out\":4", false),
    ] {
        assert_eq!(is_shown(printed, &shown(as_shown)), expected, "{printed:?} {as_shown:?}");
    }
    assert!(begins_with("a\nb\n", &shown("a")) && !begins_with("b\na\n", &shown("a")));
}
