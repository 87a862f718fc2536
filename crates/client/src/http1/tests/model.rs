//! Whatever an endpoint does, and however bytes come and go, it gets the requests that were made, and the caller gets
//! the responses that it gave.

mod plan;
mod play;
mod reader;
mod socket;

use http::{HeaderMap, Version};
use proptest::prelude::*;

use plan::{Answer, Asked, Body, Case, Fields, Planned, Step, case, header_map};
use play::{Outcome, play};
use reader::{Framing, Got};

/// What is to come of an exchange, as far as it is certain.
struct Expected {
    /// The request's body fails before the request is whole.
    fails: bool,
    /// So many bytes of the response are sent before the endpoint closes, if it does.
    sent: usize,
    /// The response's length, and that of its heads.
    length: usize,
    head: usize,
    /// Whether request and response say that the connection stays.
    persists: bool,
}

impl Expected {
    fn of(planned: &Planned, number: usize) -> Self {
        let Planned { request, response, .. } = planned;
        let given: usize = request
            .body
            .iter()
            .take_while(|step| !matches!(step, Step::Fail))
            .map(|step| if let Step::Data(size) = step { *size } else { 0 })
            .sum();
        let is_complete = request.has_exact_hint && given == request.total();
        let (bytes, head) = response.encode(request.method, number);
        let sent = response.cut.map_or(bytes.len(), |cut| cut.index(bytes.len() + 1));
        let ends_with_connection =
            matches!(response.body, Body::UntilClose(_)) && response.has_body(request.method);
        let junk = if ends_with_connection { 0 } else { response.junk.len() };
        let persists = match response.connection {
            Some("keep-alive") => true,
            Some(_) => false,
            None => response.minor_version > 0,
        };
        Self {
            fails: request.fails() && !is_complete,
            sent,
            length: bytes.len() - junk,
            head,
            persists: persists && !request.closes && !ends_with_connection,
        }
    }

    fn response_is_whole(&self) -> bool {
        self.sent >= self.length
    }
}

/// Compares what came of a case with what must.
fn judge(case: &Case) -> Result<(), TestCaseError> {
    let played = play(case);
    prop_assert!(!played.is_held, "a place in the pool is held for ever");
    for (number, (outcome, planned)) in played.outcomes.iter().zip(&case.exchanges).enumerate() {
        let judged = judge_exchange(outcome, planned, number, case);
        judged.map_err(|error| TestCaseError::fail(format!("at exchange {number}: {error}")))?;
    }
    Ok(())
}

fn judge_exchange(
    outcome: &Outcome,
    planned: &Planned,
    number: usize,
    case: &Case,
) -> Result<(), TestCaseError> {
    let Planned { request, response, is_early, .. } = planned;
    let expected = Expected::of(planned, number);
    let got = reader::request(&outcome.received).map_err(TestCaseError::fail)?;
    if let Some((got, rest)) = &got {
        prop_assert!(rest.is_empty(), "{} bytes follow the request", rest.len());
        judge_request(got, request, number, expected.fails)?;
    }
    let is_whole = got.as_ref().is_some_and(|(got, _)| got.is_whole);
    if case.dropped_after.is_some() {
        return Ok(());
    }
    prop_assert!(outcome.is_over, "it waits for ever");
    prop_assert!(is_whole || expected.fails || *is_early, "the request is not whole");
    if !expected.fails {
        judge_response(outcome, planned, &expected, number)?;
    }
    let comes_whole = response.pauses.is_empty() && case.reads.iter().all(|step| step.size > 4000);
    // What follows is read together with the end of a response that is short enough.
    let junk_is_seen = !response.junk.is_empty() && expected.sent > expected.length && expected.sent < 4000;
    prop_assert!(!(outcome.is_reusable && junk_is_seen && comes_whole), "the connection is used after junk");
    if outcome.is_reusable {
        prop_assert!(
            is_whole && expected.persists && expected.response_is_whole(),
            "the connection is used again"
        );
    } else if expected.persists && !expected.fails && response.cut.is_none() {
        prop_assert!(is_whole, "the rest of the request was not sent");
        prop_assert!(*is_early || !response.junk.is_empty(), "the connection is not used again");
    }
    Ok(())
}

/// Compares the request that the endpoint got.
fn judge_request(got: &Got, request: &Asked, number: usize, fails: bool) -> Result<(), TestCaseError> {
    prop_assert_eq!(&got.line, &format!("{} /{number}?q HTTP/1.1", request.method));
    let mut fields = vec![("host".to_owned(), "origin".to_owned())];
    fields.extend(request.fields.iter().cloned());
    if request.closes {
        fields.push(("connection".to_owned(), "close".to_owned()));
    }
    let is_own = |name: &str| matches!(name, "content-length" | "transfer-encoding");
    let others = got.fields.iter().filter(|(name, _)| !is_own(name)).cloned().collect();
    prop_assert_eq!(header_map(&others), header_map(&fields));
    let framing = match request.has_exact_hint {
        _ if request.is_empty() && matches!(request.method, "POST" | "PUT") => Framing::Length(0),
        _ if request.is_empty() => Framing::None,
        true => Framing::Length(request.total()),
        false => Framing::Chunked,
    };
    prop_assert_eq!(got.framing, framing);
    prop_assert!(request.data(number).starts_with(&got.body), "other bytes in the request's body");
    if got.is_whole {
        prop_assert!(!fails, "a request whose body failed was made whole");
        prop_assert_eq!(got.body.len(), request.total());
        let trailers = request.trailers.as_ref().filter(|_| framing == Framing::Chunked);
        prop_assert_eq!(header_map(&got.trailers), trailers.map(header_map).unwrap_or_default());
    }
    Ok(())
}

/// Compares the response that the caller got.
fn judge_response(
    outcome: &Outcome,
    planned: &Planned,
    expected: &Expected,
    number: usize,
) -> Result<(), TestCaseError> {
    let Planned { request, response, .. } = planned;
    let interims: Vec<_> = response.interims.iter().flatten().copied().collect();
    prop_assert!(interims.starts_with(&outcome.interims), "{:?}", outcome.interims);
    let Some((status, version, headers)) = &outcome.head else {
        prop_assert!(expected.sent < expected.head, "there is no response: {:?}", outcome.error);
        return Ok(());
    };
    prop_assert!(expected.sent >= expected.head, "a head that is not whole");
    prop_assert_eq!(outcome.interims.len(), interims.len());
    prop_assert_eq!(*status, response.status);
    prop_assert_eq!(*version, if response.minor_version == 0 { Version::HTTP_10 } else { Version::HTTP_11 });
    prop_assert_eq!(headers, &response_fields(response, number));
    let has_body = response.has_body(request.method);
    let data = if has_body { response.data(number) } else { Vec::new() };
    prop_assert!(data.starts_with(&outcome.data), "other bytes in the response's body");
    let ends_by_close = has_body && matches!(response.body, Body::UntilClose(_));
    if !expected.response_is_whole() && !ends_by_close {
        prop_assert!(outcome.error.is_some(), "a response that is cut short seems whole");
        return Ok(());
    }
    prop_assert_eq!(&outcome.error, &None);
    prop_assert_eq!(
        outcome.data.len(),
        data.len().min(if ends_by_close { expected.sent - expected.head } else { data.len() })
    );
    let trailers = match &response.body {
        Body::Chunked { trailers, .. } if has_body && !trailers.is_empty() => Some(header_map(trailers)),
        _ => None,
    };
    prop_assert_eq!(&outcome.trailers, &trailers);
    Ok(())
}

fn response_fields(response: &Answer, number: usize) -> HeaderMap {
    let mut fields: Fields = vec![("x-exchange".to_owned(), number.to_string())];
    fields.extend(response.fields.iter().cloned());
    if let Some(connection @ "x, Close") = response.connection {
        fields.push(("connection".to_owned(), connection.to_owned()));
    }
    if let (Body::Length(length), true) = (&response.body, response.status != 204) {
        fields.push(("content-length".to_owned(), length.to_string()));
    }
    header_map(&fields)
}

/// So many cases, and as many times more as `PROPTEST_CASES` is more than its default.
fn config(cases: u32) -> ProptestConfig {
    let usual = ProptestConfig::default();
    let cases = (u64::from(cases) * u64::from(usual.cases) / 256).max(1);
    let cases = u32::try_from(cases).unwrap_or(u32::MAX);
    ProptestConfig { cases, max_shrink_iters: 5000, ..usual }
}

proptest! {
    #![proptest_config(config(500))]

    #[test]
    fn every_exchange_is_as_the_model_says(case in case()) {
        judge(&case)?;
    }
}
