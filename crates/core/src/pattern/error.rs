use std::{borrow::Cow, fmt, ops::Range};

/// A text is no pattern, or no template for its pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatternError {
    text: Box<str>,
    place: Range<usize>,
    hint: Cow<'static, str>,
}

impl PatternError {
    pub(super) fn new(text: &str, place: Range<usize>, hint: impl Into<Cow<'static, str>>) -> Self {
        Self { text: text.into(), place, hint: hint.into() }
    }

    /// The text, as it was given.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where in the text, in bytes.
    pub fn place(&self) -> Range<usize> {
        self.place.clone()
    }

    /// How to mend it.
    pub fn hint(&self) -> &str {
        &self.hint
    }
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = &self.text[self.place.clone()];
        match part {
            "" => write!(f, "`{}`: {}", self.text, self.hint),
            _ if part.len() == self.text.len() => write!(f, "`{part}`: {}", self.hint),
            _ => write!(f, "`{part}` in `{}`, at byte {}: {}", self.text, self.place.start, self.hint),
        }
    }
}

impl std::error::Error for PatternError {}
