//! What must come of a case, compared with what came.

use proptest::prelude::*;

use super::{
    expected::{Expected, Possibly, pairs},
    plan::{Case, Ending, Exchange, Request, RequestBody},
    reader::{self, Fields, Framing, Message},
    run::{Ended, Played, play},
    service::{Seen, SeenEnd, header_map},
    strategy::case,
};

/// How many exchanges have arrived before what is wrong with what the client sends.
fn sound_exchanges(case: &Case) -> usize {
    let mut lengths = Vec::new();
    for (number, exchange) in case.exchanges.iter().enumerate() {
        let (head, body) = exchange.request.encode(number);
        lengths.push(lengths.last().unwrap_or(&0) + head.len() + body.len());
    }
    let total = *lengths.last().unwrap_or(&0);
    let wrong = match case.ending {
        Ending::CutAt(at) | Ending::Broken(at, _) => at.index(total),
        _ => total,
    };
    lengths.iter().take_while(|end| **end <= wrong).count()
}

/// Compares what came of a case with what must.
pub(super) fn judge(case: &Case, played: &Played) -> Result<(), TestCaseError> {
    let sound = sound_exchanges(case);
    for (number, seen) in played.seen.iter().enumerate() {
        judge_seen(case, number, seen, number < sound)?;
    }
    prop_assert_eq!(played.requests, played.seen.len() as u64);
    prop_assert_eq!(played.forgotten, 0, "a task still waits for a body");
    let is_head = |number: usize| played.seen.get(number).is_some_and(|seen| seen.head.starts_with("HEAD "));
    let (messages, rest) = reader::responses(&played.received, is_head).map_err(TestCaseError::fail)?;
    let mut progress = Progress { messages: messages.into_iter().peekable(), rest: rest.len(), played, case };
    let runs_whole = case.ending.is_sound() || matches!(case.ending, Ending::Broken(..));
    for (number, exchange) in case.exchanges.iter().enumerate() {
        if number >= sound && matches!(case.ending, Ending::Broken(..)) {
            return Ok(());
        }
        let is_sound = number < sound && case.ending.is_sound();
        let expected = Expected::of(exchange, number, is_sound);
        let over = progress.exchange(&expected, number, runs_whole);
        if over.map_err(|error| at(number, error))? {
            return Ok(());
        }
    }
    progress.nothing_follows()?;
    let end = match case.ending {
        Ending::Silence => Ended::Open,
        Ending::Close => Ended::Cleanly,
        Ending::BadHead => Ended::Refused,
        _ => return Ok(()),
    };
    prop_assert_eq!(played.end, end);
    Ok(())
}

fn at(number: usize, error: TestCaseError) -> TestCaseError {
    TestCaseError::fail(format!("at exchange {number}: {error}"))
}

/// How far the messages have been compared.
struct Progress<'a, I: Iterator<Item = Message>> {
    messages: std::iter::Peekable<I>,
    rest: usize,
    played: &'a Played,
    case: &'a Case,
}

impl<I: Iterator<Item = Message>> Progress<'_, I> {
    /// Compares what was sent for one request. True when nothing is to be said of the ones that follow.
    fn exchange(
        &mut self,
        expected: &Expected,
        number: usize,
        runs_whole: bool,
    ) -> Result<bool, TestCaseError> {
        let may_break_off = expected.is_cut || !runs_whole;
        let (mut interims, mut asked_to_go_on) = (Vec::new(), 0);
        while let Some(message) = self.messages.next_if(|message| message.status < 200 && message.status != 101)
        {
            match message.status {
                100 if message.fields.is_empty() => asked_to_go_on += 1,
                103 => interims.push(message.fields),
                _ => prop_assert!(false, "an unknown interim response {message:?}"),
            }
        }
        prop_assert!(asked_to_go_on <= 1 && (asked_to_go_on == 0 || expected.asks_to_go_on != Possibly::No));
        prop_assert!(expected.interims.starts_with(&interims), "{interims:?} came first");
        let Some(message) = self.messages.next() else {
            prop_assert!(may_break_off, "there is no response");
            return Ok(true);
        };
        prop_assert!(expected.asks_to_go_on.allows(asked_to_go_on == 1), "100 sent {asked_to_go_on} times");
        prop_assert_eq!(interims.len(), expected.interims.len());
        expected.compare(&message)?;
        let says_close = message.fields.contains(&("connection".to_owned(), "close".to_owned()));
        prop_assert!(expected.says_close.allows(says_close), "closes: {says_close}, in {message:?}");
        if expected.is_cut || !message.is_whole {
            prop_assert!(may_break_off, "cut short: {message:?}");
            prop_assert!(!message.is_whole || message.framing == Framing::UntilClose, "whole: {message:?}");
            self.nothing_follows()?;
            prop_assert!(!expected.is_cut || !runs_whole || self.played.end == Ended::Uncleanly);
            return Ok(true);
        }
        if expected.of_service.is_some() && (runs_whole || message.framing != Framing::UntilClose) {
            prop_assert_eq!(message.body.len(), expected.body.len());
            prop_assert_eq!(&message.trailers, &expected.trailers);
        }
        if runs_whole && expected.is_read && has_been_read(&self.played.seen[number]) == Some(false) {
            prop_assert!(false, "the service was not given the whole body");
        }
        let ended = says_close || expected.ends == Possibly::Yes || self.messages.peek().is_none();
        if !ended || !runs_whole {
            return Ok(false);
        }
        if expected.ends == Possibly::No
            || (expected.ends == Possibly::Maybe && self.played.end != Ended::Cleanly)
        {
            // Whether another response is missing is seen at the next request.
            return Ok(false);
        }
        self.nothing_follows()?;
        let by_client = number + 1 == self.case.exchanges.len() && matches!(self.case.ending, Ending::Close);
        let is_told = says_close || by_client || expected.upgrades || expected.ends != expected.says_close;
        prop_assert!(is_told || !expected.is_settled, "the client is not told that the connection closes");
        prop_assert_eq!(self.played.seen.len(), number + 1, "requests after the last response");
        if expected.upgrades && self.case.ending.is_sound() {
            prop_assert!(self.played.unread == self.case.after(number), "other bytes in the tunnel");
        }
        prop_assert_eq!(self.played.end, if expected.upgrades { Ended::Upgraded } else { Ended::Cleanly });
        Ok(true)
    }

    fn nothing_follows(&mut self) -> Result<(), TestCaseError> {
        prop_assert!(self.messages.peek().is_none(), "more follows: {:?}", self.messages.peek());
        prop_assert_eq!(self.rest, 0, "more bytes follow");
        Ok(())
    }
}

fn has_been_read(seen: &Seen) -> Option<bool> {
    seen.end.map(|end| end == SeenEnd::Whole)
}

/// Compares what the service saw of a request.
fn judge_seen(case: &Case, number: usize, seen: &Seen, is_sound: bool) -> Result<(), TestCaseError> {
    prop_assert_eq!(&seen.contradiction, &None);
    let Some(Exchange { request, .. }) = case.exchanges.get(number) else {
        prop_assert!(matches!(case.ending, Ending::Broken(..)), "a request too many: {}", seen.head);
        return Ok(());
    };
    if !is_sound && matches!(case.ending, Ending::Broken(..)) {
        return Ok(());
    }
    let version = if request.is_old { "HTTP/1.0" } else { "HTTP/1.1" };
    prop_assert_eq!(&seen.head, &format!("{} {} {version}", request.method, Request::target(number)));
    let escape = |(name, value): (String, String)| (name, value.escape_default().to_string());
    let fields: Fields = request_fields(request, number).into_iter().map(escape).collect();
    prop_assert_eq!(by_name(&seen.fields), by_name(&fields));
    let data = request.data(number);
    prop_assert!(data.starts_with(&seen.data), "other bytes in the body of request {number}");
    if seen.end == Some(SeenEnd::Whole) {
        prop_assert_eq!(seen.data.len(), data.len());
        let trailers = match &request.body {
            RequestBody::Chunked { trailers, .. } if !trailers.is_empty() => Some(header_map(trailers)),
            _ => None,
        };
        prop_assert_eq!(&seen.trailers, &trailers);
    }
    Ok(())
}

/// The order of fields of different names says nothing (RFC 9110, section 5.3).
fn by_name(fields: &Fields) -> Fields {
    let mut fields = fields.clone();
    fields.sort_by(|(left, _), (right, _)| left.cmp(right));
    fields
}

fn request_fields(request: &Request, number: usize) -> Fields {
    let head = String::from_utf8(request.encode(number).0).expect("text");
    let lines =
        head.lines().skip(1 + usize::from(request.after_blank)).filter_map(|line| line.split_once(": "));
    let fields = lines.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
    let is_ignored = |name: &str| request.is_old && name == "upgrade";
    let fields: Fields = fields.filter(|(name, _)| !is_ignored(name)).collect();
    pairs(&header_map(&fields))
}

/// Plays a case and panics when not that comes of it which must.
#[track_caller]
pub(super) fn check(case: &Case) {
    if let Err(error) = judge(case, &play(case)) {
        panic!("{error}\n{case:#?}");
    }
}

/// So many cases, and as many times more as `PROPTEST_CASES` is more than its default.
fn config(cases: u32) -> ProptestConfig {
    let usual = ProptestConfig::default();
    let cases = (u64::from(cases) * u64::from(usual.cases) / 256).max(1);
    ProptestConfig { cases: u32::try_from(cases).unwrap_or(u32::MAX), max_shrink_iters: 5000, ..usual }
}

proptest! {
    #![proptest_config(config(500))]

    #[test]
    fn every_request_is_answered_as_the_model_says(case in case()) {
        judge(&case, &play(&case))?;
    }
}
