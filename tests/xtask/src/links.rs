//! Links in Markdown: what they point to inside the tree must be there, heading included.

use std::{collections::HashMap, fs, path::Path};

use crate::{Context, command::Result, step::Outcome};

pub(crate) fn check(context: &Context) -> Result<Outcome> {
    let mut pages = HashMap::new();
    for file in context.files()?.into_iter().filter(|file| file.ends_with(".md")) {
        let text = fs::read_to_string(context.root.join(&file)).map_err(|error| format!("{file}: {error}"))?;
        pages.insert(file, text);
    }
    let mut problems: Vec<_> =
        pages.iter().flat_map(|(file, text)| broken(context, &pages, file, text)).collect();
    problems.sort();
    if problems.is_empty() { Ok(Outcome::Passed) } else { Err(problems.join("\n")) }
}

fn broken(context: &Context, pages: &HashMap<String, String>, file: &str, text: &str) -> Vec<String> {
    let folder = Path::new(file).parent().unwrap_or(Path::new(""));
    let mut problems = Vec::new();
    for link in links(text) {
        if link.contains("://") || link.starts_with("mailto:") {
            continue;
        }
        let (path, heading) =
            link.split_once('#').map_or((link, None), |(path, heading)| (path, Some(heading)));
        let target = if path.is_empty() { file.to_owned() } else { resolve(folder, path) };
        if !context.root.join(&target).exists() {
            problems.push(format!("{file}: {link} leads nowhere"));
        } else if let (Some(heading), Some(page)) = (heading, pages.get(&target))
            && !headings(page).any(|found| found == heading)
        {
            problems.push(format!("{file}: {link} names no heading of {target}"));
        }
    }
    problems
}

/// The targets of `[text](target)` and `[name]: target`, outside code.
fn links(text: &str) -> Vec<&str> {
    let mut links = Vec::new();
    for line in prose(text) {
        if let Some((_, target)) = line.strip_prefix('[').and_then(|rest| rest.split_once("]: ")) {
            links.push(target.trim());
        }
        // Every second piece between backquotes is code.
        for piece in line.split('`').step_by(2) {
            let targets = piece.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
            links.extend(targets);
        }
    }
    // `[`code`](target)` is cut in two by its backquotes, and its second half begins with the target.
    links.retain(|link| !link.is_empty());
    links
}

/// The lines outside fenced code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

/// The anchors of a page's headings, as they are commonly made: lower case, spaces as dashes, no punctuation.
fn headings(page: &str) -> impl Iterator<Item = String> {
    prose(page).filter(|line| line.starts_with('#')).map(|line| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    })
}

fn resolve(folder: &Path, link: &str) -> String {
    let mut path: Vec<_> = folder.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(path.pop()),
            part => path.push(part.to_owned()),
        }
    }
    path.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_outside_code_only() {
        let text = "See [a](a.md), [`b`](../b.md#x) and `[c](c.md)`.\n```\n[d](d.md)\n```\n[e]: e.md\n";
        assert_eq!(links(text), ["a.md", "../b.md#x", "e.md"]);
    }

    #[test]
    fn headings_become_anchors() {
        let page = "# One: two\n```\n# no heading\n```\n## `x-request-id` & more\n";
        assert_eq!(headings(page).collect::<Vec<_>>(), ["one-two", "x-request-id--more"]);
    }

    #[test]
    fn links_are_relative_to_their_page() {
        assert_eq!(resolve(Path::new("docs/guide"), "../design/0001.md"), "docs/design/0001.md");
        assert_eq!(resolve(Path::new(""), "./docs/"), "docs");
    }
}
