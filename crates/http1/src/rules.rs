//! The limits and switches of what is read.

/// The limits and switches of what is read. The defaults are those for requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rules {
    /// Bytes of a head at most, its empty line included.
    pub max_head: usize,
    /// Bytes of a request's target at most.
    pub max_target: usize,
    /// Field lines of a head or of a trailer section at most.
    pub max_fields: u16,
    /// Bytes of a trailer section at most, its empty line included.
    pub max_trailers: usize,
    /// Bytes of the chunk extensions of a whole body at most.
    pub max_extensions: u32,
    /// What becomes of fields whose names are of other characters than letters, digits and hyphens.
    pub names: Names,
    /// What endpoints may do and clients may not: pad a chunk's size line with white space, as some old servers do, write
    /// chunk extensions of any form, send fields in trailers that frame or route, which are dropped, and fields whose names
    /// read like those save for an `_`.
    pub lenient: bool,
}

/// What becomes of fields whose names are tokens (RFC 9110, section 5.6.2) of other characters than letters, digits and
/// hyphens. Many servers read `_` and `.` in a name as `-`, so that two fields become one behind the checks of both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Names {
    /// They are left out, as if they had not come.
    Drop,
    /// The message is refused.
    Refuse,
    /// They are received, save those that read like a field that frames or routes (`Content_Length`): the message is
    /// refused.
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
    /// The defaults for responses: names are any token, and chunks may be padded.
    pub fn for_responses() -> Self {
        Self { max_fields: 256, names: Names::Pass, lenient: true, ..Self::default() }
    }
}
