//! The table once, for scripts and for terminals that cannot be drawn on.

use super::state::State;
use crate::say;

pub(super) fn print(state: &State) {
    for line in state.lines() {
        say::print(line);
    }
    let mut rows = vec![state.heads()];
    rows.extend(state.rows());
    let widths: [usize; 8] = std::array::from_fn(|column| {
        rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
    });
    say::print("");
    for row in rows {
        let cells = row.iter().zip(widths).enumerate().map(|(column, (cell, width))| match column {
            0 | 7 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        say::print(cells.collect::<Vec<_>>().join("  ").trim_end());
    }
}
