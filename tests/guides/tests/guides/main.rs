//! The commands that the guides show are run on the real binary, and what they print is compared with what is shown.
//!
//! How a page says what is run:
//!
//! 1. A `yaml` block with a line `routes:` is the file `gateway.yaml` from there on. A block of any language whose first line
//!    is a comment with a file's name (`# partners.txt`) is that file.
//! 2. The commands of a `console` block are run one after the other in one shell a page, in a folder of the page's own. `$ `
//!    begins a command; what stands below it is all that it prints, on stdout and stderr. Without such lines it may print
//!    what it likes, and has to end with 0.
//! 3. `…` in a shown line stands for any text, and on a line of its own for any lines. Ids, hashes, keys, times and durations
//!    are compared by their form.
//! 4. `gatewright run` and `gatewright demo` are left running until the page starts another one, as in a second terminal; the
//!    lines below one are the first that it prints. A block with `curl` has the newest `gateway.yaml` served.
//! 5. Ports are replaced by free ones, and a service that a file names (`order-service:8080`, `127.0.0.1:3000`) is one that
//!    answers `ok`.
//! 6. `<!-- not run: why -->` before a block says why it cannot be run. `<!-- before: command -->` is run first and not shown.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]

mod compare;
mod page;
mod rejections;
mod shell;
mod snippets;
mod stage;

use std::sync::Arc;

use harness::{Origin, Reply};
use page::{Page, pages};
use stage::Stage;
use tokio::{sync::Semaphore, task::JoinSet};

#[tokio::test(flavor = "multi_thread")]
async fn every_command_of_the_guides_does_what_it_shows() {
    let origin = Origin::answering(|_| Reply::text("ok\n")).await;
    let address = origin.address();
    // Each has a few programs of its own.
    let turns = Arc::new(Semaphore::new(4));
    let mut running = JoinSet::new();
    for page in pages() {
        let turns = turns.clone();
        running.spawn(async move {
            let _turn = turns.acquire_owned().await.unwrap();
            tokio::task::spawn_blocking(move || play(&page, address)).await.unwrap()
        });
    }
    let mut problems = Vec::new();
    let (mut ran, mut left_out) = (0, 0);
    while let Some(played) = running.join_next().await {
        let played = played.unwrap();
        problems.extend(played.problems);
        ran += played.ran;
        left_out += played.left_out;
    }
    println!("{ran} commands ran, {left_out} blocks say why they are not run");
    problems.sort();
    assert!(problems.is_empty(), "\n{}", problems.join("\n\n"));
    assert!(ran >= 40, "{ran} commands in the guides");
}

#[derive(Default)]
struct Played {
    problems: Vec<String>,
    ran: usize,
    left_out: usize,
}

fn play(page: &Page, origin: std::net::SocketAddr) -> Played {
    let mut played = Played::default();
    if page.blocks.iter().all(|block| block.language != "console") {
        return played;
    }
    let mut stage = Stage::new(origin, page.text.contains("python3 "));
    for block in &page.blocks {
        if block.language != "console" {
            stage.take(block);
            continue;
        }
        match &block.not_run {
            Some(why) if why.len() > 4 => played.left_out += 1,
            Some(_) => played.problems.push(format!("{}:{}: not run, but why?", page.name, block.line)),
            None => match stage.run(block) {
                Ok(commands) => played.ran += commands,
                // What follows may need what has failed.
                Err(problem) => {
                    played.problems.push(format!("{}:{problem}", page.name));
                    break;
                }
            },
        }
    }
    played
}
