//! A picture of one column: a bar for each row's median, and a line for its range.

use std::fmt::Write;

use crate::table::Table;

const WIDTH: f64 = 760.0;
/// Of the labels on the left, and of the figures on the right.
const LABELS: f64 = 270.0;
const FIGURES: f64 = 90.0;
const TITLE: f64 = 40.0;
const ROW: f64 = 30.0;
const BAR: f64 = 18.0;

const OURS: &str = "#0b7285";
const OTHERS: &str = "#adb5bd";
const INK: &str = "#212529";

/// Draws a column as SVG.
pub(super) fn draw(table: &Table, column: usize) -> String {
    let bars: Vec<_> =
        table.rows.iter().filter_map(|row| Some((row, row.cells.get(column).copied().flatten()?))).collect();
    let highest = bars.iter().map(|(_, summary)| summary.high).fold(0.0, f64::max);
    let scale = if highest > 0.0 { (WIDTH - LABELS - FIGURES) / highest } else { 0.0 };
    let height = TITLE + ROW * bars.len() as f64 + 10.0;
    let heading = format!("{}: {}", table.title, table.columns[column].title);
    let digits = table.columns[column].digits;

    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
         height=\"{height}\" font-family=\"sans-serif\" font-size=\"14\" fill=\"{INK}\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"6\" fill=\"#ffffff\"/>\n\
         <text x=\"16\" y=\"26\" font-weight=\"bold\">{}</text>\n",
        escaped(&heading)
    );
    for (index, (row, summary)) in bars.iter().enumerate() {
        let top = TITLE + ROW * index as f64;
        let (bar, middle) = (top + (ROW - BAR) / 2.0, top + ROW / 2.0);
        let x = |value: f64| LABELS + value.max(0.0) * scale;
        let colour = if row.ours { OURS } else { OTHERS };
        let _ = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\n\
             <rect x=\"{LABELS}\" y=\"{bar:.1}\" width=\"{:.1}\" height=\"{BAR}\" fill=\"{colour}\"/>\n\
             <path d=\"M{:.1} {middle:.1}H{:.1}\" stroke=\"{INK}\" stroke-width=\"2\"/>\n\
             <text x=\"{:.1}\" y=\"{:.1}\">{:.digits$}</text>\n",
            LABELS - 8.0,
            middle + 5.0,
            escaped(&row.label),
            x(summary.median) - LABELS,
            x(summary.low),
            x(summary.high),
            x(summary.high) + 8.0,
            middle + 5.0,
            summary.median,
        );
    }
    svg.push_str("</svg>\n");
    svg
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
