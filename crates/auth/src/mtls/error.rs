use std::{borrow::Cow, error::Error, fmt};

/// A text that no identity can be made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MtlsError {
    text: Box<str>,
    hint: Cow<'static, str>,
}

impl MtlsError {
    pub(super) fn pattern(text: &str, hint: impl Into<Cow<'static, str>>) -> Self {
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

impl fmt::Display for MtlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.text, self.hint)
    }
}

impl Error for MtlsError {}
