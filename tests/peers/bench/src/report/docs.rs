//! The tables within a page of the documentation.
//!
//! The page holds `<!-- peers: NAME -->` and, further down, `<!-- end -->`; what stands between is ours. NAME is a
//! scenario, or `setting`, `goals` or `noise`. What was not measured stays as it is.

use std::{fmt::Write, fs, path::Path};

use super::{Report, markdown, pictures, write};
use crate::Result;

const END: &str = "<!-- end -->";

/// Replaces the tables of a page by those of this report, and draws its pictures.
pub(crate) fn update(report: &Report, page: &Path) -> Result<()> {
    let mut text = fs::read_to_string(page).map_err(|error| format!("{}: {error}", page.display()))?;
    let folder = page.with_extension("");
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    for chapter in &report.chapters {
        let mut content = format!("{}\n", markdown::section(&chapter.section).trim_end());
        for table in &chapter.section.tables {
            for (index, picture) in pictures(table) {
                let column = table.columns[index].title;
                let _ = write!(content, "\n![{}: {column}]({name}/{})\n", table.title, picture.display());
            }
        }
        text = replaced(&text, chapter.name, &content)
            .ok_or_else(|| format!("{}: no place for {}", page.display(), chapter.name))?;
    }
    let others = [
        ("setting", markdown::setting(report) + "\n"),
        ("goals", markdown::goals(report)),
        ("noise", markdown::noise(report)),
    ];
    for (name, content) in others {
        text = replaced(&text, name, &content)
            .ok_or_else(|| format!("{}: no place for {name}", page.display()))?;
    }
    report.draw(&folder)?;
    write(page, &text)
}

/// The page with another content at one place.
fn replaced(page: &str, name: &str, content: &str) -> Option<String> {
    let begin = format!("<!-- peers: {name} -->\n");
    let start = page.find(&begin)? + begin.len();
    let end = start + page[start..].find(END)?;
    Some(format!("{}\n{content}\n{}", &page[..start], &page[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_between_the_marks_is_replaced() {
        let page = "a\n<!-- peers: bare -->\nold\n<!-- end -->\nb\n<!-- peers: tls -->\n<!-- end -->\n";
        let expected = "a\n<!-- peers: bare -->\n\nnew\n\n<!-- end -->\nb\n<!-- peers: tls -->\n<!-- end -->\n";
        assert_eq!(replaced(page, "bare", "new\n").as_deref(), Some(expected));
        assert_eq!(replaced(page, "idle", "new\n"), None);
    }
}
