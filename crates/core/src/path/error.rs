use std::fmt;

/// Why a path is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PathError {
    /// It does not start with `/`.
    NotAbsolute,
    /// It holds a `%` without two hex digits after it.
    BadEscape,
    /// It holds an encoded slash.
    EncodedSlash,
    /// It holds a backslash, raw or encoded.
    Backslash,
    /// It holds a control character, raw or encoded.
    Control,
    /// It holds a `#`.
    Fragment,
    /// It holds a `?`.
    Query,
    /// It holds `.`, `..` or an empty segment with a parameter, or dots next to an encoded slash, or where a rewrite has put it.
    DotSegment,
    /// It holds a parameter (`;x`), and a server that takes it away reads the path of another route.
    Parameter,
    /// It is longer than a URI may be.
    TooLong,
}

impl PathError {
    /// A short stable word for logs and metrics.
    pub fn reason(self) -> &'static str {
        match self {
            Self::NotAbsolute => "path_not_absolute",
            Self::BadEscape => "path_bad_escape",
            Self::EncodedSlash => "path_encoded_slash",
            Self::Backslash => "path_backslash",
            Self::Control => "path_control",
            Self::Fragment => "path_fragment",
            Self::Query => "path_query",
            Self::DotSegment => "path_dot_segment",
            Self::Parameter => "path_parameter",
            Self::TooLong => "path_too_long",
        }
    }
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAbsolute => "the path does not start with `/`",
            Self::BadEscape => "the path holds a `%` without two hex digits after it",
            Self::EncodedSlash => "the path holds an encoded slash (`%2f`)",
            Self::Backslash => "the path holds a backslash",
            Self::Control => "the path holds a control character",
            Self::Fragment => "the path holds a `#`",
            Self::Query => "the path holds a `?`",
            Self::DotSegment => {
                "the path holds a segment (`..`, `.;x` or `;x`) that servers resolve in different ways"
            }
            Self::Parameter => "the path without its parameter (`;x`) belongs to another route",
            Self::TooLong => "the path is too long",
        })
    }
}

impl std::error::Error for PathError {}
