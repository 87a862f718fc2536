//! Tables in Markdown, with their columns aligned.

use std::fmt::Write;

use super::Report;
use crate::{
    statistics::Summary,
    table::{Goal, Limit, Section, Table},
};

/// The whole report.
pub(super) fn whole(report: &Report) -> String {
    let mut text = format!("{}\n", setting(report));
    for chapter in &report.chapters {
        let _ = writeln!(
            text,
            "\n## {}: {}\n\n{}\n({:.0} s)",
            chapter.name,
            chapter.about,
            section(&chapter.section),
            chapter.took.as_secs_f64()
        );
    }
    let _ = write!(text, "\n## Goals\n\n{}\n## Noise\n\n{}", goals(report), noise(report));
    text
}

/// Where and with what it was measured.
pub(super) fn setting(report: &Report) -> String {
    let pairs = |pairs: &[(String, String)], between: &str| {
        pairs.iter().map(|(name, value)| format!("{name}{between}{value}")).collect::<Vec<_>>().join(", ")
    };
    format!(
        "{}. {}. Medians of {} rounds of {} s, with the range in parentheses.",
        pairs(&report.machine, ": "),
        pairs(&report.versions, " "),
        report.rounds,
        report.seconds
    )
}

/// A scenario's tables and notes.
pub(crate) fn section(section: &Section) -> String {
    let mut text = String::new();
    for shown in &section.tables {
        let _ = writeln!(text, "{}", table(shown));
    }
    for note in &section.notes {
        let _ = writeln!(text, "- {note}");
    }
    text
}

fn table(table: &Table) -> String {
    let mut rows = vec![vec![table.title.clone()]];
    rows[0].extend(table.columns.iter().map(|column| column.title.to_owned()));
    rows[0].push("failed".to_owned());
    for row in &table.rows {
        let mut cells = vec![row.label.clone()];
        for (cell, column) in row.cells.iter().zip(&table.columns) {
            cells.push(cell.map_or_else(|| "-".to_owned(), |summary| show(summary, column.digits)));
        }
        cells.push(row.failed.map_or_else(|| "-".to_owned(), |failed| failed.to_string()));
        rows.push(cells);
    }
    aligned(&rows)
}

/// What was promised, and what came of it.
pub(super) fn goals(report: &Report) -> String {
    let mut rows = vec![["goal", "limit", "measured", ""].map(str::to_owned).to_vec()];
    for goal in report.chapters.iter().flat_map(|chapter| &chapter.section.goals) {
        let measured = goal.measured.map_or_else(|| "-".to_owned(), |summary| show(summary, 2));
        rows.push(vec![goal.what.clone(), goal.limit.show(), measured, verdict(goal).to_owned()]);
    }
    aligned(&rows)
}

/// A median that keeps to the limit while the range does not is too close to call, and so is the reverse.
fn verdict(goal: &Goal) -> &'static str {
    let (Some(summary), Some(met)) = (goal.measured, goal.met()) else { return "not measured" };
    let within = match goal.limit {
        Limit::AtMost(limit) => summary.low <= limit && limit < summary.high,
        Limit::AtLeast(limit) => summary.low < limit && limit <= summary.high,
    };
    match (met, within) {
        (true, false) => "met",
        (true, true) => "met, within the noise",
        (false, true) => "missed, within the noise",
        (false, false) => "missed",
    }
}

/// How steady the machine was.
pub(super) fn noise(report: &Report) -> String {
    let mut rows = vec![["fixed load", "ms", "spread"].map(str::to_owned).to_vec()];
    for (load, summary) in &report.noise {
        let spread = format!("{:.0} %", summary.spread() * 100.0);
        rows.push(vec![load.clone(), show(*summary, 1), spread]);
    }
    aligned(&rows)
}

fn show(summary: Summary, digits: usize) -> String {
    let Summary { median, low, high } = summary;
    if low == high {
        format!("{median:.digits$}")
    } else {
        format!("{median:.digits$} ({low:.digits$} to {high:.digits$})")
    }
}

/// The first row is the heading.
fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width =
        |index: usize| rows.iter().filter_map(|row| row.get(index)).map(|cell| cell.chars().count()).max();
    let widths: Vec<_> = (0..columns).map(|index| width(index).unwrap_or_default().max(3)).collect();
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(text, "| {cell:width$} ");
        }
        text.push_str("|\n");
        if number == 0 {
            widths.iter().for_each(|width| {
                let _ = write!(text, "| {} ", "-".repeat(*width));
            });
            text.push_str("|\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_around_the_limit_is_said_to_be_noise() {
        let goal = |median: f64, low: f64, high: f64| Goal {
            what: String::new(),
            limit: Limit::AtMost(1.0),
            measured: Some(Summary { median, low, high }),
        };
        assert_eq!(verdict(&goal(0.8, 0.7, 0.9)), "met");
        assert_eq!(verdict(&goal(0.9, 0.7, 1.1)), "met, within the noise");
        assert_eq!(verdict(&goal(1.1, 0.9, 1.2)), "missed, within the noise");
        assert_eq!(verdict(&goal(1.2, 1.1, 1.3)), "missed");
    }

    #[test]
    fn columns_are_aligned() {
        let rows = [["a", "µs"], ["long", "1"]].map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(aligned(&rows), "| a    | µs  |\n| ---- | --- |\n| long | 1   |\n");
    }
}
