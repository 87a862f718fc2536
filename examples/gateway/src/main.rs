//! `gatewright`: a ready-made gateway from one YAML file.

mod admin;
mod audit;
mod check;
mod demo;
mod failure;
mod keys;
mod reload;
mod run;
mod say;
mod serve;
mod shutdown;
mod top;
mod watch;

use std::{path::PathBuf, process::ExitCode};

use clap::{
    CommandFactory, Parser, Subcommand,
    error::{ContextKind, ContextValue},
};
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

// Requests allocate on the thread that frees, which is what mimalloc is quick at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// For whoever asks for help, since what comes next is to write a file.
const BEGIN: &str = "\
To see it run:  gatewright demo
To begin:       write gateway.yaml, and then gatewright run gateway.yaml

    listen: 127.0.0.1:8080
    routes:
    - path_prefix: /v1/orders
      upstream: 127.0.0.1:3000";

/// An API gateway, stacked of Tower layers from one YAML file.
#[derive(Debug, Parser)]
#[command(name = "gatewright", version, arg_required_else_help = true, after_help = BEGIN)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve as FILE says, until SIGTERM or SIGINT; then finish what is under way.
    ///
    /// SIGHUP reloads FILE and opens the logs anew. SIGUSR1 opens the logs anew and does nothing else. A change of FILE, or of a
    /// file that it names, reloads FILE too. A FILE with an error is refused as a whole, and the running configuration stays.
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
        /// How what was found is told.
        #[arg(long, value_enum, default_value = "text")]
        format: check::Format,
    },
    /// Make API keys.
    Keys {
        #[command(subcommand)]
        command: keys::Keys,
    },
    /// Check audit logs.
    Audit {
        #[command(subcommand)]
        command: audit::Audit,
    },
    /// Print the JSON Schema of the configuration file, for editors.
    Schema,
    /// Print a script that completes this command line in a shell.
    ///
    /// For bash: `source <(gatewright completions bash)`.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Show a running gateway in the terminal, from its admin.
    ///
    /// Keys: q quits, s sorts by another column, / searches, Tab shows upstreams in place of routes, p pauses.
    Top {
        /// The address of `admin` in the file of the gateway.
        #[arg(default_value = "127.0.0.1:9901")]
        admin: String,
        /// Print a table, and stop.
        #[arg(long)]
        once: bool,
        /// The column to sort by: rate, errors, refused, p50, p90, p99 or name.
        #[arg(long, value_parser = ["rate", "errors", "refused", "p50", "p90", "p99", "name"])]
        sort: Option<String>,
        /// Show only what has this in its name.
        #[arg(long)]
        search: Option<String>,
    },
    /// Start a gateway with services of its own, and print commands to try.
    Demo {
        /// The port to listen on. Without it: 8080, or the next one that is free.
        #[arg(long)]
        port: Option<u16>,
        /// Send the printed commands, show what they answer, and stop.
        #[arg(long)]
        once: bool,
        /// Go on sending requests, so that the status page has something to show. The access log is off then.
        #[arg(long)]
        traffic: bool,
    },
}

fn main() -> ExitCode {
    // A bad command line ends here, with status 2.
    let cli = Cli::try_parse().unwrap_or_else(|error| explain(error).exit());
    log_to_stderr();
    let outcome = match cli.command {
        Command::Run { file, no_watch } => run::run(&file, !no_watch),
        Command::Check { file, resolve, format } => check::check(&file, resolve, format),
        Command::Keys { command } => keys::keys(command),
        Command::Audit { command } => audit::audit(command),
        Command::Schema => {
            say::print(gatewright::config::schema());
            Ok(())
        }
        Command::Completions { shell } => {
            say::print(completions(shell));
            Ok(())
        }
        Command::Top { admin, once, sort, search } => top::top(&admin, once, sort, search),
        Command::Demo { port, once, traffic } => demo::demo(port, once, traffic),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if let Some(text) = failure.text() {
                say::say(text);
            }
            ExitCode::FAILURE
        }
    }
}

/// Says how to go on where a file stands in place of a command.
fn explain(mut error: clap::Error) -> clap::Error {
    if let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand)
        && (word.ends_with(".yaml") || word.ends_with(".yml"))
    {
        let tip = format!("to serve as the file says: gatewright run {word}");
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

/// What a shell needs to complete the command line.
fn completions(shell: clap_complete::Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "gatewright", &mut script);
    String::from_utf8_lossy(&script).trim_end().to_owned()
}

/// The program's own log. What is shown of it can be set by `RUST_LOG`; stdout is for the access log.
fn log_to_stderr() {
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::WARN.into()).from_env_lossy();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        // It would complain on stderr that stderr is closed, and panic since it cannot.
        .log_internal_errors(false)
        .init();
}
