//! The head that came before. A client's requests resemble each other: on a connection that is kept, most lines of a
//! head are, byte for byte, those of the last one, and what has been proven once need not be proven again.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use gatewright_core::Body;
use http::{HeaderMap, HeaderValue, Request, Uri};

use super::request;
use crate::framing::{BodyLength, FieldSpan, Head, Rules, content_length, origin_request_line};

/// Heads beyond these bounds are not kept.
const MAX_HEAD: usize = 2 * 1024;
const MAX_CHANGES: usize = 8;

/// After so many heads that do not fit the one kept, at most, another one is kept.
const MAX_PATIENCE: u8 = 63;

/// The head that a connection keeps while it is in use.
#[derive(Default)]
pub(super) struct Familiar {
    kept: Option<Box<Kept>>,
    /// How many heads are to pass before another one is kept, and how many were to the last time. A connection that
    /// brings one request alone keeps none.
    wait: u8,
    patience: u8,
}

/// A head that framing has proven, in memory of its own.
struct Kept {
    head: Head,
    text: Bytes,
    request_line: Range<usize>,
    fields: Vec<Line>,
    headers: HeaderMap,
    uri: Uri,
}

struct Line {
    end: usize,
    /// Where the value may begin: after the colon.
    value_at: usize,
    role: Role,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Length,
    /// What else says where the request goes and where it and its connection end.
    Framing,
    Other,
}

/// A field whose value differs from the one kept.
struct Change {
    field: usize,
    value: Range<usize>,
}

impl Familiar {
    /// Takes from `input` a head that differs from the one kept in its method, its target and the values of fields that
    /// framing need not know. Any other one, and one that may be wrong, is left to be read the long way.
    pub(super) fn take(&mut self, input: &mut BytesMut, rules: &Rules) -> Option<(Head, Request<Body>)> {
        let found = self.kept.as_ref()?.take(input, rules)?;
        self.patience = self.patience.saturating_sub(1);
        Some(found)
    }

    /// Keeps a head that was read the long way.
    pub(super) fn keep(&mut self, head: &Head, bytes: &[u8], fields: &[FieldSpan]) {
        if self.wait > 0 {
            self.wait -= 1;
            return;
        }
        let first = self.patience == 0 && self.kept.is_none();
        self.patience = (self.patience * 2 + 1).min(MAX_PATIENCE);
        self.wait = self.patience;
        if first {
            self.wait = 0;
            return;
        }
        if let Some(kept) = Kept::new(head, bytes, fields) {
            self.kept = Some(Box::new(kept));
        }
    }

    /// Gives memory back while the connection is idle.
    pub(super) fn release(&mut self) {
        *self = Self::default();
    }
}

impl Kept {
    /// `None` when the head is not of a kind that is kept.
    fn new(head: &Head, bytes: &[u8], fields: &[FieldSpan]) -> Option<Self> {
        let text = Bytes::copy_from_slice(bytes.get(..head.length.min(MAX_HEAD))?);
        let expects = fields.iter().any(|field| text.get(field.name.clone()).is_some_and(is_expect));
        // One after a blank line is not met twice; what an upgrade or an expectation means depends on more than lines.
        if text.len() < head.length || head.method.start != 0 || head.upgrade.is_some() || expects {
            return None;
        }
        let mut starts = fields.iter().map(|field| field.name.start).skip(1);
        let lines = fields.iter().map(|field| Line {
            end: starts.next().unwrap_or(head.length - 2),
            value_at: field.name.end + 1,
            role: role(&text[field.name.clone()]),
        });
        let lines: Vec<_> = lines.collect();
        let headers = request::fields(&text, fields)?;
        // The fields stand in the map as they do in the head, none of them twice.
        if headers.keys_len() != fields.len() {
            return None;
        }
        let request_line = 0..fields.first()?.name.start;
        let uri = Uri::from_maybe_shared(text.slice(head.target.clone())).ok()?;
        Some(Self { head: head.clone(), text, request_line, fields: lines, headers, uri })
    }

    fn take(&self, input: &mut BytesMut, rules: &Rules) -> Option<(Head, Request<Body>)> {
        let mut head = self.head.clone();
        let same_line = input.starts_with(&self.text[self.request_line.clone()]);
        let fields_at = if same_line { self.request_line.end } else { line_length(input)? };
        if !same_line {
            let line = origin_request_line(&input[..fields_at - 2], rules)?;
            (head.method, head.target, _) = line;
            if line.2 != head.version {
                return None;
            }
        }
        let mut changes = [const { None }; MAX_CHANGES];
        head.length = self.compare(input, fields_at, &mut changes)?;
        if head.length > rules.max_head {
            return None;
        }
        // Everything that may fail comes before the bytes are taken.
        let method = http::Method::from_bytes(&input[head.method.clone()]).ok()?;
        for change in changes.iter().flatten() {
            let value = &input[change.value.clone()];
            if value
                .iter()
                .fold(false, |wrong, byte| wrong | (*byte < 0x20 && *byte != b'\t') | (*byte == 0x7f))
            {
                return None;
            }
            if self.fields[change.field].role == Role::Length {
                head.body = match content_length(value)? {
                    0 => BodyLength::None,
                    length => BodyLength::Known(length),
                };
            }
        }
        let mut request = Request::new(Body::empty());
        *request.method_mut() = method;
        *request.version_mut() = head.version;
        let bytes = input.split_to(head.length).freeze();
        *request.uri_mut() = match same_line {
            true => self.uri.clone(),
            // Framing has proven it.
            false => Uri::from_maybe_shared(bytes.slice(head.target.clone())).unwrap_or_default(),
        };
        let headers = request.headers_mut();
        *headers = self.headers.clone();
        let (mut values, mut next) = (headers.values_mut(), 0);
        for change in changes.into_iter().flatten() {
            if let Some(stale) = values.nth(change.field - next)
                && let Ok(value) = HeaderValue::from_maybe_shared(bytes.slice(change.value))
            {
                *stale = value;
            }
            next = change.field + 1;
        }
        Some((head, request))
    }

    /// Finds the changed values of a head whose fields begin at `at`, and gives its length.
    fn compare(&self, input: &[u8], at: usize, changes: &mut [Option<Change>; MAX_CHANGES]) -> Option<usize> {
        let kept = &self.text[self.request_line.end..];
        if input[at..].starts_with(kept) {
            return Some(at + kept.len());
        }
        let (mut at, mut start) = (at, self.request_line.end);
        let mut places = changes.iter_mut();
        for (field, line) in self.fields.iter().enumerate() {
            let rest = &input[at..];
            if rest.starts_with(&self.text[start..line.end]) {
                at += line.end - start;
            } else {
                let name = &self.text[start..line.value_at];
                if !rest.starts_with(name) || line.role == Role::Framing {
                    return None;
                }
                let value_at = at + name.len();
                let next = value_at + line_length(&input[value_at..])?;
                *places.next()? = Some(Change { field, value: trimmed(input, value_at..next - 2) });
                at = next;
            }
            start = line.end;
        }
        input[at..].starts_with(b"\r\n").then_some(at + 2)
    }
}

fn is_expect(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"expect")
}

fn role(name: &[u8]) -> Role {
    const FRAMING: [&[u8]; 4] = [b"host", b"connection", b"transfer-encoding", b"te"];
    if name.eq_ignore_ascii_case(b"content-length") {
        Role::Length
    } else if FRAMING.iter().any(|framing| name.eq_ignore_ascii_case(framing)) {
        Role::Framing
    } else {
        Role::Other
    }
}

/// The length of the line that `bytes` begin with, its end included, when all of it is there and its end is sound.
fn line_length(bytes: &[u8]) -> Option<usize> {
    let feed = memchr::memchr(b'\n', bytes)?;
    (feed > 0 && bytes[feed - 1] == b'\r').then_some(feed + 1)
}

/// The value without the white space around it.
fn trimmed(input: &[u8], value: Range<usize>) -> Range<usize> {
    let is_white = |at: &usize| matches!(input[*at], b' ' | b'\t');
    let start = value.clone().find(|at| !is_white(at)).unwrap_or(value.end);
    let end = (start..value.end).rev().find(|at| !is_white(at)).map_or(start, |at| at + 1);
    start..end
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::framing::{Follower, Step, tests::message};

    const RULES: Rules = Rules { max_head: 4096, max_target: 1024, max_fields: 100, allow_underscore: false };

    /// What the long way makes of it.
    fn read(bytes: &[u8]) -> Option<(Head, Request<Body>, Follower)> {
        let mut follower = Follower::new(RULES);
        match follower.step(bytes) {
            Ok(Step::Head(head)) => {
                let text = Bytes::copy_from_slice(&bytes[..head.length]);
                let request = request::build(&head, &text, follower.fields()).ok()?;
                Some((head, request, follower))
            }
            _ => None,
        }
    }

    /// One that has met this head twice.
    fn met(bytes: &[u8]) -> Familiar {
        let mut familiar = Familiar::default();
        if let Some((head, _, follower)) = read(bytes) {
            familiar.keep(&head, bytes, follower.fields());
            assert!(familiar.kept.is_none(), "one request is not worth it");
            familiar.keep(&head, bytes, follower.fields());
        }
        familiar
    }

    fn take(familiar: &mut Familiar, bytes: &[u8]) -> Option<(Head, Request<Body>, Vec<u8>)> {
        let mut input = BytesMut::from(bytes);
        match familiar.take(&mut input, &RULES) {
            Some((head, request)) => Some((head, request, input.to_vec())),
            None => {
                assert_eq!(input, bytes, "what is not taken stays");
                None
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        /// Whatever has become of a head, it is taken for what the long way makes of it, or not at all.
        #[test]
        fn a_head_is_never_taken_for_another(
            original in message(),
            changes in prop::collection::vec((any::<prop::sample::Index>(), 0..3_u8, prop_oneof![
                Just(b'\r'), Just(b'\n'), Just(b' '), Just(b'\t'), Just(b':'), Just(b'#'), Just(b'0'), Just(b'a'),
                any::<u8>(),
            ]), 0..4),
        ) {
            let mut changed = original.clone();
            for (at, kind, byte) in changes {
                let at = at.index(changed.len());
                match kind {
                    0 => changed[at] = byte,
                    1 => changed.insert(at, byte),
                    _ => drop(changed.remove(at)),
                }
            }
            if let Some((head, request, rest)) = take(&mut met(&original), &changed) {
                let (long_head, long_request, _) = read(&changed).expect("it is valid");
                prop_assert_eq!(&rest, &changed[head.length..]);
                prop_assert_eq!(head, long_head);
                prop_assert_eq!(request.method(), long_request.method());
                prop_assert_eq!(request.uri(), long_request.uri());
                prop_assert_eq!(request.version(), long_request.version());
                prop_assert_eq!(request.headers(), long_request.headers());
            }
        }
    }

    const HEAD: &str = "GET /a HTTP/1.1\r\nhost: a\r\nx-id: 1\r\ncontent-length: 3\r\n\r\n";

    #[test]
    fn method_target_and_values_may_change() {
        let mut familiar = met(HEAD.as_bytes());
        for changed in [
            HEAD.to_owned(),
            HEAD.replace("GET /a", "POST /b?c"),
            HEAD.replace("id: 1", "id:two\t"),
            HEAD.replace("length: 3", "length: 0"),
        ] {
            let (head, request, _) = take(&mut familiar, changed.as_bytes()).expect("familiar");
            let (long_head, long_request, _) = read(changed.as_bytes()).expect("valid");
            assert_eq!((&head, request.headers()), (&long_head, long_request.headers()));
            assert_eq!((request.method(), request.uri()), (long_request.method(), long_request.uri()));
        }
    }

    #[test]
    fn what_says_where_a_request_goes_or_ends_may_not() {
        let mut familiar = met(HEAD.as_bytes());
        for changed in [
            HEAD.replace("host: a", "host: b"),
            HEAD.replace("1.1", "1.0"),
            HEAD.replace("/a", "http://a/"),
            HEAD.replace("/a", "/a#"),
            HEAD.replace("x-id: 1", "x-id: \0"),
            HEAD.replace("x-id: 1\r\n", "x-id: 1\n"),
            HEAD.replace("x-id: 1", "x-id: 1\r"),
            HEAD.replace("x-id: 1\r\n", ""),
            HEAD.replace("length: 3", "length: +3"),
            HEAD.replace("length: 3", "length: 3\r\ntransfer-encoding: chunked"),
            HEAD[..HEAD.len() - 2].to_owned(),
            format!("\r\n{HEAD}"),
        ] {
            assert!(take(&mut familiar, changed.as_bytes()).is_none(), "{}", changed.escape_debug());
        }
    }

    #[test]
    fn a_connection_that_brings_always_another_kind_of_head_seldom_keeps_one() {
        let mut familiar = Familiar::default();
        let mut kept = 0;
        for index in 0..1000 {
            let head = format!("GET /a HTTP/1.1\r\nhost: a\r\nx-{index}: 1\r\n\r\n");
            assert!(take(&mut familiar, head.as_bytes()).is_none());
            let before = familiar.kept.as_ref().map(|kept| kept.text.clone());
            let (read, _, follower) = read(head.as_bytes()).expect("valid");
            familiar.keep(&read, head.as_bytes(), follower.fields());
            kept += usize::from(before != familiar.kept.as_ref().map(|kept| kept.text.clone()));
        }
        assert!((1..30).contains(&kept), "{kept}");
    }
}
