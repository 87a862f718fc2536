//! Heads that came before. An endpoint's responses resemble each other: most lines of a head are, byte for byte, what
//! they were the last time, and what is equal need not be read again.

use bytes::{Bytes, BytesMut};
use http::{
    HeaderMap,
    header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING},
};

use super::{
    Malformed,
    lines::Lines,
    parse::{self, Head},
};

/// So many shapes of heads are kept of a connection.
const KEPT: usize = 4;

/// Heads beyond these bounds are not kept.
const MAX_TEXT: usize = 4 << 10;
const MAX_CHANGES: usize = 16;

/// After so many heads that none of those kept fits, at most, another one is kept.
const MAX_PATIENCE: u8 = 63;

/// The heads that a connection keeps.
#[derive(Default)]
pub(super) struct Templates {
    kept: Vec<Template>,
    /// The one that fitted last.
    last: usize,
    /// How many heads are to pass before another one is kept, and how many were to the last time.
    wait: u8,
    patience: u8,
}

/// A head that has been read, in memory of its own.
struct Template {
    text: Bytes,
    /// Where the first field begins.
    first: usize,
    fields: Box<[Line]>,
    head: Head,
}

/// A line of a field.
struct Line {
    /// Where its value begins, white space included, and where the next line does.
    value: u16,
    end: u16,
    role: Role,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Length,
    /// What else says where the response and its connection end.
    Framing,
    Other,
}

/// The lines that differ from a template's: which, and where their values lie.
struct Changes {
    end: usize,
    status: Option<usize>,
    values: [(u16, u16, u16); MAX_CHANGES],
    count: usize,
}

impl Templates {
    /// Takes a head that differs in values alone from one that is kept. Any other one is left to be read the long way.
    pub(super) fn take(&mut self, received: &mut BytesMut) -> Option<Result<Head, Malformed>> {
        let (place, changes) = self.find(received)?;
        let head = self.kept[place].instance(received, &changes)?;
        self.last = place;
        self.patience = self.patience.saturating_sub(1);
        Some(head)
    }

    fn find(&self, received: &[u8]) -> Option<(usize, Changes)> {
        let fitting = |place: usize| Some((place, self.kept.get(place)?.compare(received)?));
        fitting(self.last)
            .or_else(|| (0..self.kept.len()).filter(|place| *place != self.last).find_map(fitting))
    }

    /// Keeps a head that was read the long way.
    pub(super) fn keep(&mut self, head: &[u8], lines: &Lines) {
        if self.wait > 0 {
            self.wait -= 1;
            return;
        }
        self.patience = (self.patience * 2 + 1).min(MAX_PATIENCE);
        self.wait = self.patience;
        let Some(template) = Template::new(head, lines) else { return };
        if self.kept.len() < KEPT {
            self.last = self.kept.len();
            self.kept.push(template);
        } else {
            self.last = (self.last + 1) % KEPT;
            self.kept[self.last] = template;
        }
    }
}

impl Template {
    /// `None` when the head is not of a kind that is kept.
    fn new(head: &[u8], lines: &Lines) -> Option<Self> {
        if head.len() > MAX_TEXT || lines.len() == 0 {
            return None;
        }
        let text = Bytes::copy_from_slice(head);
        let head = Head::read(&text, lines, HeaderMap::with_capacity(lines.len())).ok()?;
        let mut fields = Vec::with_capacity(lines.len());
        // The fields stand in the map as they do in the head, none of them twice.
        if head.headers.keys_len() + 1 != lines.len() {
            return None;
        }
        for ((start, end), name) in lines.iter().skip(1).zip(head.headers.keys()) {
            let length = name.as_str().len();
            if text.get(start + length) != Some(&b':')
                || !text[start..start + length].eq_ignore_ascii_case(name.as_str().as_bytes())
            {
                return None;
            }
            let role = match name {
                name if *name == CONTENT_LENGTH => Role::Length,
                name if *name == CONNECTION || *name == TRANSFER_ENCODING => Role::Framing,
                _ => Role::Other,
            };
            let value = u16::try_from(start + length + 1).ok()?;
            fields.push(Line { value, end: u16::try_from(end + 2).ok()?, role });
        }
        let (_, first) = lines.iter().next()?;
        Some(Self { text, first: first + 2, fields: fields.into(), head })
    }

    /// What differs, when no more than values do.
    fn compare(&self, received: &[u8]) -> Option<Changes> {
        let mut changes = Changes { end: 0, status: None, values: [(0, 0, 0); MAX_CHANGES], count: 0 };
        let mut start = self.first;
        let mut rest = match received.strip_prefix(&self.text[..start]) {
            Some(rest) => rest,
            None => {
                let end = line_end(received)?;
                changes.status = Some(end - 2);
                &received[end..]
            }
        };
        for (place, line) in self.fields.iter().enumerate() {
            let end = usize::from(line.end);
            if let Some(next) = rest.strip_prefix(&self.text[start..end]) {
                rest = next;
            } else {
                let value = rest.strip_prefix(&self.text[start..usize::from(line.value)])?;
                if line.role == Role::Framing {
                    return None;
                }
                let offset = received.len() - value.len();
                let length = line_end(value)?;
                let change = changes.values.get_mut(changes.count)?;
                let end = u16::try_from(offset + length - 2).ok()?;
                *change = (u16::try_from(place).ok()?, u16::try_from(offset).ok()?, end);
                changes.count += 1;
                rest = &value[length..];
            }
            start = end;
        }
        rest = rest.strip_prefix(b"\r\n")?;
        changes.end = received.len() - rest.len();
        Some(changes)
    }

    /// The head with these changes, taken out of what was received.
    fn instance(&self, received: &mut BytesMut, changes: &Changes) -> Option<Result<Head, Malformed>> {
        let mut head = self.head.clone();
        if let Some(end) = changes.status {
            let (version, status) = parse::status_line(&received[..end]).ok()?;
            if version != head.version || status.is_informational() {
                return None;
            }
            head.status = status;
        }
        let text = received.split_to(changes.end).freeze();
        let mut values = head.headers.values_mut();
        let mut next = 0;
        for (place, start, end) in &changes.values[..changes.count] {
            let place = usize::from(*place);
            let value = match parse::value(&text, usize::from(*start), usize::from(*end)) {
                Ok(value) => value,
                Err(malformed) => return Some(Err(malformed)),
            };
            if self.fields[place].role == Role::Length {
                match parse::length(&value, None) {
                    Ok(length) => head.length = Some(length),
                    Err(malformed) => return Some(Err(malformed)),
                }
            }
            if let Some(stale) = values.nth(place - next) {
                *stale = value;
            }
            next = place + 1;
        }
        Some(Ok(head))
    }
}

/// The length of the line that `bytes` begin with, when all of it is there and its end is sound.
fn line_end(bytes: &[u8]) -> Option<usize> {
    let feed = memchr::memchr(b'\n', bytes)?;
    (feed > 0 && bytes[feed - 1] == b'\r').then_some(feed + 1)
}
