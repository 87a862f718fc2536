//! The cache of an endpoint's last heads.

use bytes::BytesMut;
use http::{StatusCode, Version};

use super::head::{ResponseHead, is_plain_connection, status_line};
use crate::{
    field::FieldSpan,
    head_cache::{HeadCache, KeptHead, Role, line_length},
    length,
    rules::Rules,
};

/// Up to four heads of a connection, each with other fields.
#[derive(Debug)]
pub(super) struct ResponseCache(HeadCache<Known, 4>);

/// The facts about a kept head, apart from its fields.
#[derive(Debug)]
struct Known {
    status: StatusCode,
    version: Version,
    length: Option<u64>,
    chunked: bool,
    persistent: bool,
}

impl ResponseCache {
    pub(super) fn new() -> Self {
        Self(HeadCache::after(0))
    }

    /// Takes a head that differs from a kept head only in its status, its length and the values of other fields.
    #[inline]
    pub(super) fn take(&mut self, received: &mut BytesMut, rules: &Rules) -> Option<ResponseHead> {
        let bytes: &[u8] = received;
        let (kept, known, (status, length, changes)) = self.0.find(|kept, known| {
            let (mut status, mut length) = (known.status, known.length);
            let mut fields_at = kept.start_line().len();
            if !bytes.starts_with(kept.start_line()) {
                fields_at = line_length(bytes)?;
                let (version, changed) = status_line(&bytes[..fields_at - 2]).ok()?;
                if version != known.version || changed.is_informational() {
                    return None;
                }
                status = changed;
            }
            let changes = kept.compare(bytes, fields_at)?;
            if changes.length > rules.max_head {
                return None;
            }
            if let Some(changed) = kept.changed_length(bytes, &changes) {
                length = Some(length::of_response(changed, None).ok()?);
            }
            Some((status, length, changes))
        })?;
        let bytes = received.split_to(changes.length).freeze();
        let headers = kept.headers(&bytes, &changes);
        let Known { version, chunked, persistent, .. } = *known;
        Some(ResponseHead { status, version, headers, length, chunked, persistent })
    }

    /// Keeps a head that was parsed in full.
    pub(super) fn keep(&mut self, head: &ResponseHead, bytes: &[u8], fields: &[FieldSpan]) {
        self.0.keep(|| {
            let role = |name: &[u8], value: &[u8]| {
                if name.eq_ignore_ascii_case(b"content-length") {
                    Role::Length
                } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
                    Role::Unmapped
                } else if name.eq_ignore_ascii_case(b"connection") {
                    if is_plain_connection(value) { Role::Unmapped } else { Role::Framing }
                } else {
                    Role::Other
                }
            };
            let kept = KeptHead::new(bytes, fields, role)?;
            let ResponseHead { status, version, length, chunked, persistent, .. } = *head;
            let known = Known { status, version, length, chunked, persistent };
            Some((kept, known))
        });
    }
}
