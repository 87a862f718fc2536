//! The `traceparent` header (W3C Trace Context, section 3.2; the random flag from level 2).

use gatewright_core::{
    SpanContext,
    ids::{self, Hex},
};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::tracestate::{self, TRACESTATE};

pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// `00-` and 32, 16 and 2 hex digits, with dashes between.
const LENGTH: usize = 55;

/// Continues the request's trace, when it may be continued and is valid, or starts one; the request then carries it.
/// Gives the gateway's own span.
pub(crate) fn settle(headers: &mut HeaderMap, continue_it: bool, sample: impl FnOnce() -> bool) -> SpanContext {
    // Most requests bring neither, and one look at the names costs less than two look-ups.
    let (mut has_parent, mut has_state) = (false, false);
    for name in headers.keys() {
        has_parent |= *name == TRACEPARENT;
        has_state |= *name == TRACESTATE;
    }
    let caller = if continue_it && has_parent { Traceparent::of(headers) } else { None };
    if has_state && (caller.is_none() || !tracestate::is_valid(headers)) {
        headers.remove(TRACESTATE);
    }
    let parent_id = caller.map(|caller| caller.parent_id);
    let ours = match caller {
        Some(caller) => Traceparent { parent_id: ids::short_id(), ..caller },
        None => Traceparent::start(sample()),
    };
    if let Ok(value) = HeaderValue::from_bytes(&ours.to_bytes()) {
        headers.insert(TRACEPARENT, value);
    }
    SpanContext::new(ours.trace_id, ours.parent_id, parent_id, ours.flags)
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

    fn to_bytes(self) -> [u8; LENGTH] {
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        text[3..35].copy_from_slice(Hex::<32>::new(self.trace_id).as_ref());
        text[36..52].copy_from_slice(Hex::<16>::new(self.parent_id.into()).as_ref());
        text[53..].copy_from_slice(Hex::<2>::new(self.flags.into()).as_ref());
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const PARENT: &str = "00f067aa0ba902b7";

    /// What the request carries on: its traceparent and tracestate.
    fn settled(lines: &[(&'static str, &[u8])], continue_it: bool) -> (String, Option<String>) {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_bytes(value).expect("a header value"));
        }
        let span = settle(&mut headers, continue_it, || false);
        let carried = headers[TRACEPARENT].to_str().expect("text").to_owned();
        assert_eq!(headers.get_all(TRACEPARENT).iter().count(), 1);
        assert_eq!(carried[3..35], *Hex::<32>::new(span.trace_id()).as_str());
        assert_eq!(carried[36..52], *Hex::<16>::new(span.span_id().into()).as_str());
        assert!(Traceparent::parse(carried.as_bytes()).is_some(), "{carried} is valid");
        let state = headers.get(TRACESTATE).map(|state| state.to_str().expect("text").to_owned());
        (carried, state)
    }

    #[test]
    fn a_valid_traceparent_is_continued_with_a_new_parent() {
        let cases: &[(&str, &str)] = &[
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", "00"),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "01"),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-02", "02"),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03", "03"),
            // Flags nobody knows yet are cleared.
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff", "03"),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-f8", "00"),
            // Versions to come: as long as ours, or longer after a dash.
            ("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "01"),
            ("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-", "01"),
            ("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-the-future-will-be-like", "01"),
            ("fe-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "01"),
            // White space around it is no part of it.
            (" \t00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 ", "01"),
        ];
        for (brought, flags) in cases {
            let (carried, _) = settled(&[("traceparent", brought.as_bytes())], true);
            let (start, end) = (format!("00-{TRACE}-"), format!("-{flags}"));
            assert!(carried.starts_with(&start) && carried.ends_with(&end), "{brought} became {carried}");
            assert!(!carried.contains(PARENT), "{brought} became {carried}");
        }
    }

    #[test]
    fn an_invalid_traceparent_is_replaced_and_its_tracestate_dropped() {
        let cases: &[&str] = &[
            "",
            "00",
            "garbage",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-011",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0x",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-.1",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00F067AA0BA902B7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0A",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e47366-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b77-01",
            "00-.bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            ".0-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "0-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "000-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "FE-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.what",
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01what",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01, 00",
        ];
        for brought in cases {
            let (carried, state) =
                settled(&[("traceparent", brought.as_bytes()), ("tracestate", b"vendor=1")], true);
            assert!(!carried.contains(TRACE), "{brought} became {carried}");
            assert!(carried.ends_with("-02"), "a new trace's id is random: {carried}");
            assert_eq!(state, None, "{brought}");
        }
    }

    #[test]
    fn two_traceparents_start_a_new_trace() {
        let one = format!("00-{TRACE}-{PARENT}-01");
        let lines = [("traceparent", one.as_bytes()), ("traceparent", one.as_bytes())];
        assert!(!settled(&lines, true).0.contains(TRACE));
    }

    #[test]
    fn a_caller_that_is_not_trusted_starts_a_new_trace() {
        let one = format!("00-{TRACE}-{PARENT}-01");
        let (carried, state) = settled(&[("traceparent", one.as_bytes()), ("tracestate", b"vendor=1")], false);
        assert!(!carried.contains(TRACE));
        assert_eq!(state, None);
    }

    #[test]
    fn a_valid_tracestate_goes_on_and_an_invalid_one_does_not() {
        let one = format!("00-{TRACE}-{PARENT}-01");
        let (_, state) = settled(&[("traceparent", one.as_bytes()), ("tracestate", b"a=1,b=2")], true);
        assert_eq!(state.as_deref(), Some("a=1,b=2"));
        let (carried, state) = settled(&[("traceparent", one.as_bytes()), ("tracestate", b"A=1")], true);
        assert!(carried.contains(TRACE), "the trace itself goes on");
        assert_eq!(state, None);
    }

    #[test]
    fn a_new_trace_is_marked_sampled_when_it_is() {
        let mut headers = HeaderMap::new();
        settle(&mut headers, true, || true);
        assert!(headers[TRACEPARENT].to_str().expect("text").ends_with("-03"));
    }
}
