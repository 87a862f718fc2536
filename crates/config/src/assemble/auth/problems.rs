//! What is wrong with an authenticator, told where the file says it.

use std::{error::Error, path::PathBuf};

use gatewright_auth::{ContentError, ProviderError};
use gatewright_core::hop_by_hop;
use http::{HeaderName, header};

use crate::{
    diagnostics::{Diagnostic, Spanned},
    read::Reader,
    settings::{Claims, Provider},
};

/// How many problems of one file are told of.
const MOST: usize = 10;

/// A file that cannot be read, or whose content cannot be used.
pub(super) fn unusable(
    file: &Spanned<PathBuf>,
    error: &dyn Error,
    content: Option<&ContentError>,
    reader: &mut Reader<'_>,
) {
    let path = file.value.display().to_string();
    // The configuration may become right when the file does, so it is noted as one that was read.
    if let Err(error) = reader.read_file(&file.value) {
        reader.unreadable(file.span, &path, &error);
        return;
    }
    let Some(content) = content else {
        let why = error.source().map(|source| format!(": {source}")).unwrap_or_default();
        reader.error(file.span, format!("`{path}` cannot be used{why}"));
        return;
    };
    let problems = content.problems();
    for problem in problems.iter().take(MOST) {
        let (line, column) = (problem.line(), problem.column());
        let report = reader.error(file.span, format!("{path}:{line}:{column}: {}", problem.message()));
        if !problem.help().is_empty() {
            report.help(problem.help());
        }
    }
    if let Some(more @ 1..) = problems.len().checked_sub(MOST) {
        reader.error(file.span, format!("and {more} more in `{path}`"));
    }
}

/// A keys file with keys that have ended.
pub(super) fn doubtful(file: &Spanned<PathBuf>, doubts: &[String], reader: &mut Reader<'_>) {
    let (path, place) = (file.value.display(), reader.place(file.span));
    let mut warn = |text: String| {
        reader
            .report(Diagnostic::warning(Some(place), text))
            .help("remove its entry; a new key is made by `gatewright keys new NAME --expires DATE`");
    };
    for doubt in doubts.iter().take(MOST) {
        warn(format!("{path}: {doubt}"));
    }
    if let Some(more @ 1..) = doubts.len().checked_sub(MOST) {
        warn(format!("and {more} more keys of `{path}` have ended"));
    }
}

/// An identity provider that cannot be asked as it is described.
pub(super) fn no_provider(
    error: &ProviderError,
    url: &Spanned<String>,
    provider: &Provider,
    reader: &mut Reader<'_>,
) {
    match (&provider.ca, error.field()) {
        (Some(ca), "ca") => {
            let path = ca.value.display();
            reader.error(ca.span, format!("`{path}` cannot be used: {error}"));
        }
        _ => {
            let report = reader.error(url.span, error.to_string());
            if url.value.starts_with("http://") {
                report
                    .help("write `https://`, or `cleartext: on` when nobody can touch the network on the way");
            }
        }
    }
}

/// The header that may hold a token.
pub(super) fn token_header(name: &Spanned<HeaderName>, reader: &mut Reader<'_>) -> Option<HeaderName> {
    if name.value == header::AUTHORIZATION {
        reader.error(name.span, "`authorization` is looked at in any case").help("leave `header` out");
        return None;
    }
    Some(name.value.clone())
}

/// A header in which services are told who calls.
pub(super) fn telling(name: &Spanned<HeaderName>, reader: &mut Reader<'_>) -> Option<HeaderName> {
    let is_of_message =
        matches!(name.value, header::HOST | header::CONTENT_LENGTH | header::TRAILER | header::EXPECT);
    if is_of_message || hop_by_hop::is_one(name.value.as_str()) {
        reader.error(name.span, format!("`{}` cannot tell who calls: it frames the message", name.value));
        return None;
    }
    Some(name.value.clone())
}

/// Which headers tell of which claims.
pub(super) fn told(claims: &Claims, reader: &mut Reader<'_>) -> Option<Vec<(HeaderName, String)>> {
    let told: Vec<_> =
        claims.headers.iter().map(|(name, claim)| Some((telling(name, reader)?, claim.clone()))).collect();
    told.into_iter().collect()
}
