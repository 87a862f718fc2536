//! The limits and switches of the readers.

/// The limits and switches of the readers. The defaults are for requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rules {
    /// The most bytes of a head, its empty line included.
    pub max_head: usize,
    /// The most bytes of a request's target.
    pub max_target: usize,
    /// The most field lines of a head or of a trailer section.
    pub max_fields: u16,
    /// The most bytes of a trailer section, its empty line included.
    pub max_trailers: usize,
    /// The most bytes of the chunk extensions of a whole body.
    pub max_extensions: u32,
    /// What to do with fields whose names hold characters other than letters, digits and hyphens.
    pub names: Names,
    /// Whether to accept forms that endpoints may send and clients may not: white space after a chunk's size, as some old
    /// servers write it; chunk extensions of any form; trailers that frame or route, which are dropped; and field names that
    /// look like a framing field except for an `_`.
    pub lenient: bool,
}

/// What to do with fields whose names are tokens (RFC 9110, section 5.6.2) with characters other than letters, digits and
/// hyphens. Many servers read `_` and `.` in a name as `-`, so two fields that were checked separately become one field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Names {
    /// The fields are dropped.
    Drop,
    /// The message is refused.
    Refuse,
    /// The fields are kept. A message with a field that looks like a framing or routing field (`Content_Length`) is refused.
    Pass,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            max_head: 64 << 10,
            max_target: 8 << 10,
            max_fields: 100,
            max_trailers: 16 << 10,
            max_extensions: 16 << 10,
            names: Names::Drop,
            lenient: false,
        }
    }
}

impl Rules {
    /// The defaults for responses: every token is a name, and the lenient forms are accepted.
    pub fn for_responses() -> Self {
        Self { max_fields: 256, names: Names::Pass, lenient: true, ..Self::default() }
    }
}
