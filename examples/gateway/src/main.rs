//! `gatewright`: a ready-made gateway from one YAML file.

mod check;
mod demo;
mod failure;
mod run;
mod serve;
mod shutdown;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

// Requests allocate on the thread that frees, which is what mimalloc is quick at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// An API gateway, stacked of Tower layers from one YAML file.
#[derive(Debug, Parser)]
#[command(name = "gatewright", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve as FILE says, until SIGTERM or SIGINT; then finish what is under way.
    Run {
        /// The configuration file.
        file: PathBuf,
    },
    /// Name everything that is wrong with FILE, without serving.
    Check {
        /// The configuration file.
        file: PathBuf,
        /// Count upstreams whose names do not resolve as errors.
        #[arg(long)]
        resolve: bool,
    },
    /// Start a gateway with services of its own, and print commands to try.
    Demo {
        /// The port to listen on. Without it: 8080, or the next one that is free.
        #[arg(long)]
        port: Option<u16>,
        /// Send the printed commands, show what they answer, and stop.
        #[arg(long)]
        once: bool,
    },
}

fn main() -> ExitCode {
    // A bad command line ends here, with status 2.
    let cli = Cli::parse();
    log_to_stderr();
    let outcome = match cli.command {
        Command::Run { file } => run::run(&file),
        Command::Check { file, resolve } => check::check(&file, resolve),
        Command::Demo { port, once } => demo::demo(port, once),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

/// The program's own log. What is shown of it can be set by `RUST_LOG`; stdout is for the access log.
fn log_to_stderr() {
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::WARN.into()).from_env_lossy();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false).init();
}
