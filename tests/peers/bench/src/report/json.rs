//! All figures, with every single measurement.

use serde_json::{Map, Value, json};

use super::{Chapter, Report};
use crate::{
    statistics::Summary,
    table::{Goal, Table},
};

pub(super) fn whole(report: &Report) -> Value {
    let map = |pairs: &[(String, String)]| {
        pairs.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect::<Map<_, _>>()
    };
    let noise = report.noise.iter().map(|(load, ms)| (load.clone(), summary(Some(*ms)))).collect::<Map<_, _>>();
    json!({
        "machine": map(&report.machine),
        "versions": map(&report.versions),
        "rounds": report.rounds,
        "seconds": report.seconds,
        "noise_ms": noise,
        "scenarios": report.chapters.iter().map(chapter).collect::<Vec<_>>(),
    })
}

fn chapter(chapter: &Chapter) -> Value {
    let section = &chapter.section;
    json!({
        "name": chapter.name,
        "about": chapter.about,
        "took_seconds": chapter.took.as_secs_f64(),
        "tables": section.tables.iter().map(table).collect::<Vec<_>>(),
        "goals": section.goals.iter().map(goal).collect::<Vec<_>>(),
        "notes": section.notes,
        "measurements": section.raw,
    })
}

fn table(table: &Table) -> Value {
    let rows = table.rows.iter().map(|row| {
        let cells = table.columns.iter().zip(&row.cells);
        let cells =
            cells.map(|(column, cell)| (column.title.to_owned(), summary(*cell))).collect::<Map<_, _>>();
        json!({ "label": row.label, "failed": row.failed, "figures": cells })
    });
    json!({ "name": table.name, "title": table.title, "rows": rows.collect::<Vec<_>>() })
}

fn goal(goal: &Goal) -> Value {
    json!({
        "what": goal.what,
        "limit": goal.limit.show(),
        "measured": summary(goal.measured),
        "met": goal.met(),
    })
}

fn summary(summary: Option<Summary>) -> Value {
    summary.map_or(
        Value::Null,
        |Summary { median, low, high }| json!({ "median": median, "low": low, "high": high }),
    )
}
