//! `gatewright audit`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use gatewright::trace::audit::{AuditCheckpoint, AuditKey, AuditVerifier};

use crate::{failure::Failure, say::print};

/// What is done with audit logs.
#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// Say whether a log is whole: nothing removed, changed, moved or cut off.
    ///
    /// The status is 0 when it is, 1 when it is not or cannot be read, and 2 for a wrong command line.
    Verify(Verify),
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The files of one log, in any order: the one that is written, and those that were moved away.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The public key of the checkpoints, in PEM. May be repeated, when the key was changed.
    #[arg(long = "key", value_name = "PUBLIC_KEY")]
    keys: Vec<PathBuf>,
    /// A checkpoint that was kept elsewhere, as the gateway printed it. May be repeated.
    #[arg(long = "checkpoint", value_name = "SEQ:HASH")]
    checkpoints: Vec<AuditCheckpoint>,
}

pub(crate) fn audit(command: Audit) -> Result<(), Failure> {
    match command {
        Audit::Verify(verify) => run(verify),
    }
}

fn run(verify: Verify) -> Result<(), Failure> {
    let mut verifier = AuditVerifier::new();
    for path in verify.keys {
        let key = std::fs::read(&path).and_then(|pem| AuditKey::from_pem(&pem));
        let key = key.map_err(|error| {
            Failure::new(format!(
                "error: cannot use the key {}: {error}\n  help: `openssl pkey -in KEY -pubout` prints the public key",
                path.display()
            ))
        })?;
        verifier = verifier.key(key);
    }
    verifier = verify.checkpoints.into_iter().fold(verifier, AuditVerifier::checkpoint);
    let verdict = verifier.verify(&verify.files).map_err(|error| Failure::new(format!("error: {error}")))?;
    print(&verdict);
    if verdict.is_whole() { Ok(()) } else { Err(Failure::told()) }
}
