//! Responses: read by a client, written by a server.

mod cache;
mod date;
mod encode;
mod head;

use bytes::BytesMut;
use http::{HeaderMap, StatusCode};

pub use encode::{Asked, write_head, write_interim};
pub use head::ResponseHead;

use crate::{field::FieldSpan, rules::Rules, violation::Violation};

/// Reads the heads of the responses of one connection.
#[derive(Debug)]
pub struct ResponseReader {
    rules: Rules,
    scan: head::HeadScan,
    fields: Vec<FieldSpan>,
    cache: Option<cache::ResponseCache>,
}

impl ResponseReader {
    /// A reader at the start of a connection.
    pub fn new(rules: Rules) -> Self {
        let cache = Some(cache::ResponseCache::new());
        Self { rules, scan: head::HeadScan::default(), fields: Vec::new(), cache }
    }

    /// Sets whether heads are compared with earlier heads. On by default.
    #[must_use]
    pub fn remember_heads(mut self, remember: bool) -> Self {
        self.cache = remember.then(cache::ResponseCache::new);
        self
    }

    /// The rules of this reader.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Takes a whole head out of the `received` bytes, also the head of an interim response. The fields are slices of the same
    /// memory. `headers` gives an empty map when one is needed, so that its memory can be reused. `None` asks for more
    /// bytes.
    ///
    /// # Errors
    ///
    /// When the head breaks a rule. The reader must not be called again.
    pub fn read(
        &mut self,
        received: &mut BytesMut,
        headers: impl FnOnce() -> HeaderMap,
    ) -> Result<Option<ResponseHead>, Violation> {
        if received.is_empty() {
            return Ok(None);
        }
        if self.scan.is_fresh()
            && let Some(cache) = &mut self.cache
            && let Some(head) = cache.take(received, &self.rules)
        {
            return Ok(Some(head));
        }
        let Some(length) = self.scan.advance(received, &self.rules, &mut self.fields)? else {
            return Ok(None);
        };
        let scan = std::mem::take(&mut self.scan);
        let bytes = received.split_to(length).freeze();
        let head = scan.build(&bytes, &self.fields, headers())?;
        if let Some(cache) = &mut self.cache
            && (!head.status.is_informational() || head.status == StatusCode::SWITCHING_PROTOCOLS)
        {
            cache.keep(&head, &bytes, &self.fields);
        }
        Ok(Some(head))
    }

    /// Frees memory while the connection is idle.
    pub fn release(&mut self) {
        self.fields = Vec::new();
        if let Some(cache) = &mut self.cache {
            *cache = cache::ResponseCache::new();
        }
    }
}
