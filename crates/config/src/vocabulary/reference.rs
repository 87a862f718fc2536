//! The tables as a page for people.

use std::fmt::Write;

use super::{Key, Section, Shape, prose, shape::heading};
use crate::settings::GATEWAY;

/// What stands before the tables.
const OPENING: &str = include_str!("opening.md");

/// The reference of the file, in Markdown: `docs/reference/config.md`.
pub fn reference() -> String {
    let mut page = OPENING.trim_end().to_owned();
    for section in sections() {
        page.push_str("\n\n");
        page.push_str(&describe(section));
    }
    page.push_str("\n\n## Not yet\n\nThese keys are planned. A file that holds one of them is refused: nothing that is written is ignored.\n\n");
    for section in sections().iter().filter(|section| !section.later.is_empty()) {
        let later: Vec<_> = section.later.iter().map(|key| format!("`{key}`")).collect();
        let _ = writeln!(page, "- in {}: {}", section.title, later.join(", "));
    }
    page
}

/// Every section, each followed by those that it holds.
pub(crate) fn sections() -> Vec<&'static Section> {
    fn add(section: &'static Section, sections: &mut Vec<&'static Section>) {
        if sections.iter().all(|known| known.name != section.name) {
            sections.push(section);
            for inner in section.keys().flat_map(|key| key.shape.sections()) {
                add(inner, sections);
            }
        }
    }
    let mut sections = Vec::new();
    add(GATEWAY, &mut sections);
    sections
}

fn describe(section: &Section) -> String {
    let mut text = format!("## {}\n\n{}\n", heading(section), prose(section.about));
    let rules: Vec<_> = section.rules.iter().filter_map(|rule| rule.relation.describe()).collect();
    if !rules.is_empty() {
        let _ = write!(text, "\n{}\n", rules.join(" "));
    }
    // A column that would be empty is left out.
    let has_absent = section.keys().any(|key| key.absent.is_some());
    let (title, line) = if has_absent { (" when left out |", " --- |") } else { ("", "") };
    let _ = write!(text, "\n| key | value | meaning |{title}\n| --- | --- | --- |{line}\n");
    for key in section.keys() {
        let left_out = match (has_absent, key.absent_in(section), section.requires(key)) {
            (false, ..) => String::new(),
            (true, Some(absent), _) => format!(" {} |", cell(&absent)),
            (true, None, true) => " it is required |".to_owned(),
            (true, None, false) => " |".to_owned(),
        };
        let (value, meaning) = (cell(&value(key)), cell(&prose(key.about)));
        let _ = writeln!(text, "| `{}` | {value} | {meaning} |{left_out}", key.name);
    }
    text.trim_end().to_owned()
}

/// What the value is, with an example where that does not say it all.
fn value(key: &Key) -> String {
    let shape = key.shape.describe();
    match key.shape {
        Shape::Flag | Shape::Word(_) => shape,
        _ => format!("{shape}: `{}`", key.example),
    }
}

/// A text in a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
