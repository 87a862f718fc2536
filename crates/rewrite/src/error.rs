use std::borrow::Cow;

use gatewright_core::pattern::PatternError;

/// A rewrite or a redirect cannot be made of this text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}`: {hint}")]
pub struct RewriteError {
    text: Box<str>,
    hint: Cow<'static, str>,
}

impl RewriteError {
    pub(crate) fn new(text: &str, hint: impl Into<Cow<'static, str>>) -> Self {
        Self { text: text.into(), hint: hint.into() }
    }

    /// The text that is wrong.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What is wrong with the text, or how to mend it.
    pub fn hint(&self) -> &str {
        &self.hint
    }
}

impl From<PatternError> for RewriteError {
    fn from(error: PatternError) -> Self {
        Self::new(error.text(), error.hint().to_owned())
    }
}
