//! The cache of earlier heads of a connection.
//!
//! The heads that a peer sends resemble each other: most lines repeat the last head byte for byte, and a line that was
//! checked once need not be checked again.
//!
//! Invariants:
//!
//! 1. A kept head was parsed in full and broke no rule. It is at most `MAX_HEAD` bytes long and has no field twice, so the
//!    fields stand in the map in the order of the lines.
//! 2. A new head fits a kept head only if it has the same names in the same order, and differs only in the values of fields
//!    with the role `Length` or `Other`, in at most `MAX_CHANGES` of them. Fields that route or frame the message must be
//!    equal byte for byte.
//! 3. A changed value is checked for control characters and loses the white space around it, as in the parser.
//! 4. A head from the cache is therefore equal to the head that the parser would give. A head that does not fit, or that may
//!    be wrong, is parsed in full.
//! 5. At most `N` heads are kept, in memory of their own, so that no receive buffer is held by the cache.

use std::ops::Range;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};

use crate::field::{self, ADDED, FieldSpan};

/// Longer heads are not kept.
const MAX_HEAD: usize = 4 << 10;
/// Heads with more changed values are parsed in full.
const MAX_CHANGES: usize = 16;

/// The most heads without a fit that pass before another head is kept.
const MAX_BACKOFF: u8 = 63;

/// Up to `N` heads of a connection, each with the facts about it.
#[derive(Debug)]
pub(crate) struct HeadCache<T, const N: usize> {
    kept: Vec<(KeptHead, T)>,
    /// The index of the head that fitted last.
    last: usize,
    /// The number of heads to skip before another head is kept.
    skip: u8,
    /// The number of heads to skip the next time. It doubles with each head that is kept, and falls with each fit.
    backoff: u8,
}

impl<T, const N: usize> HeadCache<T, N> {
    /// A cache that skips so many heads before it keeps the first.
    pub(crate) fn after(heads: u8) -> Self {
        Self { kept: Vec::new(), last: 0, skip: heads, backoff: 0 }
    }

    /// The first kept head for which `fits` gives a value. The head that fitted last is tried first.
    #[inline]
    pub(crate) fn find<R>(&mut self, fits: impl Fn(&KeptHead, &T) -> Option<R>) -> Option<(&KeptHead, &T, R)> {
        let fitting = |place: usize| {
            let (head, known) = self.kept.get(place)?;
            Some((place, fits(head, known)?))
        };
        let others = || (0..self.kept.len()).filter(|place| *place != self.last).find_map(fitting);
        let (place, found) = fitting(self.last).or_else(others)?;
        self.last = place;
        self.backoff = self.backoff.saturating_sub(1);
        let (head, known) = &self.kept[place];
        Some((head, known, found))
    }

    /// Keeps a head that was parsed in full, unless it is to be skipped. A connection whose heads never resemble each other
    /// seldom keeps one, so it does not pay for a cache that does not help.
    pub(crate) fn keep(&mut self, make: impl FnOnce() -> Option<(KeptHead, T)>) {
        if self.skip > 0 {
            self.skip -= 1;
            return;
        }
        self.backoff = (self.backoff * 2 + 1).min(MAX_BACKOFF);
        self.skip = self.backoff;
        let Some(kept) = make() else { return };
        if self.kept.len() < N {
            self.last = self.kept.len();
            self.kept.push(kept);
        } else {
            self.last = (self.last + 1) % N;
            self.kept[self.last] = kept;
        }
    }

    #[cfg(test)]
    pub(crate) fn newest(&self) -> Option<&[u8]> {
        self.kept.get(self.last).map(|(head, _)| &*head.text)
    }
}

/// A head that broke no rule, in memory of its own.
#[derive(Debug)]
pub(crate) struct KeptHead {
    text: Bytes,
    /// Where the first field begins.
    fields_at: usize,
    lines: Box<[Line]>,
    headers: HeaderMap,
}

#[derive(Debug)]
struct Line {
    /// The position after the colon, where the value with its white space begins.
    value_at: u16,
    /// The position of the next line.
    end: u16,
    /// The index of the field in the map, unless its role is `Unmapped`.
    index: u16,
    role: Role,
}

/// The role of a field in its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// The length of the body. Its value may change, and is parsed again.
    Length,
    /// The field routes the message, or frames it, or ends its connection. Its value may not change.
    Framing,
    /// Like `Framing`, and the field does not stand in the map.
    Unmapped,
    /// Any other field. Its value may change.
    Other,
}

/// The differences between a new head and a kept head.
pub(crate) struct Changes {
    /// The length of the new head.
    pub(crate) length: usize,
    /// The index of each changed line, and the range of its new value.
    values: [(u16, u16, u16); MAX_CHANGES],
    count: usize,
}

impl KeptHead {
    /// Copies a head with these fields. `None` if the head is too long or has a field twice.
    pub(crate) fn new(head: &[u8], fields: &[FieldSpan], role: impl Fn(&[u8], &[u8]) -> Role) -> Option<Self> {
        if head.len() > MAX_HEAD {
            return None;
        }
        let text = Bytes::copy_from_slice(head);
        let mut headers = HeaderMap::with_capacity(fields.len() + ADDED);
        let mut starts = fields.iter().map(|field| field.name.start).skip(1);
        let mut lines = Vec::with_capacity(fields.len());
        for field in fields {
            let (name, value) = (text.get(field.name.clone())?, text.get(field.value.clone())?);
            let (index, role) = (headers.len(), role(name, value));
            if role != Role::Unmapped {
                let (name, value) = field::name_and_value(&text, field).ok()?;
                headers.try_append(name, value).ok()?;
                // A repeated field would break the order of the map.
                if headers.keys_len() == index {
                    return None;
                }
            }
            lines.push(Line {
                value_at: u16::try_from(field.name.end + 1).ok()?,
                end: u16::try_from(starts.next().unwrap_or(head.len() - 2)).ok()?,
                index: u16::try_from(index).ok()?,
                role,
            });
        }
        let fields_at = fields.first()?.name.start;
        Some(Self { text, fields_at, lines: lines.into(), headers })
    }

    /// The start line with its CRLF.
    pub(crate) fn start_line(&self) -> &[u8] {
        &self.text[..self.fields_at]
    }

    /// Compares the fields of a new head, which begin at `at`, after a start line that has been checked.
    #[inline]
    pub(crate) fn compare(&self, received: &[u8], at: usize) -> Option<Changes> {
        let mut changes = Changes { length: 0, values: [(0, 0, 0); MAX_CHANGES], count: 0 };
        let rest = received.get(at..)?;
        let kept = &self.text[self.fields_at..];
        if rest.starts_with(kept) {
            changes.length = at + kept.len();
            return Some(changes);
        }
        self.compare_lines(received, at, changes)
    }

    fn compare_lines(&self, received: &[u8], mut at: usize, mut changes: Changes) -> Option<Changes> {
        let mut start = self.fields_at;
        for (place, line) in self.lines.iter().enumerate() {
            let rest = &received[at..];
            let end = usize::from(line.end);
            if rest.starts_with(&self.text[start..end]) {
                at += end - start;
            } else {
                let name = &self.text[start..usize::from(line.value_at)];
                if !rest.starts_with(name) || matches!(line.role, Role::Framing | Role::Unmapped) {
                    return None;
                }
                let value_at = at + name.len();
                let next = value_at + line_length(&received[value_at..])?;
                let value = trimmed(received, value_at..next - 2);
                if received[value.clone()].iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
                    return None;
                }
                let change = changes.values.get_mut(changes.count)?;
                *change = (place.try_into().ok()?, value.start.try_into().ok()?, value.end.try_into().ok()?);
                changes.count += 1;
                at = next;
            }
            start = end;
        }
        received[at..].starts_with(b"\r\n").then(|| {
            changes.length = at + 2;
            changes
        })
    }

    /// The new value of the length, if it has changed.
    pub(crate) fn changed_length<'a>(&self, received: &'a [u8], changes: &Changes) -> Option<&'a [u8]> {
        let is_length = |(line, ..): &&(u16, u16, u16)| self.lines[usize::from(*line)].role == Role::Length;
        let (_, start, end) = changes.values[..changes.count].iter().find(is_length)?;
        Some(&received[usize::from(*start)..usize::from(*end)])
    }

    /// The fields with the changed values, which are slices of `head`.
    pub(crate) fn headers(&self, head: &Bytes, changes: &Changes) -> HeaderMap {
        let mut headers = self.headers.clone();
        headers.reserve(ADDED);
        let (mut values, mut next) = (headers.values_mut(), 0);
        for (line, start, end) in &changes.values[..changes.count] {
            let index = usize::from(self.lines[usize::from(*line)].index);
            if let Some(stale) = values.nth(index - next)
                && let Ok(value) =
                    HeaderValue::from_maybe_shared(head.slice(usize::from(*start)..usize::from(*end)))
            {
                *stale = value;
            }
            next = index + 1;
        }
        headers
    }
}

/// The length of the first line, CRLF included, if the whole line is there and ends with CRLF.
pub(crate) fn line_length(bytes: &[u8]) -> Option<usize> {
    let feed = memchr::memchr(b'\n', bytes)?;
    (feed > 0 && bytes[feed - 1] == b'\r').then_some(feed + 1)
}

/// The range of the value without the white space around it.
fn trimmed(received: &[u8], value: Range<usize>) -> Range<usize> {
    let is_white = |at: &usize| matches!(received[*at], b' ' | b'\t');
    let start = value.clone().find(|at| !is_white(at)).unwrap_or(value.end);
    let end = (start..value.end).rev().find(|at| !is_white(at)).map_or(start, |at| at + 1);
    start..end
}

#[cfg(test)]
mod tests;
