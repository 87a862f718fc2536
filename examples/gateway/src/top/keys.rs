//! What keys do.

use std::{io, thread};

use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use tokio::sync::mpsc;

use super::state::{Kind, SORTS, State};

/// How many keys may wait.
const WAITING: usize = 16;

/// How long a search may be.
const LONGEST: usize = 200;

/// What follows from a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Does {
    Quit,
    /// Something else is wanted of the admin.
    Look,
    Nothing,
}

/// Reads keys on a thread of its own, which ends with the program: the terminal can be read in no other way.
pub(super) fn listen() -> io::Result<mpsc::Receiver<Event>> {
    let (sender, receiver) = mpsc::channel(WAITING);
    let read = move || {
        while let Ok(event) = event::read() {
            if sender.blocking_send(event).is_err() {
                break;
            }
        }
    };
    thread::Builder::new().name("keys".to_owned()).spawn(read)?;
    Ok(receiver)
}

pub(super) fn does(event: &Event, state: &mut State) -> Does {
    let Event::Key(key) = event else { return Does::Nothing };
    if key.kind == KeyEventKind::Release {
        return Does::Nothing;
    }
    // In raw mode, the terminal makes no signal of it.
    if key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL) {
        return Does::Quit;
    }
    if state.typing { typed(key.code, state) } else { command(key.code, state) }
}

fn typed(key: KeyCode, state: &mut State) -> Does {
    match key {
        KeyCode::Enter => state.typing = false,
        KeyCode::Esc => {
            state.typing = false;
            state.search.clear();
        }
        KeyCode::Backspace => drop(state.search.pop()),
        KeyCode::Char(letter) if state.search.len() < LONGEST => state.search.push(letter),
        _ => return Does::Nothing,
    }
    state.page = 1;
    Does::Look
}

fn command(key: KeyCode, state: &mut State) -> Does {
    match key {
        KeyCode::Char('q') => return Does::Quit,
        KeyCode::Char('/') => {
            state.typing = true;
            return Does::Nothing;
        }
        KeyCode::Char('p') => {
            state.paused = !state.paused;
            return Does::Nothing;
        }
        KeyCode::Char('s') => (state.sort, state.page) = ((state.sort + 1) % SORTS.len(), 1),
        KeyCode::Char('S') => (state.sort, state.page) = ((state.sort + SORTS.len() - 1) % SORTS.len(), 1),
        KeyCode::Tab => {
            state.kind = if state.kind == Kind::Routes { Kind::Upstreams } else { Kind::Routes };
            state.page = 1;
        }
        KeyCode::PageDown | KeyCode::Char(' ') => state.page += 1,
        KeyCode::PageUp => state.page = state.page.saturating_sub(1).max(1),
        KeyCode::Esc => state.search.clear(),
        _ => return Does::Nothing,
    }
    Does::Look
}

#[cfg(test)]
mod tests {
    use ratatui::crossterm::event::KeyEvent;

    use super::*;

    fn press(state: &mut State, code: KeyCode) -> Does {
        does(&Event::Key(KeyEvent::new(code, KeyModifiers::NONE)), state)
    }

    #[test]
    fn keys_sort_search_pause_and_quit() {
        let mut state = State::new("a:1", None, None);
        assert_eq!((press(&mut state, KeyCode::Char('s')), SORTS[state.sort]), (Does::Look, "errors"));
        assert_eq!((press(&mut state, KeyCode::Char('S')), SORTS[state.sort]), (Does::Look, "rate"));
        press(&mut state, KeyCode::Char('/'));
        for letter in "quit".chars() {
            // A letter of a search is no command.
            assert_eq!(press(&mut state, KeyCode::Char(letter)), Does::Look);
        }
        press(&mut state, KeyCode::Backspace);
        assert_eq!((press(&mut state, KeyCode::Enter), &*state.search), (Does::Look, "qui"));
        assert_eq!((press(&mut state, KeyCode::Char('p')), state.paused), (Does::Nothing, true));
        assert_eq!((press(&mut state, KeyCode::Tab), state.kind), (Does::Look, Kind::Upstreams));
        assert_eq!(press(&mut state, KeyCode::Char('q')), Does::Quit);
        let stop = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(does(&Event::Key(stop), &mut state), Does::Quit);
    }
}
