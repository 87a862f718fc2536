//! The cache of a client's last head.

use bytes::BytesMut;
use http::{Method, Request, Uri};

use super::{head::RequestHead, line};
use crate::{
    body_reader::BodyLength,
    field::FieldSpan,
    head_cache::{HeadCache, KeptHead, Role, line_length},
    length::content_length,
    rules::Rules,
};

/// One head of a connection, kept while the connection is in use. A connection with a single request keeps none.
#[derive(Debug)]
pub(super) struct RequestCache(HeadCache<Known, 1>);

/// The facts about a kept head, apart from its fields.
#[derive(Debug)]
struct Known {
    head: RequestHead,
    uri: Uri,
}

impl RequestCache {
    pub(super) fn new() -> Self {
        Self(HeadCache::after(1))
    }

    /// Takes a head that differs from the kept head only in its method, its target, its length and the values of other fields.
    pub(super) fn take<B: Default>(
        &mut self,
        received: &mut BytesMut,
        rules: &Rules,
    ) -> Option<(RequestHead, Request<B>)> {
        let bytes: &[u8] = received;
        let (kept, known, (mut head, changes, same_line)) = self.0.find(|kept, known| {
            let mut head = known.head.clone();
            let same_line = bytes.starts_with(kept.start_line());
            let fields_at = if same_line { kept.start_line().len() } else { line_length(bytes)? };
            if !same_line {
                let line = line::of_path(&bytes[..fields_at - 2], rules)?;
                if line.version != head.version {
                    return None;
                }
                (head.method, head.target) = (line.method, line.target);
            }
            let changes = kept.compare(bytes, fields_at)?;
            if changes.length > rules.max_head {
                return None;
            }
            if let Some(length) = kept.changed_length(bytes, &changes) {
                head.body = BodyLength::known(content_length(length)?);
            }
            Some((head, changes, same_line))
        })?;
        head.length = changes.length;
        let method = Method::from_bytes(&bytes[head.method.clone()]).ok()?;
        let bytes = received.split_to(head.length).freeze();
        let mut request = Request::new(B::default());
        *request.method_mut() = method;
        *request.version_mut() = head.version;
        *request.uri_mut() = match same_line {
            true => known.uri.clone(),
            // The kept line has been checked already.
            false => Uri::from_maybe_shared(bytes.slice(head.target.clone())).unwrap_or_default(),
        };
        *request.headers_mut() = kept.headers(&bytes, &changes);
        Some((head, request))
    }

    /// Keeps a head that was parsed in full.
    pub(super) fn keep(&mut self, head: &RequestHead, bytes: &[u8], fields: &[FieldSpan]) {
        self.0.keep(|| {
            let expects =
                || fields.iter().any(|field| bytes[field.name.clone()].eq_ignore_ascii_case(b"expect"));
            // A head after a blank line is rare. An upgrade or an expectation changes more than its own line. A dropped field has
            // no place in the kept head.
            if head.method.start != 0 || head.upgrade.is_some() || head.dropped_fields != 0 || expects() {
                return None;
            }
            let kept = KeptHead::new(bytes, fields, |name, _| role(name))?;
            // In memory of its own, like the fields.
            let uri = Uri::try_from(&bytes[head.target.clone()]).ok()?;
            Some((kept, Known { head: head.clone(), uri }))
        });
    }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{RequestReader, tests::message};

    fn rules() -> Rules {
        Rules { max_head: 4096, max_target: 1024, ..Rules::default() }
    }

    type Read = (RequestHead, Request<()>, Vec<u8>);

    /// What a reader without memory makes of it.
    fn read(bytes: &[u8]) -> Option<Read> {
        read_by(&mut RequestReader::new(rules()).remember_heads(false), bytes)
    }

    fn read_by(reader: &mut RequestReader, bytes: &[u8]) -> Option<Read> {
        let mut received = BytesMut::from(bytes);
        let (head, request) = reader.read(&mut received).ok()??;
        Some((head, request, received.to_vec()))
    }

    /// One that has met this head twice.
    fn met(bytes: &[u8]) -> RequestReader {
        let mut reader = RequestReader::new(rules());
        let newest =
            |reader: &RequestReader| reader.cache.as_ref().and_then(|cache| cache.0.newest().map(<[u8]>::len));
        read_by(&mut reader, bytes);
        assert_eq!(newest(&reader), None, "one request is not worth it");
        read_by(&mut reader, bytes);
        reader
    }

    fn take(reader: &mut RequestReader, bytes: &[u8]) -> Option<Read> {
        let mut received = BytesMut::from(bytes);
        let cache = reader.cache.as_mut().expect("it remembers");
        match cache.take(&mut received, &rules()) {
            Some((head, request)) => Some((head, request, received.to_vec())),
            None => {
                assert_eq!(received, bytes, "a head that is not taken stays");
                None
            }
        }
    }

    fn assert_same((head, request, rest): Read, (long_head, long_request, long_rest): Read) {
        assert_eq!(rest, long_rest);
        assert_eq!(head, long_head);
        assert_eq!(request.method(), long_request.method());
        assert_eq!(request.uri(), long_request.uri());
        assert_eq!(request.version(), long_request.version());
        assert_eq!(request.headers(), long_request.headers());
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4 * ProptestConfig::default().cases, ..ProptestConfig::default() })]

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
            if let Some(taken) = take(&mut met(&original), &changed) {
                assert_same(taken, read(&changed).expect("it is valid"));
            }
        }
    }

    const HEAD: &str = "GET /a HTTP/1.1\r\nhost: a\r\nx-id: 1\r\ncontent-length: 3\r\n\r\n";

    #[test]
    fn method_target_and_values_may_change() {
        let mut reader = met(HEAD.as_bytes());
        for changed in [
            HEAD.to_owned(),
            HEAD.replace("GET /a", "POST /b?c"),
            HEAD.replace("id: 1", "id:two\t"),
            HEAD.replace("length: 3", "length: 0"),
        ] {
            let taken = take(&mut reader, changed.as_bytes()).expect("remembered");
            assert_same(taken, read(changed.as_bytes()).expect("valid"));
        }
    }

    #[test]
    fn what_says_where_a_request_goes_or_ends_may_not() {
        let mut reader = met(HEAD.as_bytes());
        for changed in [
            HEAD.replace("host: a", "host: b"),
            HEAD.replace("GET /a HTTP/1.1\r\n", "\n"),
            HEAD.replace("HTTP/1.1\r\n", "HTTP/1.1\n"),
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
            assert!(take(&mut reader, changed.as_bytes()).is_none(), "{}", changed.escape_debug());
        }
    }

    #[test]
    fn what_means_more_than_its_line_says_is_not_kept() {
        for head in [
            format!("\r\n{HEAD}"),
            HEAD.replace("x-id: 1", "connection: upgrade\r\nupgrade: websocket")
                .replace("content-length: 3\r\n", ""),
            HEAD.replace("x-id: 1", "upgrade: x").replace("content-length: 3\r\n", ""),
            HEAD.replace("x-id: 1", "Expect: 100-continue"),
        ] {
            let reader = met(head.as_bytes());
            assert!(reader.cache.expect("it remembers").0.newest().is_none(), "{head:?}");
        }
        assert_eq!(met(HEAD.as_bytes()).cache.expect("it remembers").0.newest(), Some(HEAD.as_bytes()));
    }

    #[test]
    fn a_connection_that_brings_always_another_kind_of_head_seldom_keeps_one() {
        let mut reader = RequestReader::new(rules());
        let newest = |reader: &RequestReader| {
            reader.cache.as_ref().and_then(|cache| cache.0.newest().map(<[u8]>::to_vec))
        };
        let mut kept = 0;
        for index in 0..1000 {
            let head = format!("GET /a HTTP/1.1\r\nhost: a\r\nx-{index}: 1\r\n\r\n");
            assert!(take(&mut reader, head.as_bytes()).is_none());
            let before = newest(&reader);
            read_by(&mut reader, head.as_bytes()).expect("valid");
            kept += usize::from(before != newest(&reader));
        }
        assert!((1..30).contains(&kept), "{kept}");
    }
}
