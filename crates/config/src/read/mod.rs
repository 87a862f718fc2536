//! From the tree to values: what the sections of the file have in common.
//!
//! 1. A reader never stops at an error. It reports it and gives `None`, so that one pass finds all of them.
//! 2. Every map is read through its [`Section`](crate::vocabulary::Section), which knows the map's keys: a key that is unknown, or that
//!    this version does not support, is an error. Nothing that was written is ignored.
//! 3. A value has a short form (text) where one is enough, and a long form (a map) where it is not.

mod environment;
mod fields;
mod habits;
mod items;
mod network;
mod scalar;
mod secret;
mod target;
mod units;

use std::{
    collections::BTreeMap,
    io::{self, Read},
    path::{Path, PathBuf},
};

pub(crate) use fields::Fields;
pub(crate) use items::Item;
pub(crate) use scalar::Usual;
pub(crate) use secret::Secret;
pub(crate) use target::Target;
#[cfg(test)]
pub(crate) use target::parse_target;

use crate::{
    diagnostics::{Diagnostic, Place, Severity, Source, Span},
    files::Files,
};

/// What a reading of one file collects.
pub(crate) struct Reader<'a> {
    source: &'a Source,
    problems: Vec<Diagnostic>,
    files: Files,
    upstreams: BTreeMap<String, Known>,
    limits: BTreeMap<String, Known>,
    auth: BTreeMap<String, Known>,
}

/// An upstream, a limit or an authenticator that a route may name.
struct Known {
    span: Span,
    used: bool,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(source: &'a Source) -> Self {
        Self::after(source, Files::default())
    }

    /// Of a text that these files were read for already.
    pub(crate) fn after(source: &'a Source, files: Files) -> Self {
        let (upstreams, limits, auth) = Default::default();
        Self { source, problems: Vec::new(), files, upstreams, limits, auth }
    }

    pub(crate) fn source(&self) -> &'a Source {
        self.source
    }

    pub(crate) fn place(&self, span: Span) -> Place {
        self.source.place(span)
    }

    pub(crate) fn problems(&mut self) -> &mut Vec<Diagnostic> {
        &mut self.problems
    }

    /// What was found wrong, and the files that were read.
    pub(crate) fn finish(self) -> (Vec<Diagnostic>, Files) {
        (self.problems, self.files)
    }

    /// Reports an error at a place.
    pub(crate) fn error(&mut self, span: Span, message: impl Into<String>) -> &mut Diagnostic {
        self.report(Diagnostic::error(Some(self.source.place(span)), message))
    }

    pub(crate) fn report(&mut self, problem: Diagnostic) -> &mut Diagnostic {
        self.problems.push(problem);
        let last = self.problems.len() - 1;
        &mut self.problems[last]
    }

    /// Notes the name of an upstream, also of one that cannot be read, so that its routes are not wrong as
    /// well.
    pub(crate) fn know_upstream(&mut self, name: &str, span: Span) {
        self.upstreams.insert(name.to_owned(), Known { span, used: false });
    }

    /// Notes that a route names an upstream, and reports a name that is none.
    pub(crate) fn use_upstream(&mut self, name: &str, span: Span) {
        if let Some(known) = self.upstreams.get_mut(name) {
            known.used = true;
            return;
        }
        let address = format!("an address is written with its port: `{name}:8080`");
        let names = || self.upstreams.keys().map(String::as_str);
        let help = match nearest(name, names()) {
            _ if name.parse::<u16>().is_ok() => format!("a port needs its host: `127.0.0.1:{name}`"),
            Some(near) => format!("did you mean `{near}`? Or else {address}"),
            None if self.upstreams.is_empty() => format!("{address}; a name has to stand under `upstreams:`"),
            None => format!("the upstreams are {}; {address}", listed(names().take(12))),
        };
        self.error(span, format!("there is no upstream `{name}`")).help(help);
    }

    /// Notes the name of a limit, also of one that cannot be read.
    pub(crate) fn know_limit(&mut self, name: &str, span: Span) {
        self.limits.insert(name.to_owned(), Known { span, used: false });
    }

    /// Notes that a route names a limit, and reports a name that is none.
    pub(crate) fn use_limit(&mut self, name: &str, span: Span) {
        if let Some(known) = self.limits.get_mut(name) {
            known.used = true;
            return;
        }
        let names = || self.limits.keys().map(String::as_str);
        let help = match nearest(name, names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if self.limits.is_empty() => {
                "a name has to stand under `limits:`; a rate is written `100/min`".to_owned()
            }
            None => format!("the limits are {}; a rate is written `100/min`", listed(names().take(12))),
        };
        self.error(span, format!("there is no limit `{name}`")).help(help);
    }

    /// Notes the name of an authenticator, also of one that cannot be read.
    pub(crate) fn know_auth(&mut self, name: &str, span: Span) {
        self.auth.insert(name.to_owned(), Known { span, used: false });
    }

    /// The first authenticator, by its name.
    pub(crate) fn any_auth(&self) -> Option<&str> {
        self.auth.keys().next().map(String::as_str)
    }

    /// Notes that a route names an authenticator, and reports a name that is none.
    pub(crate) fn use_auth(&mut self, name: &str, span: Span) {
        if let Some(known) = self.auth.get_mut(name) {
            known.used = true;
            return;
        }
        let names = || self.auth.keys().map(String::as_str);
        let help = match nearest(name, names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if self.auth.is_empty() => {
                format!(
                    "a name has to stand under `auth:`, as in `auth: {{{name}: {{api_key: {{keys_file: keys.yaml}}}}}}`"
                )
            }
            None => format!("the authenticators are {}", listed(names().take(12))),
        };
        self.error(span, format!("there is no authenticator `{name}`")).help(help);
    }

    /// Warns of upstreams, limits and authenticators that no route uses; but not when the routes are not all known.
    pub(crate) fn warn_of_what_is_unused(&mut self) {
        if self.has_errors() {
            return;
        }
        let unused = |kind, names: &BTreeMap<String, Known>| {
            let unused = names.iter().filter(|(_, known)| !known.used);
            unused
                .map(|(name, known)| (format!("no route uses the {kind} `{name}`"), known.span))
                .collect::<Vec<_>>()
        };
        let all = [
            unused("upstream", &self.upstreams),
            unused("limit", &self.limits),
            unused("authenticator", &self.auth),
        ];
        for (message, span) in all.concat() {
            let place = Some(self.place(span));
            self.report(Diagnostic::warning(place, message));
        }
    }

    /// Whether there is an error, and not only a doubt.
    pub(crate) fn has_errors(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity() == Severity::Error)
    }

    /// Reads a file, and notes that the configuration depends on it.
    pub(crate) fn read_file(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        let mut contents = Vec::new();
        self.files.open(path)?.read_to_end(&mut contents)?;
        Ok(contents)
    }

    /// A path as the file means it: relative to the file.
    pub(crate) fn resolve(&self, path: &str) -> PathBuf {
        self.source.path().parent().unwrap_or(Path::new("")).join(path)
    }
}

/// The name that comes nearest to what was written, when one is near enough to be what was meant.
pub(crate) fn nearest<'a>(written: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A number that is near another one is still a different number.
    if written.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let written = written.to_lowercase();
    let allowed = (written.chars().count() / 3).clamp(1, 3);
    names
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&written, &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Names as a sentence lists them.
pub(crate) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.into_iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}
