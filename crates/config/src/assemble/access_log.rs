//! The access log.

use std::path::{Path, PathBuf};

use gatewright_core::redact::Redaction;
use gatewright_trace::{AccessLog, LogFields};

use super::RouteStack;
use crate::{
    diagnostics::Spanned,
    read::Reader,
    settings::{self, LogSettings, RouteLog, Settings},
};

/// Whether the log can be where it is to be; without making its file.
pub(super) fn check(log: &settings::AccessLog, reader: &mut Reader<'_>) {
    if let Some(file) = log.file() {
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
    settings: &Settings,
    routes: &[RouteStack],
    reader: &mut Reader<'_>,
) -> Option<Option<AccessLog>> {
    let Some(log) = settings.access_log.settings() else { return Some(None) };
    let opened = match &log.file {
        None => AccessLog::stdout(),
        Some(file) => AccessLog::file(&file.value),
    };
    match opened {
        Ok(opened) => Some(Some(opened.with_fields(fields(log, settings, routes)))),
        Err(error) => {
            let reason = crate::files::reason(&error);
            match &log.file {
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

/// The log of a configuration that follows another. Lines go on into a target that is the same as before.
pub(super) fn reopen(
    before: (&Settings, Option<&AccessLog>),
    settings: &Settings,
    routes: &[RouteStack],
    reader: &mut Reader<'_>,
) -> Option<Option<AccessLog>> {
    let path = |log: &settings::AccessLog| log.file().map(|file| file.value.clone());
    match (before.1, settings.access_log.settings()) {
        (Some(open), Some(log)) if path(&before.0.access_log) == path(&settings.access_log) => {
            Some(Some(open.clone().with_fields(fields(log, settings, routes))))
        }
        _ => self::open(settings, routes, reader),
    }
}

/// What lines hold, and which requests leave one.
fn fields(log: &LogSettings, settings: &Settings, routes: &[RouteStack]) -> LogFields {
    let names = log.redact.iter().map(String::as_str);
    let keys = settings.auth.iter().flatten().flat_map(|authenticator| authenticator.kind.secret_names());
    let redaction = names.chain(keys).fold(Redaction::default(), Redaction::hide);
    let fields = LogFields::new().redaction(redaction).query(log.query).start_lines(log.start_lines);
    let fields = log.request_headers.iter().cloned().fold(fields, LogFields::request_header);
    let fields = log.response_headers.iter().cloned().fold(fields, LogFields::response_header);
    let fields = log.format.iter().cloned().fold(fields, LogFields::template);
    settings.routes.iter().zip(routes).fold(fields, |fields, (route, stack)| match route.access_log {
        RouteLog::All => fields,
        RouteLog::Share(millionths) => fields.sample(&stack.name, RouteLog::share(millionths)),
        RouteLog::Off => fields.silence(&stack.name),
    })
}
