//! Splitting a head or a trailer section into lines as its bytes arrive (RFC 9112, section 2.1).

use std::ops::Range;

use crate::{
    field::{self, FieldSpan, Known},
    rules::Rules,
    scan::find_control,
    violation::Violation,
};

/// A scan in progress. All positions count from the section's first byte. Each byte is scanned once, however the section is
/// split over reads.
#[derive(Debug, Default)]
pub(crate) struct Section {
    line_at: usize,
    searched: usize,
}

/// The result of a step of the scan.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// A whole line, without its CRLF.
    Line(Range<usize>),
    /// The next line is not whole.
    More,
}

impl Section {
    /// The next line of `bytes`, which begin at the section's first byte in each call. A section of more than `limit` bytes
    /// is the violation `too_large`. A line holds no control characters other than tabs.
    #[inline]
    pub(crate) fn next(&mut self, bytes: &[u8], limit: usize, too_large: Violation) -> Result<Next, Violation> {
        let mut searched = self.searched;
        while let Some(found) = find_control(&bytes[searched..]) {
            let at = searched + found;
            let (violation, before) = match (bytes[at], bytes.get(at + 1)) {
                (b'\r', Some(b'\n')) => {
                    let line = self.line_at..at;
                    self.line_at = at + 2;
                    self.searched = at + 2;
                    return if self.line_at > limit { Err(too_large) } else { Ok(Next::Line(line)) };
                }
                (b'\t', _) => {
                    searched = at + 1;
                    continue;
                }
                (b'\r', None) => {
                    self.searched = at;
                    return self.more(bytes, limit, too_large);
                }
                (b'\r', Some(_)) => (Violation::BARE_CR, at + 1),
                (b'\n', _) => (Violation::BARE_LF, at),
                _ => (Violation::CONTROL, at),
            };
            // The bytes before the line's end may exceed the limit alone. The result must not depend on how reads split them.
            return Err(if before > limit { too_large } else { violation });
        }
        self.searched = bytes.len();
        self.more(bytes, limit, too_large)
    }

    fn more(&self, bytes: &[u8], limit: usize, too_large: Violation) -> Result<Next, Violation> {
        if bytes.len() > limit { Err(too_large) } else { Ok(Next::More) }
    }

    /// The position of the next line, which is the length of all lines so far.
    pub(crate) fn line_at(&self) -> usize {
        self.line_at
    }

    /// Whether no byte has been scanned.
    pub(crate) fn is_fresh(&self) -> bool {
        self.searched == 0
    }
}

/// A trailer section in progress (RFC 9112, section 7.1.2).
#[derive(Debug, Default)]
pub(crate) struct Trailers {
    section: Section,
    fields: Vec<FieldSpan>,
    /// The number of dropped fields.
    dropped: u16,
}

impl Trailers {
    /// Scans `bytes`, which begin at the section's first byte in each call. Once the section is whole, gives its length, its
    /// empty line included, and its fields.
    pub(crate) fn advance(
        &mut self,
        bytes: &[u8],
        rules: &Rules,
    ) -> Result<Option<(usize, Vec<FieldSpan>)>, Violation> {
        loop {
            match self.section.next(bytes, rules.max_trailers, Violation::TRAILERS_TOO_LARGE)? {
                Next::More => return Ok(None),
                Next::Line(line) if line.is_empty() => {
                    return Ok(Some((self.section.line_at(), std::mem::take(&mut self.fields))));
                }
                Next::Line(line) => {
                    if self.fields.len() + usize::from(self.dropped) >= usize::from(rules.max_fields) {
                        return Err(Violation::TRAILERS_TOO_LARGE);
                    }
                    let Some(field) = field::parse(&bytes[line.clone()], rules)? else {
                        self.dropped = self.dropped.saturating_add(1);
                        continue;
                    };
                    match field.known {
                        None | Some(Known::Te) => self.fields.push(field.span(line.start)),
                        // The message has been forwarded already, so the trailer is dropped (RFC 9110, section 6.5.1).
                        Some(_) if rules.lenient => {}
                        Some(_) => return Err(Violation::TRAILER),
                    }
                }
            }
        }
    }
}
