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
    /// Which field names may be received.
    pub names: Names,
    /// What endpoints may do and clients may not: pad a chunk's size line with white space, as some old servers do, write
    /// chunk extensions of any form, and send fields in trailers that frame or route, which are dropped.
    pub lenient: bool,
}

/// Which field names may be received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Names {
    /// Letters, digits and `-`.
    Plain,
    /// The same, and `_`, save in an alias of a field that frames or routes.
    Underscore,
    /// Any token (RFC 9110, section 5.6.2).
    Token,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            max_head: 64 << 10,
            max_target: 8 << 10,
            max_fields: 100,
            max_trailers: 16 << 10,
            max_extensions: 16 << 10,
            names: Names::Plain,
            lenient: false,
        }
    }
}

impl Rules {
    /// The defaults for responses: names are any token, and chunks may be padded.
    pub fn for_responses() -> Self {
        Self { max_fields: 256, names: Names::Token, lenient: true, ..Self::default() }
    }
}
