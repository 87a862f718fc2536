//! What is wrong with a file, where, and how to mend it.

mod json;
mod render;
mod secrets;
mod source;

use std::{fmt, path::Path, sync::Arc};

#[cfg(feature = "admin")]
pub(crate) use secrets::of as secrets_in;
pub use source::Place;
pub(crate) use source::{At, Source, Span, Spanned};

use crate::files::Files;

/// All that is wrong with one configuration file, in the order of its lines.
///
/// `Display` prints each one with its place, the line it is about and, where there is one, the way to mend it.
pub struct Diagnostics {
    source: Arc<Source>,
    list: Vec<Diagnostic>,
    files: Files,
}

impl Diagnostics {
    pub(crate) fn new(source: Arc<Source>, mut list: Vec<Diagnostic>, files: Files) -> Self {
        list.sort_by_key(|diagnostic| diagnostic.place);
        Self { source, list, files }
    }

    /// The files that were read until these were found: when one of them changes, another try may go better.
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// The file that they are about.
    pub fn file(&self) -> &Path {
        self.source.path()
    }

    /// The text of that file; empty when it could not be read.
    pub fn text(&self) -> &str {
        self.source.text()
    }

    /// How many of them are errors.
    pub fn errors(&self) -> usize {
        self.list.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count()
    }

    /// Counts warnings as errors.
    #[must_use]
    pub fn into_errors(mut self) -> Self {
        self.list.iter_mut().for_each(|diagnostic| diagnostic.severity = Severity::Error);
        self
    }

    /// Puts others of the same file among them.
    pub fn extend(&mut self, others: Self) {
        self.list.extend(others.list);
        self.list.sort_by_key(|diagnostic| diagnostic.place);
    }

    /// All of them as one JSON document, for editors and bots.
    ///
    /// ```
    /// use gatewright_config::Config;
    ///
    /// let text = "routes: [{path: /a, upstrem: 'orders:8080'}]";
    /// let errors = Config::parse("gateway.yaml", text).unwrap_err();
    /// let found: serde_json::Value = serde_json::from_str(&errors.to_json()).unwrap();
    /// let expected = serde_json::json!({
    ///     "file": "gateway.yaml",
    ///     "errors": 1,
    ///     "warnings": 0,
    ///     "diagnostics": [{
    ///         "severity": "error",
    ///         "message": "unknown key `upstrem` in a route",
    ///         "help": "did you mean `upstream`?",
    ///         "file": "gateway.yaml",
    ///         "line": 1,
    ///         "column": 21,
    ///         "end": {"line": 1, "column": 28},
    ///         "related": [],
    ///     }],
    /// });
    /// assert_eq!(found, expected);
    /// ```
    ///
    /// Lines and columns count from 1, columns in characters; `end` is the place after the last one. What is about the file as
    /// a whole has no place.
    pub fn to_json(&self) -> String {
        json::document(self).to_string()
    }

    /// Each one, in the order of the lines.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.list.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A line is shown for what else is wrong with it as well.
        let concealed: Vec<_> = self.list.iter().filter(|it| it.concealed).filter_map(|it| it.place).collect();
        for (index, diagnostic) in self.list.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            render::render(f, &self.source, diagnostic, &concealed)?;
        }
        Ok(())
    }
}

/// As they are printed: a test that fails on them is to be read.
impl fmt::Debug for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Diagnostics {}

/// One thing that is wrong, or doubtful.
#[derive(Debug, Clone)]
pub struct Diagnostic {
    severity: Severity,
    message: String,
    place: Option<Place>,
    related: Vec<(Place, String)>,
    help: Option<String>,
    /// Whether what stands at its place is not to be seen.
    concealed: bool,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Severity {
    /// The file cannot be used.
    Error,
    /// The file can be used, but may not do what was meant.
    Warning,
}

impl Diagnostic {
    pub(crate) fn error(place: Option<Place>, message: impl Into<String>) -> Self {
        let (related, help) = Default::default();
        Self { severity: Severity::Error, message: message.into(), place, related, help, concealed: false }
    }

    pub(crate) fn warning(place: Option<Place>, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(place, message) }
    }

    /// Says how to mend it.
    pub(crate) fn help(&mut self, help: impl Into<String>) -> &mut Self {
        self.help = Some(help.into());
        self
    }

    /// Says that what stands at its place is a secret: it is not shown with the line.
    pub(crate) fn conceal(&mut self) -> &mut Self {
        self.concealed = true;
        self
    }

    /// Names another place that has to do with it.
    pub(crate) fn related(&mut self, place: Place, note: impl Into<String>) -> &mut Self {
        self.related.push((place, note.into()));
        self
    }

    /// How bad it is.
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// What is wrong, in a sentence without a full stop.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Where; `None` when it is about the file as a whole.
    pub fn place(&self) -> Option<Place> {
        self.place
    }

    /// The other places that have to do with it, each with what it is.
    pub fn related_places(&self) -> impl Iterator<Item = (Place, &str)> {
        self.related.iter().map(|(place, note)| (*place, note.as_str()))
    }

    /// How to mend it.
    pub fn hint(&self) -> Option<&str> {
        self.help.as_deref()
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}
