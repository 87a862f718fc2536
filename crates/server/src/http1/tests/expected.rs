//! What must come back for a request, said plainly.

use http::HeaderMap;
use proptest::prelude::*;

use super::{
    plan::{Amount, Answer, BodyStep, Exchange, Request, RequestBody, Response, Step, pattern},
    reader::{Fields, Framing, Message},
    service::{header_map, interim_fields},
};

/// What must come back for one request, and what becomes of the connection.
pub(super) struct Expected {
    pub(super) interims: Vec<Fields>,
    pub(super) asks_to_go_on: Possibly,
    pub(super) status: u16,
    /// `None` for a problem document of the engine's own.
    pub(super) of_service: Option<Fields>,
    pub(super) framing: Vec<Framing>,
    pub(super) body: Vec<u8>,
    pub(super) trailers: Fields,
    /// The response breaks off somewhere, so that the client can tell.
    pub(super) is_cut: bool,
    /// Whether its head says that the connection closes.
    pub(super) says_close: Possibly,
    /// Whether the connection ends after it.
    pub(super) ends: Possibly,
    pub(super) upgrades: bool,
    /// The request's body is read to its end for certain.
    pub(super) is_read: bool,
    /// Whether it is known as the response begins that the connection ends after it, if it does.
    pub(super) is_settled: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Possibly {
    No,
    Maybe,
    Yes,
}

impl Possibly {
    pub(super) fn allows(self, is: bool) -> bool {
        match self {
            Self::Maybe => true,
            certain => (certain == Self::Yes) == is,
        }
    }
}

impl From<bool> for Possibly {
    fn from(is: bool) -> Self {
        if is { Self::Yes } else { Self::No }
    }
}

impl Expected {
    /// `is_sound` when all of the request arrives as it is meant to.
    pub(super) fn of(exchange: &Exchange, number: usize, is_sound: bool) -> Self {
        let Exchange { request, service } = exchange;
        let persists = match request.connection {
            Some("close") => false,
            Some(_) => true,
            None => !request.is_old,
        };
        let is_read = is_sound && (!has_body(request) || reads_all(&service.before));
        let interims = service.before.iter().filter_map(|step| match step {
            Step::Interim(size) if !request.is_old => Some(pairs(&interim_fields(*size))),
            _ => None,
        });
        let mut expected = Self {
            interims: interims.collect(),
            asks_to_go_on: asks_to_go_on(request, &service.before, is_sound),
            status: 500,
            of_service: None,
            framing: vec![Framing::None],
            body: Vec::new(),
            trailers: Vec::new(),
            is_cut: false,
            says_close: Possibly::No,
            ends: Possibly::No,
            upgrades: false,
            is_read,
            is_settled: is_dropped(&service.before),
        };
        let mut closes = !persists;
        match &service.answer {
            Answer::Error | Answer::Panic => {}
            Answer::Switch if request.upgrades && !request.is_old => {
                expected.status = 101;
                expected.upgrades = true;
                let fields = [("connection", "upgrade"), ("upgrade", "websocket")];
                expected.of_service = Some(owned(&fields));
            }
            Answer::Switch => (expected.status, closes) = (502, true),
            Answer::Response(response) if response.status < 200 => closes = true,
            Answer::Response(response) => {
                closes |= response.closes;
                expected.response(request, response, number, &mut closes);
            }
        }
        expected.says_close = match expected.upgrades {
            true => Possibly::No,
            false if closes => Possibly::Yes,
            false if is_read => Possibly::No,
            false => Possibly::Maybe,
        };
        if expected.ends == Possibly::No {
            expected.ends =
                if expected.is_cut || expected.upgrades { Possibly::Yes } else { expected.says_close };
        }
        expected
    }

    fn response(&mut self, request: &Request, response: &Response, number: usize, closes: &mut bool) {
        self.status = response.status;
        let mut fields = owned(&[("x-exchange", &number.to_string())]);
        fields.extend(response.fields.iter().cloned());
        if let Some(trailers) = response.trailers.as_ref().filter(|trailers| trailers.announced) {
            let names: Vec<_> = trailers.fields.iter().map(|(name, _)| name.as_str()).collect();
            fields.push(("trailer".to_owned(), names.join(", ")));
        }
        self.of_service = Some(pairs(&header_map(&fields)));
        if request.method == "HEAD" || matches!(response.status, 204 | 304) {
            return;
        }
        let is_known_empty = response.ends_early && response.body.is_empty() && response.trailers.is_none();
        let size = match is_known_empty {
            true => Some(0),
            // One that is empty and not over may have trailers.
            false => Some(response.total()).filter(|total| response.has_exact_hint && *total > 0),
        };
        let fails = |step: &BodyStep| matches!(step, BodyStep::Fail | BodyStep::Panic);
        let given: usize = response
            .body
            .iter()
            .take_while(|step| !fails(step))
            .map(|step| if let BodyStep::Data(size) = step { *size } else { 0 })
            .sum();
        self.body = pattern(number * 2 + 1, response.total());
        self.body.truncate(given);
        if let Some(length) = size.or(response.declared_length()) {
            self.framing = vec![Framing::Length(length)];
            self.is_cut = given < length;
            self.body.truncate(length);
            if given > length {
                self.ends = Possibly::Maybe;
                self.is_settled = false;
            }
            if *closes {
                self.ends = Possibly::Yes;
            }
            return;
        }
        self.is_cut = response.body.iter().any(fails);
        if request.is_old {
            self.framing = vec![Framing::UntilClose];
            *closes = true;
            return;
        }
        self.framing = vec![Framing::Chunked];
        if let Some(trailers) = &response.trailers
            && trailers.announced
            && request.takes_trailers
        {
            self.trailers = pairs(&header_map(&trailers.fields));
        }
    }

    /// Compares a final response that is not cut short, save where it must be.
    pub(super) fn compare(&self, message: &Message) -> Result<(), TestCaseError> {
        prop_assert_eq!(message.status, self.status);
        prop_assert_eq!(message.values("date").count(), 1);
        match &self.of_service {
            Some(expected) => prop_assert_eq!(&without_own(&message.fields, self.upgrades), expected),
            None => {
                prop_assert_eq!(
                    message.values("content-type").collect::<Vec<_>>(),
                    ["application/problem+json"]
                );
                return Ok(());
            }
        }
        prop_assert!(self.framing.contains(&message.framing), "{:?} for {:?}", message.framing, self.framing);
        prop_assert!(self.body.starts_with(&message.body), "other bytes in the body of {message:?}");
        Ok(())
    }
}

fn has_body(request: &Request) -> bool {
    !matches!(request.body, RequestBody::None | RequestBody::Length(0))
}

/// Whether these steps read the body of a request to its end.
fn reads_all(steps: &[Step]) -> bool {
    for step in steps {
        match step {
            Step::Read(Amount::All) | Step::ReadElsewhere { amount: Amount::All, .. } => return true,
            Step::ReadElsewhere { .. } | Step::DropBody => return false,
            Step::Read(_) | Step::Wait(_) | Step::Interim(_) | Step::InterimOfLast => {}
        }
    }
    false
}

/// Whether these steps end with the body of a request dropped.
fn is_dropped(steps: &[Step]) -> bool {
    let takes = steps.iter().find(|step| matches!(step, Step::ReadElsewhere { .. } | Step::DropBody));
    matches!(takes, Some(Step::DropBody))
}

/// Whether `100` is sent.
fn asks_to_go_on(request: &Request, steps: &[Step], is_sound: bool) -> Possibly {
    if !request.expects || request.is_old || !has_body(request) {
        return Possibly::No;
    }
    let when_read = if request.holds_body && is_sound { Possibly::Yes } else { Possibly::Maybe };
    for step in steps {
        match step {
            Step::DropBody => return Possibly::No,
            Step::Read(Amount::Frames(0)) | Step::Wait(_) | Step::Interim(_) | Step::InterimOfLast => {}
            Step::Read(_) => return when_read,
            Step::ReadElsewhere { amount: Amount::Frames(0), .. } => return Possibly::No,
            Step::ReadElsewhere { waits: true, .. } => return when_read,
            Step::ReadElsewhere { .. } => return Possibly::Maybe,
        }
    }
    Possibly::No
}

fn owned(fields: &[(&str, &str)]) -> Fields {
    fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

pub(super) fn pairs(map: &HeaderMap) -> Fields {
    map.iter()
        .map(|(name, value)| (name.as_str().to_owned(), value.to_str().expect("text").to_owned()))
        .collect()
}

/// The fields without those that are the engine's to say.
fn without_own(fields: &Fields, upgrades: bool) -> Fields {
    let is_own = |name: &str| {
        matches!(name, "date" | "content-length" | "transfer-encoding") || (name == "connection" && !upgrades)
    };
    fields.iter().filter(|(name, _)| !is_own(name)).cloned().collect()
}
