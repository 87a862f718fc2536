//! The memory of heads that came before on a connection.
//!
//! The heads that a peer sends resemble each other: most lines are, byte for byte, those of the last head, and what has
//! been proven once need not be proven again. A head is taken from memory only where it differs in the values of fields
//! that do not say where the message goes or ends; any other head, and one that may be wrong, is read the long way.

use std::ops::Range;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};

use crate::field::{self, ADDED, FieldSpan};

/// Heads beyond these bounds are not kept.
const MAX_HEAD: usize = 4 << 10;
const MAX_CHANGES: usize = 16;

/// After so many heads that none of those kept fits, at most, another one is kept.
const MAX_PATIENCE: u8 = 63;

/// Up to `N` heads of a connection, each with what is known of it.
#[derive(Debug)]
pub(crate) struct HeadCache<T, const N: usize> {
    kept: Vec<(KeptHead, T)>,
    /// The one that fitted last.
    last: usize,
    /// How many heads are to pass before another one is kept, and how many were to the last time.
    wait: u8,
    patience: u8,
}

impl<T, const N: usize> HeadCache<T, N> {
    /// A cache that lets so many heads pass before it keeps the first.
    pub(crate) fn after(heads: u8) -> Self {
        Self { kept: Vec::new(), last: 0, wait: heads, patience: 0 }
    }

    /// The first of the heads kept for which `fits` gives something, those first that fitted last.
    #[inline]
    pub(crate) fn find<R>(&mut self, fits: impl Fn(&KeptHead, &T) -> Option<R>) -> Option<(&KeptHead, &T, R)> {
        let fitting = |place: usize| {
            let (head, known) = self.kept.get(place)?;
            Some((place, fits(head, known)?))
        };
        let others = || (0..self.kept.len()).filter(|place| *place != self.last).find_map(fitting);
        let (place, found) = fitting(self.last).or_else(others)?;
        self.last = place;
        self.patience = self.patience.saturating_sub(1);
        let (head, known) = &self.kept[place];
        Some((head, known, found))
    }

    /// Keeps what `make` gives of a head that was read the long way. A connection whose heads never resemble each other
    /// seldom keeps one.
    pub(crate) fn keep(&mut self, make: impl FnOnce() -> Option<(KeptHead, T)>) {
        if self.wait > 0 {
            self.wait -= 1;
            return;
        }
        self.patience = (self.patience * 2 + 1).min(MAX_PATIENCE);
        self.wait = self.patience;
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

/// A head that has been proven, in memory of its own.
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
    /// Where the value may begin, white space included: after the colon.
    value_at: u16,
    /// Where the next line begins.
    end: u16,
    /// Its place in the map, for those that stand there.
    index: u16,
    role: Role,
}

/// What a field is to its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Length,
    /// It says where the message goes, or where it and its connection end: its value may not change.
    Framing,
    /// The same, and it does not stand in the map.
    Heard,
    Other,
}

/// Where a head differs from one that is kept.
pub(crate) struct Changes {
    /// The length of the new head.
    pub(crate) length: usize,
    values: [(u16, u16, u16); MAX_CHANGES],
    count: usize,
}

impl KeptHead {
    /// Copies a head with these fields. `None` when it is not of a kind that is kept: it is too long, or has a field
    /// twice.
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
            if role != Role::Heard {
                let (name, value) = field::name_and_value(&text, field).ok()?;
                headers.try_append(name, value).ok()?;
                // The fields stand in the map as they do in the head, none of them twice.
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

    /// The start line, with its end.
    pub(crate) fn start_line(&self) -> &[u8] {
        &self.text[..self.fields_at]
    }

    /// Compares the fields of a head in `received` that begin at `at`, after a start line that is known to be sound.
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
                if !rest.starts_with(name) || matches!(line.role, Role::Framing | Role::Heard) {
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

    /// The value of the length, when it is among the changes.
    pub(crate) fn changed_length<'a>(&self, received: &'a [u8], changes: &Changes) -> Option<&'a [u8]> {
        let is_length = |(line, ..): &&(u16, u16, u16)| self.lines[usize::from(*line)].role == Role::Length;
        let (_, start, end) = changes.values[..changes.count].iter().find(is_length)?;
        Some(&received[usize::from(*start)..usize::from(*end)])
    }

    /// The fields with these changes, which are slices of `head`.
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

/// The length of the line that `bytes` begin with, its end included, when all of it is there and its end is sound.
pub(crate) fn line_length(bytes: &[u8]) -> Option<usize> {
    let feed = memchr::memchr(b'\n', bytes)?;
    (feed > 0 && bytes[feed - 1] == b'\r').then_some(feed + 1)
}

/// The value without the white space around it.
fn trimmed(received: &[u8], value: Range<usize>) -> Range<usize> {
    let is_white = |at: &usize| matches!(received[*at], b' ' | b'\t');
    let start = value.clone().find(|at| !is_white(at)).unwrap_or(value.end);
    let end = (start..value.end).rev().find(|at| !is_white(at)).map_or(start, |at| at + 1);
    start..end
}

#[cfg(test)]
mod tests;
