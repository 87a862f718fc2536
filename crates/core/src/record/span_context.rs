//! The place of a request in a trace.

use http::{HeaderName, HeaderValue};

use crate::ids::Hex;

/// The span of a request, as W3C Trace Context has it: the trace, the gateway's own span in it, and the caller's span.
///
/// The upstream gets [`trace_id`](Self::trace_id), [`span_id`](Self::span_id) and the flags in `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpanContext {
    trace_id: u128,
    span_id: u64,
    parent_id: Option<u64>,
    flags: u8,
}

impl SpanContext {
    /// The flag of a trace that is recorded (W3C Trace Context, section 3.2.2.5).
    pub const SAMPLED: u8 = 0b01;
    /// The flag of a trace whose id is random (W3C Trace Context Level 2, section 3.2.2.5.2).
    pub const RANDOM: u8 = 0b10;

    /// A span of the gateway. `parent_id` is the span of the caller, when its trace is continued.
    pub fn new(trace_id: u128, span_id: u64, parent_id: Option<u64>, flags: u8) -> Self {
        Self { trace_id, span_id, parent_id, flags }
    }

    /// The name of the field in which a span context travels.
    pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

    /// The same trace with another span of the gateway, whose parent is this one.
    #[must_use]
    pub fn child(&self, span_id: u64) -> Self {
        Self { span_id, parent_id: Some(self.span_id), ..*self }
    }

    /// The value of `traceparent` for a service whose parent is this span (W3C Trace Context, section 3.2).
    pub fn traceparent(&self) -> HeaderValue {
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        text[3..35].copy_from_slice(Hex::<32>::new(self.trace_id).as_ref());
        text[36..52].copy_from_slice(Hex::<16>::new(self.span_id.into()).as_ref());
        text[53..].copy_from_slice(Hex::<2>::new(self.flags.into()).as_ref());
        HeaderValue::from_bytes(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
    }

    /// The id of the trace.
    pub fn trace_id(&self) -> u128 {
        self.trace_id
    }

    /// The id of the gateway's span.
    pub fn span_id(&self) -> u64 {
        self.span_id
    }

    /// The id of the caller's span; `None` when the trace begins here.
    pub fn parent_id(&self) -> Option<u64> {
        self.parent_id
    }

    /// The flags, as `traceparent` carries them.
    pub fn flags(&self) -> u8 {
        self.flags
    }

    /// Whether the trace is recorded.
    pub fn is_sampled(&self) -> bool {
        self.flags & Self::SAMPLED != 0
    }
}
