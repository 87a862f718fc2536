//! A little traffic, so that the status page has something to show.

use std::{convert::Infallible, net::SocketAddr, time::Duration};

use super::tour::{STOCK, TOUR};

/// Between two requests.
const PAUSE: Duration = Duration::from_millis(40);

/// Sends requests for as long as the demo runs: of three, one is for orders, one for stock, and one is a stop of the tour.
pub(super) async fn send(gateway: SocketAddr, key: &str) -> Infallible {
    let mut tour = TOUR.iter().cycle();
    let mut turn = 0_usize;
    loop {
        let stop = match turn % 3 {
            0 => TOUR.first(),
            1 => Some(&STOCK),
            _ => tour.next(),
        };
        turn = turn.wrapping_add(1);
        if let Some(stop) = stop {
            // What fails shows on the page.
            let _ = stop.send(gateway, key).await;
        }
        tokio::time::sleep(PAUSE).await;
    }
}
