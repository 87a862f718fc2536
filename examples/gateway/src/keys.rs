//! `gatewright keys`.

use std::{fs::File, io, os::fd::AsFd, path::PathBuf, time::SystemTime};

use clap::{Args, Subcommand};
use gatewright::auth::{NewApiKey, NewApiKeyError};

use crate::{
    failure::Failure,
    say::{print, say},
};

/// What is done with API keys.
#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// Make a key: its entry for the keys file on stdout, the key itself, once, on stderr.
    ///
    /// For example: `gatewright keys new acme --scope payments:write --limit 100/min >> keys.yaml`.
    New(New),
}

#[derive(Debug, Args)]
pub(crate) struct New {
    /// The key's name, which the file has once.
    name: String,
    /// Whose key it is: the principal of its requests. NAME when left out.
    #[arg(long)]
    owner: Option<String>,
    /// A scope that its holder has. May be repeated.
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// When it ends: `2027-06-30` (with that day, UTC) or `2027-06-30T12:00:00Z`.
    #[arg(long, value_name = "DATE")]
    expires: Option<String>,
    /// A limit of its own, `100/min` or `100/min burst 20`. May be repeated.
    #[arg(long = "limit", value_name = "LIMIT")]
    limits: Vec<String>,
    /// The file with the pepper that the gateway is configured with.
    #[arg(long, value_name = "FILE")]
    pepper_file: Option<PathBuf>,
}

pub(crate) fn keys(command: Keys) -> Result<(), Failure> {
    match command {
        Keys::New(new) => make(new),
    }
}

fn make(new: New) -> Result<(), Failure> {
    let mut key = NewApiKey::builder(&new.name);
    if let Some(owner) = new.owner {
        key = key.owner(owner);
    }
    if let Some(end) = new.expires {
        key = key.expires(end);
    }
    key = new.scopes.into_iter().fold(key, |key, scope| key.scope(scope));
    key = new.limits.into_iter().fold(key, |key, limit| key.limit(limit));
    if let Some(path) = new.pepper_file {
        let pepper = std::fs::read(&path).map_err(|error| {
            let why = match error.kind() {
                io::ErrorKind::NotFound => "there is no such file".to_owned(),
                kind => kind.to_string(),
            };
            let help = "name the file that `pepper` of the configuration names, relative to this directory";
            Failure::new(format!("error: cannot read {}: {why}\n  help: {help}", path.display()))
        })?;
        // As the configuration reads secrets: whoever writes one into a file ends its line.
        let end = pepper.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n')).map_or(0, |last| last + 1);
        key = key.pepper(&pepper[..end]);
    }
    let key = key.generate().map_err(|error| failure(&error))?;
    if key.expires().is_some_and(|end| end <= SystemTime::now()) {
        say(
            "warning: this key has ended already: `--expires` lies in the past, and the gateway refuses the key\n",
        );
    }
    say(format_args!("the key of {}, which is shown this once:\n\n  {}\n", new.name, key.secret()));
    say("its entry for the keys file:\n");
    let apart = if appends_to_something() { "\n" } else { "" };
    print(format_args!("{apart}{}", key.entry().trim_end()));
    Ok(())
}

/// Whether stdout is a file that holds something. Its last line may not have been ended, and an entry that went on in it
/// would change the one before.
fn appends_to_something() -> bool {
    let stdout = io::stdout().as_fd().try_clone_to_owned().map(File::from);
    stdout.and_then(|file| file.metadata()).is_ok_and(|found| found.is_file() && found.len() > 0)
}

/// What is wrong with what was asked for, without the lines of an entry that nobody has seen.
fn failure(error: &NewApiKeyError) -> Failure {
    let Some(problems) = error.problems() else { return Failure::new(format!("error: {error}")) };
    let told = problems.problems().iter().map(|problem| {
        let help =
            if problem.help().is_empty() { String::new() } else { format!("\n  help: {}", problem.help()) };
        format!("error: {}{help}", problem.message())
    });
    Failure::new(told.collect::<Vec<_>>().join("\n"))
}
