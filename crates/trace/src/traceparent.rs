//! The `traceparent` header (W3C Trace Context, section 3.2; the random flag from level 2).

use gatewright_core::{SpanContext, ids};
use http::{HeaderMap, HeaderName};

use crate::tracestate::{self, TRACESTATE};

const TRACEPARENT: HeaderName = SpanContext::TRACEPARENT;

/// `00-` and 32, 16 and 2 hex digits, with dashes between.
const LENGTH: usize = 55;

/// The gateway's own span of a request, and the caller's that it does not continue.
pub(crate) struct Settled {
    pub(crate) span: SpanContext,
    /// A valid context that the request brought and that may not be continued.
    pub(crate) replaced: Option<SpanContext>,
}

/// Continues the request's trace, when it may be continued and is valid, or starts one; the request then carries it.
pub(crate) fn settle(headers: &mut HeaderMap, continue_it: bool, sample: impl FnOnce() -> bool) -> Settled {
    // Most requests bring neither, and one look at the names costs less than two look-ups.
    let (mut has_parent, mut has_state) = (false, false);
    for name in headers.keys() {
        has_parent |= *name == TRACEPARENT;
        has_state |= *name == TRACESTATE;
    }
    let brought = if has_parent { Traceparent::of(headers) } else { None };
    let caller = brought.filter(|_| continue_it);
    if has_state {
        match caller {
            Some(_) => tracestate::settle(headers),
            None => drop(headers.remove(TRACESTATE)),
        }
    }
    let parent_id = caller.map(|caller| caller.parent_id);
    let ours = match caller {
        Some(caller) => Traceparent { parent_id: ids::short_id(), ..caller },
        None => Traceparent::start(sample()),
    };
    let span = SpanContext::new(ours.trace_id, ours.parent_id, parent_id, ours.flags);
    headers.insert(TRACEPARENT, span.traceparent());
    let replaced = brought.filter(|_| !continue_it);
    let replaced = replaced.map(|it| SpanContext::new(it.trace_id, it.parent_id, None, it.flags));
    Settled { span, replaced }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Traceparent {
    trace_id: u128,
    parent_id: u64,
    flags: u8,
}

impl Traceparent {
    fn start(sampled: bool) -> Self {
        let flags = if sampled { SpanContext::RANDOM | SpanContext::SAMPLED } else { SpanContext::RANDOM };
        Self { trace_id: ids::id(), parent_id: ids::short_id(), flags }
    }

    /// The request's own, when there is one only and it is valid.
    fn of(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(TRACEPARENT).iter();
        let value = values.next()?;
        if values.next().is_some() {
            return None;
        }
        Self::parse(value.as_bytes().trim_ascii())
    }

    /// A version after ours may be longer; of it we read the part that we know, and go on with ours (section 3.2.1,
    /// "Versioning of traceparent").
    fn parse(text: &[u8]) -> Option<Self> {
        let (known, rest) = text.split_at_checked(LENGTH)?;
        let [version @ .., b'-'] = &known[..3] else { return None };
        let ([trace_id @ .., b'-'], [parent_id @ .., b'-'], flags) =
            (&known[3..36], &known[36..53], &known[53..])
        else {
            return None;
        };
        let fits = match ids::parse(version)? {
            0xff => false,
            0 => rest.is_empty(),
            _ => rest.first().is_none_or(|next| *next == b'-'),
        };
        let trace_id = ids::parse(trace_id)?;
        let parent_id = u64::try_from(ids::parse(parent_id)?).ok()?;
        // Flags that we do not know must not be sent on (section 3.2.2.5).
        let flags = u8::try_from(ids::parse(flags)?).ok()? & (SpanContext::SAMPLED | SpanContext::RANDOM);
        (fits && trace_id != 0 && parent_id != 0).then_some(Self { trace_id, parent_id, flags })
    }
}

#[cfg(test)]
mod tests;
