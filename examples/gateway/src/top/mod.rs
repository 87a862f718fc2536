//! `gatewright top`: the status page in a terminal.

mod api;
mod draw;
mod keys;
mod once;
mod state;
mod text;

use std::{io, time::Duration};

use ratatui::DefaultTerminal;
use tokio::{sync::mpsc, time::MissedTickBehavior};

use crate::{failure::Failure, serve, shutdown::Shutdown};
use api::Api;
use keys::Does;
use state::State;

/// Between two looks at the gateway.
const INTERVAL: Duration = Duration::from_secs(1);

/// Shows the gateway whose admin is at this address until somebody quits; with `once`, prints a table and ends.
pub(crate) fn top(
    admin: &str,
    once: bool,
    sort: Option<String>,
    search: Option<String>,
) -> Result<(), Failure> {
    let runtime = serve::runtime()?;
    let api = Api::new(admin)?;
    let mut state = State::new(api.address(), sort, search);
    if once {
        return runtime.block_on(async {
            state.look(&api).await?;
            once::print(&state);
            Ok(())
        });
    }
    let shown = runtime.block_on(async {
        // That there is a gateway is found out while the terminal is still as it was.
        state.look(&api).await?;
        let shutdown = Shutdown::listen().map_err(|error| Failure::new(format!("error: signals: {error}")))?;
        // From here on, a panic restores the terminal too.
        let terminal = ratatui::try_init().map_err(|error| {
            Failure::new(format!("error: this is no terminal ({error})\n  help: print a table with --once"))
        })?;
        let shown = follow(terminal, &api, &mut state, shutdown).await;
        ratatui::restore();
        shown.map_err(|error| Failure::new(format!("error: the terminal: {error}")))
    });
    // A key that is still being waited for holds nothing up.
    runtime.shutdown_background();
    shown
}

/// Draws once a second, and at each key.
async fn follow(
    mut terminal: DefaultTerminal,
    api: &Api,
    state: &mut State,
    mut shutdown: Shutdown,
) -> io::Result<()> {
    let mut pressed = keys::listen()?;
    let mut tick = tokio::time::interval(INTERVAL);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        terminal.draw(|frame| draw::draw(frame, state))?;
        tokio::select! {
            _ = shutdown.requested() => return Ok(()),
            event = next(&mut pressed) => match keys::does(&event, state) {
                Does::Quit => return Ok(()),
                Does::Nothing => {}
                Does::Look => state.look_on(api).await,
            },
            _ = tick.tick() => if !state.paused { state.look_on(api).await },
        }
    }
}

/// The next key; never when no more can come, since the gateway can still be watched.
async fn next(
    pressed: &mut mpsc::Receiver<ratatui::crossterm::event::Event>,
) -> ratatui::crossterm::event::Event {
    match pressed.recv().await {
        Some(event) => event,
        None => std::future::pending().await,
    }
}
