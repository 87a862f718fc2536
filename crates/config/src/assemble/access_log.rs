//! The access log.

use std::path::{Path, PathBuf};

use crate::{diagnostics::Spanned, read::Reader, settings};

/// Whether the log can be where it is to be; without making its file.
pub(super) fn check(log: &settings::AccessLog, reader: &mut Reader<'_>) {
    if let settings::AccessLog::File(file) = log {
        check_file(file, reader);
    }
}

/// Whether a log can be in this file; without making it.
pub(super) fn check_file(file: &Spanned<PathBuf>, reader: &mut Reader<'_>) {
    let folder = match file.value.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let message = if file.value.is_dir() {
        format!("`{}` is a directory", file.value.display())
    } else if !folder.is_dir() {
        format!("there is no directory `{}`", folder.display())
    } else {
        return;
    };
    reader.error(file.span, message).help("name a file; paths are relative to the file that names them");
}

/// Opens the log. `None` inside when there is to be none, outside when it was reported.
pub(super) fn open(
    log: &settings::AccessLog,
    reader: &mut Reader<'_>,
) -> Option<Option<gatewright_trace::AccessLog>> {
    let (opened, span) = match log {
        settings::AccessLog::Off => return Some(None),
        settings::AccessLog::Stdout => (gatewright_trace::AccessLog::stdout(), None),
        settings::AccessLog::File(file) => (gatewright_trace::AccessLog::file(&file.value), Some(file)),
    };
    match opened {
        Ok(log) => Some(Some(log)),
        Err(error) => {
            let reason = crate::files::reason(&error);
            match span {
                Some(file) => {
                    let message = format!("cannot write `{}`: {reason}", file.value.display());
                    reader.error(file.span, message);
                }
                None => {
                    let message = format!("the access log cannot be started: {reason}");
                    reader.report(crate::diagnostics::Diagnostic::error(None, message));
                }
            }
            None
        }
    }
}
