//! `gatewright check`.

use std::path::Path;

use gatewright::config::Config;

use crate::{failure::Failure, serve};

/// Prints all that is wrong with a file; an error when there is anything.
pub(crate) fn check(file: &Path, resolve: bool) -> Result<(), Failure> {
    let config = Config::load(file)?;
    let warnings = config.warnings();
    if !warnings.is_empty() {
        eprintln!("{warnings}");
    }
    if resolve {
        let unresolved = serve::runtime()?.block_on(config.unresolved());
        if !unresolved.is_empty() {
            return Err(unresolved.into());
        }
    }
    println!("{}: no errors", file.display());
    Ok(())
}
