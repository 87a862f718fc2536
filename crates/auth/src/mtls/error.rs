use std::borrow::Cow;

/// A pattern that no identity can match.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}`: {hint}")]
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

    /// The problem with the text, or the way to fix it.
    pub fn hint(&self) -> &str {
        &self.hint
    }
}
