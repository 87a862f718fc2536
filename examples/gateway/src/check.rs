//! `gatewright check`.

use std::path::Path;

use clap::ValueEnum;
use gatewright::config::Config;

use crate::{
    failure::Failure,
    say::{print, say},
    serve,
};

/// How what was found is told.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Format {
    /// For people, on stderr.
    Text,
    /// For programs: one JSON document on stdout.
    Json,
}

/// Tells all that is wrong with a file; an error when there is anything.
pub(crate) fn check(file: &Path, resolve: bool, format: Format) -> Result<(), Failure> {
    let found = match Config::load(file) {
        Ok(config) => {
            let mut found = config.warnings();
            if resolve {
                found.extend(serve::runtime()?.block_on(config.unresolved()).into_errors());
            }
            found
        }
        Err(errors) => errors,
    };
    let is_right = found.errors() == 0;
    match format {
        Format::Json => {
            print(found.to_json());
            if is_right { Ok(()) } else { Err(Failure::told()) }
        }
        Format::Text if is_right => {
            if !found.is_empty() {
                say(found);
            }
            print(format_args!("{}: no errors", file.display()));
            Ok(())
        }
        Format::Text => Err(found.into()),
    }
}
