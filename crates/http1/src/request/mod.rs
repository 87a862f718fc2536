//! Requests: read by a server, written by a client.

mod cache;
mod encode;
mod head;
pub mod host;
mod line;
mod target;

use std::borrow::Cow;

use bytes::BytesMut;
use http::{HeaderMap, Method, Request, Uri, header};

pub use encode::write_head;
pub use head::{RequestHead, Upgrade};
pub use target::is_valid as is_valid_target;

use crate::{
    field::{self, FieldSpan},
    rules::Rules,
    violation::Violation,
};

/// Reads the heads of the requests of one connection.
#[derive(Debug)]
pub struct RequestReader {
    rules: Rules,
    scan: head::HeadScan,
    fields: Vec<FieldSpan>,
    cache: Option<cache::RequestCache>,
    dropped_name: Option<Box<[u8]>>,
}

/// The violation of a refused head, with the request line if it has arrived.
#[derive(Debug, Clone)]
pub struct Refusal {
    violation: Violation,
    request_line: Option<MethodAndTarget>,
    cause: Option<Cause>,
}

/// The part of the head that broke the rule.
#[derive(Debug, Clone)]
enum Cause {
    /// The field of this name.
    Field(Box<[u8]>),
    /// A byte of the target.
    Byte(u8),
}

type MethodAndTarget = (Box<[u8]>, Box<[u8]>);

impl From<Violation> for Refusal {
    fn from(violation: Violation) -> Self {
        Self { violation, request_line: None, cause: None }
    }
}

impl Refusal {
    /// Names the field that broke the rule.
    #[must_use]
    pub fn in_field(mut self, name: &[u8]) -> Self {
        self.cause = Some(Cause::Field(name.into()));
        self
    }

    /// Names the first byte of the target that no target may hold, if there is one.
    #[must_use]
    pub fn in_target(mut self, target: &[u8]) -> Self {
        self.cause = target::refused_byte(target).map(Cause::Byte);
        self
    }

    /// The rule that was broken.
    pub fn violation(&self) -> Violation {
        self.violation
    }

    /// The sentence of the violation, and a second sentence if one part of the head broke the rule: it names the field,
    /// escaped and cut at 64 bytes, or the byte of the target.
    pub fn detail(&self) -> Cow<'static, str> {
        const SHOWN: usize = 64;
        let detail = self.violation.detail();
        match &self.cause {
            None => detail.into(),
            Some(Cause::Field(name)) => {
                let (shown, dots) = name.get(..SHOWN).map_or((&**name, ""), |start| (start, "..."));
                format!("{detail} The header is \"{}{dots}\".", shown.escape_ascii()).into()
            }
            Some(Cause::Byte(byte)) => {
                format!("{detail} It holds '{}', which is written as %{byte:02X} there.", byte.escape_ascii())
                    .into()
            }
        }
    }

    /// The method and the target, if they were read.
    pub fn request_line(&self) -> Option<(&[u8], &[u8])> {
        self.request_line.as_ref().map(|(method, target)| (&**method, &**target))
    }
}

impl RequestReader {
    /// A reader at the start of a connection.
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            scan: head::HeadScan::default(),
            fields: Vec::new(),
            cache: Some(cache::RequestCache::new()),
            dropped_name: None,
        }
    }

    /// Sets whether heads are compared with the previous head. On by default.
    #[must_use]
    pub fn remember_heads(mut self, remember: bool) -> Self {
        self.cache = remember.then(cache::RequestCache::new);
        self
    }

    /// The rules of this reader.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Takes a whole head out of the `received` bytes and makes a request from it. The fields are slices of the same memory.
    /// The body is `B::default()`, which should be an empty body. `None` asks for more bytes.
    ///
    /// # Errors
    ///
    /// When the head breaks a rule. The reader must not be called again.
    pub fn read<B: Default>(
        &mut self,
        received: &mut BytesMut,
    ) -> Result<Option<(RequestHead, Request<B>)>, Refusal> {
        if received.is_empty() {
            return Ok(None);
        }
        if self.scan.is_fresh()
            && let Some(cache) = &mut self.cache
            && let Some(found) = cache.take(received, &self.rules)
        {
            return Ok(Some(found));
        }
        let head = match self.scan.advance(received, &self.rules, &mut self.fields) {
            Ok(Some(head)) => head,
            Ok(None) => return Ok(None),
            Err(violation) => {
                let line = self.scan.request_line(received);
                let mut refusal = Refusal::from(violation);
                refusal.request_line = line.map(|(method, target)| (method.into(), target.into()));
                return Err(match (violation, line, self.scan.refused_name(received)) {
                    (Violation::TARGET, Some((_, target)), _) => refusal.in_target(target),
                    (_, _, Some(name)) => refusal.in_field(name),
                    _ => refusal,
                });
            }
        };
        if head.dropped_fields > 0 {
            self.dropped_name = self.scan.dropped_name(received).map(Into::into);
        }
        self.scan = head::HeadScan::default();
        let bytes = received.split_to(head.length).freeze();
        match build(&head, &bytes, &self.fields) {
            Ok(request) => {
                if let Some(cache) = &mut self.cache {
                    cache.keep(&head, &bytes, &self.fields);
                }
                Ok(Some((head, request)))
            }
            Err(violation) => {
                let line = (bytes[head.method.clone()].into(), bytes[head.target.clone()].into());
                Err(Refusal { violation, request_line: Some(line), cause: None })
            }
        }
    }

    /// Takes the name of the first dropped field of the last head, if a field was dropped.
    pub fn take_dropped_name(&mut self) -> Option<Box<[u8]>> {
        self.dropped_name.take()
    }

    /// Whether an incomplete head has begun in the `received` bytes. A blank line before a head does not count.
    pub fn has_begun(&self, received: &[u8]) -> bool {
        self.scan.has_begun(received)
    }

    /// Frees memory while the connection is idle.
    pub fn release(&mut self) {
        self.fields = Vec::new();
        if let Some(cache) = &mut self.cache {
            *cache = cache::RequestCache::new();
        }
    }
}

/// Makes a request without its body from `bytes`, the head that the scan has checked.
fn build<B: Default>(
    head: &RequestHead,
    bytes: &bytes::Bytes,
    fields: &[FieldSpan],
) -> Result<Request<B>, Violation> {
    let mut request = Request::new(B::default());
    *request.method_mut() = Method::from_bytes(&bytes[head.method.clone()]).map_err(|_| Violation::METHOD)?;
    *request.uri_mut() =
        Uri::from_maybe_shared(bytes.slice(head.target.clone())).map_err(|_| Violation::TARGET)?;
    *request.version_mut() = head.version;
    let mut headers = HeaderMap::new();
    field::collect(bytes, fields, &mut headers)?;
    if head.upgrade == Some(Upgrade::Ignored) {
        headers.remove(header::UPGRADE);
        headers.remove("http2-settings");
    }
    *request.headers_mut() = headers;
    Ok(request)
}
