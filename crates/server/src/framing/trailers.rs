//! The trailer section of a chunked body (RFC 9112, section 7.1.2).

use super::{
    fields::{self, FieldSpan, Known},
    head::Rules,
    scan::find_control,
    violation::Violation,
};

/// No gateway needs more.
const MAX_TRAILERS: usize = 16 * 1024 - 1;

/// A scan in progress. All places are relative to the section's first byte.
#[derive(Debug, Default)]
pub(super) struct TrailerScan {
    line_at: usize,
    searched: usize,
}

impl TrailerScan {
    /// Goes on with `bytes`, which begin at the section's first byte each time. Gives the length of the section, its
    /// empty line included; `None` asks for more. The places of its fields are added to `fields`.
    pub(super) fn advance(
        &mut self,
        bytes: &[u8],
        rules: &Rules,
        fields: &mut Vec<FieldSpan>,
    ) -> Result<Option<usize>, Violation> {
        while let Some(found) = find_control(&bytes[self.searched..]) {
            let at = self.searched + found;
            match (bytes[at], bytes.get(at + 1)) {
                (b'\r', Some(b'\n')) => {
                    let (line, line_at) = (&bytes[self.line_at..at], self.line_at);
                    self.line_at = at + 2;
                    self.searched = at + 2;
                    if self.line_at > MAX_TRAILERS {
                        return Err(Violation::TRAILERS_TOO_LARGE);
                    }
                    if line.is_empty() {
                        return Ok(Some(self.line_at));
                    }
                    fields.push(field(line, line_at, rules, fields.len())?);
                }
                (b'\r', Some(_)) => return Err(Violation::BARE_CR),
                (b'\r', None) => {
                    self.searched = at;
                    return partial(bytes);
                }
                (b'\t', _) => self.searched = at + 1,
                (b'\n', _) => return Err(Violation::BARE_LF),
                _ => return Err(Violation::CONTROL),
            }
        }
        self.searched = bytes.len();
        partial(bytes)
    }
}

/// What frames, routes or modifies a request means nothing once it has been forwarded (RFC 9110, section 6.5.1).
fn field(line: &[u8], line_at: usize, rules: &Rules, before: usize) -> Result<FieldSpan, Violation> {
    if before >= usize::from(rules.max_fields) {
        return Err(Violation::TRAILERS_TOO_LARGE);
    }
    let field = fields::parse(line, rules.allow_underscore)?;
    match field.known {
        None | Some(Known::Te) => Ok(field.span(line_at)),
        Some(_) => Err(Violation::TRAILER),
    }
}

fn partial(bytes: &[u8]) -> Result<Option<usize>, Violation> {
    if bytes.len() > MAX_TRAILERS { Err(Violation::TRAILERS_TOO_LARGE) } else { Ok(None) }
}
