//! Counts what one request costs: the instructions that it executes and the allocations that it makes.
//!
//! 1. `cargo xtask test` runs each case in a process of its own under callgrind, and compares what it counts with
//!    `figures.txt`. By hand: `gates CASE` counts allocations, `gates` lists the cases.
//! 2. Everything of a case runs on one thread: the layers, both ends of each socket, the runtime. Who is woken when is
//!    therefore the same in every run.
//! 3. What is counted is ours alone: the client and the upstream are left out ([`region`]).
//! 4. The first requests are not counted. They open the connections and fill what is filled once.
//! 5. The allocator is the one that the binary uses, so that the figures do not depend on the system's.
//!
//! A case is a few lines in [`cases`].

mod addresses;
mod allocator;
mod bench;
mod cases;
mod client;
mod identity;
mod region;
mod upstream;

use std::{
    env,
    error::Error,
    io::{self, Write},
    process::ExitCode,
};

use bench::Bench;
use cases::CASES;

type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

fn main() -> ExitCode {
    match run(env::args().nth(1).as_deref()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gates: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints what there is, or runs one case and prints `REQUESTS ALLOCATIONS`.
fn run(name: Option<&str>) -> Result<()> {
    let mut stdout = io::stdout().lock();
    let Some(name) = name else {
        CASES.iter().try_for_each(|(name, _)| writeln!(stdout, "{name}"))?;
        return Ok(());
    };
    let Some((_, case)) = CASES.iter().find(|(known, _)| *known == name) else {
        return Err(format!("there is no case {name}").into());
    };
    let allocations = case(&Bench::new()?)?;
    writeln!(stdout, "{} {allocations}", bench::REQUESTS)?;
    Ok(())
}
