//! Whether a response is the one for its request.

use crate::{
    content::Check,
    exchange::{Exchange, Failure, Framing, Route, When},
    reader::{Fault, Head, Length},
    upload::Received,
    visit::{Protocol, Visit},
    world::World,
};

/// A response as its client has seen it.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) status: u16,
    pub(crate) head: Head,
    pub(crate) check: Check,
    pub(crate) interim: Vec<u16>,
    /// The trailers, when the response came to its end.
    pub(crate) end: Result<Vec<(String, String)>, Fault>,
}

/// Notes what a response is, and what of it should not be.
pub(crate) fn judge(world: &World, visit: &Visit, exchange: &Exchange, seen: &Seen) {
    let differs = |kind: &str| {
        let Seen { status, head, check, interim, end } = seen;
        let details = format!(
            "status {status}, {} of {} bytes, first difference at {:?}, interim {interim:?}, end {end:?}, {:?}\n    {visit:?}",
            check.received(),
            check.content().length,
            check.differs_at(),
            head.fields,
        );
        world.differs(kind, Some(exchange), &details);
    };
    if seen.end.as_ref().is_err_and(Fault::is_malformed) {
        return differs("a response is malformed");
    }
    let Some(number) = seen.head.get("x-soak") else {
        return match explained(exchange, seen.status) {
            Some(why) => world.count(why),
            None => differs(&format!("the gateway answered {} on {}", seen.status, exchange.route.name())),
        };
    };
    if number != exchange.number.to_string() {
        return differs("a response is another request's");
    }
    if seen.status == 503 && exchange.answer.failure == Some(Failure::Unavailable) {
        return world.count("503 that no retry mended");
    }
    if exchange.route == Route::Failing {
        return match &seen.end {
            Err(_) => world.count("broken responses that were told as such"),
            Ok(_) => differs("a broken response arrived as a whole one"),
        };
    }
    let Ok(trailers) = &seen.end else { return differs("a response was cut short") };
    if seen.status != exchange.answer.status {
        return differs("a response has another status");
    }
    if !exchange.is_bodiless() && !seen.check.is_exact() {
        return differs("a body arrived as other bytes");
    }
    let declared = matches!(exchange.answer.framing, Framing::Length | Framing::Old { length: true });
    let length = Some(Length::Known(exchange.answer.content.length));
    if declared && exchange.answer.status != 204 && seen.head.length().ok().flatten() != length {
        return differs("a response's length was lost");
    }
    let trailer = exchange.trailer().filter(|_| match visit.protocol {
        Protocol::Http10 => false,
        Protocol::Http11 => visit.takes_trailers && !declared,
        Protocol::Http2 => true,
    });
    let got = trailers.iter().find(|(name, _)| name == "x-soak-trailer").map(|(_, value)| value.clone());
    if got != trailer {
        return differs(&format!("trailers differ on {} to {:?}", exchange.route.name(), visit.protocol));
    }
    if seen.interim != relayed(visit, exchange) {
        return differs("interim responses differ");
    }
    let received = seen.head.get("x-soak-received").and_then(|told| told.parse::<Received>().ok());
    if let Some(upload) = &exchange.upload
        && exchange.answer.when == When::AfterAll
    {
        if received != Some(Received::all(upload.content)) {
            return differs("an upload is not the one that was sent");
        }
        world.count(CONFIRMED);
    }
    world.count(WHOLE);
    world.count(&format!("{:?} through {}", visit.protocol, exchange.route.name()));
}

/// What responses without a difference are counted by, and uploads that their origin has confirmed.
pub(crate) const WHOLE: &str = "responses that arrived whole";
pub(crate) const CONFIRMED: &str = "uploads that their origin confirmed";

/// Why the gateway may answer by itself, when it may.
fn explained(exchange: &Exchange, status: u16) -> Option<&'static str> {
    let failure = exchange.answer.failure;
    match (exchange.route, status) {
        (Route::Limited, 429) => Some("429 of a limit"),
        // The request may have been processed: it is not sent again (RFC 9110, section 9.2.2).
        (Route::Closing, 502) if !exchange.may_be_repeated() => Some("502 where the origin closed"),
        // The origin has not looked at it, but some of its body has left and is not there any more.
        (Route::Leaving, 502) if exchange.upload.is_some() => Some("502 where the origin left"),
        (Route::Retrying, 502) if failure == Some(Failure::NoResponse) => Some("502 that no retry mended"),
        (Route::Failing, 502) => Some("502 for a broken response"),
        _ => None,
    }
}

/// The interim responses of the origin that come to the client. HTTP/2 clients get none: hyper cannot send them.
fn relayed(visit: &Visit, exchange: &Exchange) -> Vec<u16> {
    let asked = visit.protocol == Protocol::Http11 && !exchange.route.is_http2();
    let told = asked && !matches!(exchange.answer.framing, Framing::Old { .. });
    exchange.answer.interim.iter().copied().filter(|status| told && *status == 103).collect()
}
