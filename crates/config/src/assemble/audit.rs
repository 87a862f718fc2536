//! The audit log.

use std::{
    io::{self, Write},
    time::Duration,
};

use gatewright_trace::audit::{Admissions, AuditLog, AuditSigner, OnFailure};

use super::access_log;
use crate::{
    read::Reader,
    settings::{Admitted, Audit, Settings},
};

/// The checkpoints of a file that does not say when they are due.
const LINES: u32 = 1000;
const INTERVAL: Duration = Duration::from_secs(60);

/// Whether the log can be where it is to be, without making its file, and its key is one.
pub(super) fn check(audit: Option<&Audit>, reader: &mut Reader<'_>) {
    if let Some(audit) = audit {
        access_log::check_file(&audit.file, reader);
        signer(audit, reader);
    }
}

/// The key that signs; `None` inside when there is none, outside when it was reported.
fn signer(audit: &Audit, reader: &mut Reader<'_>) -> Option<Option<AuditSigner>> {
    let Some(key) = audit.checkpoint.as_ref().and_then(|checkpoint| checkpoint.key.as_ref()) else {
        return Some(None);
    };
    if !audit.chain {
        reader
            .error(key.span, "checkpoints need the chain, which is off")
            .help("leave `chain` out, or `checkpoint`");
        return None;
    }
    let pem = reader.contents(key)?;
    match AuditSigner::from_pem(&pem) {
        Ok(signer) => Some(Some(signer)),
        Err(error) => {
            let message = format!("cannot use `{}`: {error}", key.value.display());
            reader.error(key.span, message);
            None
        }
    }
}

/// A log, as the settings of a configuration want it: opened, or taken over from `before`, the settings of now and their
/// log. `None` inside when there is to be none, outside when it was reported. The text of the configuration is for its
/// hash.
pub(super) fn open(
    settings: &Settings,
    before: Option<(&Settings, &AuditLog)>,
    text: &str,
    reader: &mut Reader<'_>,
) -> Option<Option<AuditLog>> {
    let Some(audit) = &settings.audit else { return Some(None) };
    let running = before.and_then(|(settings, log)| Some((settings.audit.as_ref()?, log)));
    let log = match running {
        Some((running, log)) if running.is_written_like(audit) => log.clone(),
        Some((running, _)) if running.file == audit.file => {
            reader
                .error(audit.file.span, "how the audit log is written cannot change while the gateway runs")
                .help("restart it, or name another file; `admissions` and `on_failure` may change");
            return None;
        }
        _ => start(audit, reader)?,
    };
    let admissions = match &audit.admissions {
        Admitted::None => Admissions::None,
        Admitted::All => Admissions::All,
        Admitted::Of(policies) => Admissions::of(policies.iter().copied()),
    };
    let on_failure = if audit.on_failure { OnFailure::Refuse } else { OnFailure::GoOn };
    Some(Some(log.admissions(admissions).on_failure(on_failure).config(text.as_bytes())))
}

fn start(audit: &Audit, reader: &mut Reader<'_>) -> Option<AuditLog> {
    let mut log = AuditLog::builder().chain(audit.chain).sync(audit.sync);
    if let Some(signer) = signer(audit, reader)? {
        log = log.signer(signer);
    }
    if let Some(capacity) = audit.capacity {
        log = log.capacity(capacity);
    }
    if let Some(checkpoint) = &audit.checkpoint {
        let lines = checkpoint.lines.unwrap_or(LINES);
        log = log.checkpoint_every(lines.into(), checkpoint.interval.unwrap_or(INTERVAL));
        if checkpoint.print {
            // Should that fail, there is nobody left to tell.
            log = log.on_checkpoint(|place| drop(writeln!(io::stderr(), "audit checkpoint {place}")));
        }
    }
    match log.file(&audit.file.value) {
        Ok(log) => Some(log),
        Err(error) => {
            let reason = crate::files::reason(&error);
            let message = format!("cannot write `{}`: {reason}", audit.file.value.display());
            reader.error(audit.file.span, message);
            None
        }
    }
}
