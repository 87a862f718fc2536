//! The lines of a head or of a trailer section, found as their bytes come (RFC 9112, section 2.1).

use std::ops::Range;

use crate::{
    field::{self, FieldSpan, Known},
    rules::Rules,
    scan::find_control,
    violation::Violation,
};

/// A scan in progress. All places are relative to the section's first byte. Each byte is looked at once, however the
/// section is split over reads.
#[derive(Debug, Default)]
pub(crate) struct Section {
    line_at: usize,
    searched: usize,
}

/// What a section's bytes go on with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// A whole line, without its end.
    Line(Range<usize>),
    /// Nothing that is whole.
    More,
}

impl Section {
    /// The next line of `bytes`, which begin at the section's first byte each time. A section of more than `limit`
    /// bytes is `too_large`. A line holds no control characters other than tabs.
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
            // The bytes before may have been too many, had they come by themselves.
            return Err(if before > limit { too_large } else { violation });
        }
        self.searched = bytes.len();
        self.more(bytes, limit, too_large)
    }

    fn more(&self, bytes: &[u8], limit: usize, too_large: Violation) -> Result<Next, Violation> {
        if bytes.len() > limit { Err(too_large) } else { Ok(Next::More) }
    }

    /// Where the next line begins: the length of what has been given.
    pub(crate) fn line_at(&self) -> usize {
        self.line_at
    }

    /// Whether nothing has been looked at.
    pub(crate) fn is_fresh(&self) -> bool {
        self.searched == 0
    }
}

/// A trailer section in progress (RFC 9112, section 7.1.2).
#[derive(Debug, Default)]
pub(crate) struct Trailers {
    section: Section,
    fields: Vec<FieldSpan>,
    /// Fields that were left out.
    dropped: u16,
}

impl Trailers {
    /// Goes on with `bytes`, which begin at the section's first byte each time. Gives the length of the section, its
    /// empty line included, and its fields, when all of it is there.
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
                        // The message has been forwarded by now (RFC 9110, section 6.5.1).
                        Some(_) if rules.lenient => {}
                        Some(_) => return Err(Violation::TRAILER),
                    }
                }
            }
        }
    }
}
