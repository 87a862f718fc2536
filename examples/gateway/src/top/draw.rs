//! The screen.

use ratatui::{
    Frame,
    layout::{Constraint, Layout},
    style::{Color, Modifier, Style},
    text::{Line, Span},
    widgets::{Block, Row, Sparkline, Table},
};

use super::state::State;

pub(super) fn draw(frame: &mut Frame<'_>, state: &State) {
    let parts = [
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(5),
        Constraint::Min(3),
        Constraint::Length(1),
    ];
    let [head, figures, chart, table, foot] = Layout::vertical(parts).areas(frame.area());
    let [first, second] = state.lines();
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let mut line = vec![Span::styled(first, bold)];
    if state.paused {
        line.push(Span::styled("  paused", Style::new().fg(Color::Yellow)));
    }
    if let Some(trouble) = &state.trouble {
        line.push(Span::styled(format!("  {trouble}"), Style::new().fg(Color::Red)));
    }
    frame.render_widget(Line::from(line), head);
    frame.render_widget(Line::from(second), figures);

    let seconds = state.seconds();
    let most = seconds.iter().max().copied().unwrap_or_default();
    let block = Block::bordered().title(format!("requests a second, at most {most}"));
    // The newest stand at the right edge.
    let room = usize::from(block.inner(chart).width);
    let shown = &seconds[seconds.len().saturating_sub(room)..];
    frame.render_widget(
        Sparkline::default().block(block).data(shown.iter().copied()).style(Style::new().fg(Color::Cyan)),
        chart,
    );

    let rows = state.rows().into_iter().map(|row| {
        let troubled = row[2] != "0" || row[7].contains("down");
        let style = if troubled { Style::new().fg(Color::Red) } else { Style::new() };
        Row::new(row).style(style)
    });
    let widths = [
        Constraint::Fill(2),
        Constraint::Length(8),
        Constraint::Length(8),
        Constraint::Length(9),
        Constraint::Length(9),
        Constraint::Length(9),
        Constraint::Length(9),
        Constraint::Fill(2),
    ];
    let title = format!(
        "{}: {} of {}, page {} of {}",
        state.kind.as_str(),
        state.table["matched"],
        state.table["total"],
        state.table["page"],
        state.table["pages"]
    );
    let shown = Table::new(rows, widths)
        .header(Row::new(state.heads()).style(bold))
        .block(Block::bordered().title(title));
    frame.render_widget(shown, table);

    let foot_text = if state.typing {
        format!("search: {}_   Enter keeps it, Esc clears it", state.search)
    } else {
        let search =
            if state.search.is_empty() { String::new() } else { format!("   search: {}", state.search) };
        format!("q quit  s sort  / search  Tab routes or upstreams  PgDn PgUp  p pause{search}")
    };
    frame.render_widget(Line::from(foot_text), foot);
}

#[cfg(test)]
mod tests {
    use ratatui::{Terminal, backend::TestBackend};
    use serde_json::json;

    use super::*;
    use crate::top::state::Kind;

    fn screen(state: &State, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
        terminal.draw(|frame| draw(frame, state)).expect("draws");
        terminal.backend().to_string()
    }

    #[test]
    fn the_screen_shows_figures_rows_and_what_is_down() {
        let mut state = State::new("127.0.0.1:9901", None, None);
        state.kind = Kind::Upstreams;
        state.summary = json!({"ready": true, "routes": 2, "upstreams": 1, "minute": {"rate": 12.5}, "seconds": [{"classes": [1, 2]}]});
        state.table = json!({"matched": 1, "total": 1, "page": 1, "pages": 1, "upstreams": [{"name": "orders\u{1b}[2J", "rate": 12.5, "errors": 3,
            "endpoints": [{"address": "10.0.0.1:80", "health": "down"}, {"address": "10.0.0.2:80", "health": "up"}]}]});
        let shown = screen(&state, 140, 20);
        for part in ["serving", "12.5 req/s", "orders\u{fffd}[2J", "1 of 2 up, 10.0.0.1:80 down", "at most 3"] {
            assert!(shown.contains(part), "{part}\n{shown}");
        }
    }

    #[test]
    fn a_small_screen_and_an_admin_that_said_nothing_are_drawn() {
        let state = State::new("127.0.0.1:9901", None, None);
        for (width, height) in [(1, 1), (10, 3), (40, 8), (300, 80)] {
            screen(&state, width, height);
        }
    }
}
