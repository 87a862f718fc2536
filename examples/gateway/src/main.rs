//! `gatewright`: a ready-made gateway from one YAML file.

mod check;
mod demo;
mod failure;
mod reload;
mod run;
mod say;
mod serve;
mod shutdown;
mod watch;

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
    ///
    /// SIGHUP reloads FILE and opens the access log anew; so does, save the log, a change of FILE or of a file that it
    /// names. What is wrong is refused as a whole, and the running configuration stays.
    Run {
        /// The configuration file.
        file: PathBuf,
        /// Reload at SIGHUP alone, and not when the files change.
        #[arg(long)]
        no_watch: bool,
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
        Command::Run { file, no_watch } => run::run(&file, !no_watch),
        Command::Check { file, resolve } => check::check(&file, resolve),
        Command::Demo { port, once } => demo::demo(port, once),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say::say(failure);
            ExitCode::FAILURE
        }
    }
}

/// The program's own log. What is shown of it can be set by `RUST_LOG`; stdout is for the access log.
fn log_to_stderr() {
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::WARN.into()).from_env_lossy();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false).init();
}
