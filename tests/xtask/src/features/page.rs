//! The guide that lists all features.

pub(crate) const GUIDE: &str = "docs/guide/features.md";

/// The crate whose features have a table of their own.
pub(crate) const FACADE: &str = "gatewright";

/// A row of one of its tables.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) package: String,
    /// What is taken together; nothing in the row `none`.
    pub(crate) features: Vec<String>,
    pub(crate) crates: usize,
    /// The whole line.
    #[cfg(test)]
    pub(crate) text: String,
}

/// The rows of the guide: those of the facade begin with its features, the others with the crate.
pub(crate) fn rows(page: &str) -> Vec<Row> {
    let row = |line: &str| {
        let cells: Vec<_> =
            line.strip_prefix("| ")?.trim_end_matches('|').split(" | ").map(str::trim).collect();
        let is_of_crate = cells[0].starts_with("`gatewright-");
        let (package, features, crates) = match is_of_crate {
            true => (code(cells[0]).pop()?, code(cells.get(1)?), cells.get(3)?),
            false => (FACADE.to_owned(), code(cells[0]), cells.get(2)?),
        };
        // Titles and rulers have no number.
        Some(Row {
            package,
            features,
            crates: crates.parse().ok()?,
            #[cfg(test)]
            text: line.to_owned(),
        })
    };
    page.lines().filter_map(row).collect()
}

/// The words between backquotes.
fn code(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_those_with_a_number_of_crates() {
        let page = "| feature | brings | crates | by |\n| --- | --- | --- | --- |\n| `a`, `b` | x | 7 | |\n\
                    | none | y | 3 | |\n| crate | feature | brings | crates |\n| `gatewright-c` | `d` (default) | z | 5 |\n";
        let found: Vec<_> =
            rows(page).into_iter().map(|row| (row.package, row.features.join(","), row.crates)).collect();
        let row = |package: &str, features: &str, crates| (package.to_owned(), features.to_owned(), crates);
        let expected = [row(FACADE, "a,b", 7), row(FACADE, "", 3), row("gatewright-c", "d", 5)];
        assert_eq!(found, expected);
    }
}
