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
mod names;
mod network;
mod scalar;
mod secret;
mod share;
mod target;
mod units;
mod values;

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
};

pub(crate) use fields::Fields;
pub(crate) use items::Item;
use names::Names;
pub(crate) use names::Referent;
pub(crate) use scalar::Usual;
pub(crate) use secret::Secret;
pub(crate) use share::Share;
pub(crate) use target::Target;
#[cfg(test)]
pub(crate) use target::parse_target;
pub(crate) use values::{
    Address, AtKey, DurationOrOff, Extra, HiddenSecret, Host, Keys, Map, Name, Named, NewPath, Number, OrOff,
    Readable, Regex, Size, Url, Value, value,
};

use crate::{
    diagnostics::{Diagnostic, Place, Severity, Source, Span},
    files::Files,
};

/// What a reading of one file collects.
pub(crate) struct Reader<'a> {
    source: &'a Source,
    problems: Vec<Diagnostic>,
    files: Files,
    names: Names,
    /// Where secrets stand.
    secrets: Vec<Span>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(source: &'a Source) -> Self {
        Self::after(source, Files::default())
    }

    /// Of a text that these files were read for already.
    pub(crate) fn after(source: &'a Source, files: Files) -> Self {
        Self { source, problems: Vec::new(), files, names: Names::default(), secrets: Vec::new() }
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

    /// The values of the file that were read as secrets.
    #[cfg_attr(not(feature = "admin"), expect(dead_code, reason = "only the admin shows a file"))]
    pub(crate) fn secrets(&self) -> &[Span] {
        &self.secrets
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
