use std::{borrow::Cow, fmt};

use gatewright_core::pattern::PatternError;

/// A text that a rewrite or a redirect cannot be made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RewriteError {
    text: Box<str>,
    hint: Cow<'static, str>,
}

impl RewriteError {
    pub(crate) fn new(text: &str, hint: impl Into<Cow<'static, str>>) -> Self {
        Self { text: text.into(), hint: hint.into() }
    }

    /// The text at fault.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What is wrong with it, or how to mend it.
    pub fn hint(&self) -> &str {
        &self.hint
    }
}

impl From<PatternError> for RewriteError {
    fn from(error: PatternError) -> Self {
        Self::new(error.text(), error.hint().to_owned())
    }
}

impl fmt::Display for RewriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.text, self.hint)
    }
}

impl std::error::Error for RewriteError {}
