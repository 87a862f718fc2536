//! Any connection at all.

use proptest::{prelude::*, sample::Index};

use super::{
    plan::{
        Amount, Answer, BodyStep, Case, Declared, Ending, Exchange, Request, RequestBody, Response, Service,
        Step, Trailers,
    },
    socket::Move,
};

/// Sizes around every limit of the engine.
fn size() -> impl Strategy<Value = usize> {
    prop_oneof![
        4 => 0..3_usize,
        4 => 1..300_usize,
        4 => prop::sample::select(vec![1024_usize, 2048, 4096, 8192]).prop_flat_map(|size| size - 1..=size + 1),
        2 => prop::sample::select(vec![16_384_usize, 32_768, 65_536]).prop_flat_map(|size| size - 1..=size + 1),
        1 => 4097..100_000_usize,
    ]
}

fn fields() -> impl Strategy<Value = Vec<(String, String)>> {
    prop::collection::vec(("x-[a-z]{1,6}", "[!-~]([ -~]{0,20}[!-~])?"), 0..4)
}

/// The fields of a head, which may be a large one.
fn head_fields() -> impl Strategy<Value = Vec<(String, String)>> {
    (fields(), prop::option::weighted(0.1, 1000..20_000_usize)).prop_map(|(mut fields, large)| {
        fields.extend(large.map(|size| ("x-large".to_owned(), "v".repeat(size))));
        fields
    })
}

fn request() -> impl Strategy<Value = Request> {
    let method =
        prop::sample::select(vec!["GET", "GET", "POST", "POST", "PUT", "HEAD", "DELETE", "PURGE", "OPTIONS"]);
    let connection = prop_oneof![
        6 => Just(None),
        1 => Just(Some("close")),
        4 => Just(Some("keep-alive")),
    ];
    let chunked = (prop::collection::vec(size().prop_map(|size| size.max(1)), 0..4), fields());
    let body = prop_oneof![
        3 => Just(RequestBody::None),
        3 => size().prop_map(RequestBody::Length),
        3 => (chunked, prop::sample::select(vec!["", ";a", ";a=b;c=\"d\""])).prop_map(
            |((chunks, trailers), extension)| RequestBody::Chunked { chunks, extension, trailers },
        ),
    ];
    let flags = (
        prop::bool::weighted(0.15),
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
        prop::bool::weighted(0.15),
        prop::bool::weighted(0.2),
        prop::bool::weighted(0.1),
    );
    (method, connection, head_fields(), body, flags).prop_map(
        |(
            method,
            connection,
            fields,
            mut body,
            (is_old, takes_trailers, expects, holds_body, upgrades, comes_late, after_blank),
        )| {
            if is_old && let RequestBody::Chunked { chunks, .. } = &body {
                body = RequestBody::Length(chunks.iter().sum());
            }
            let upgrades = upgrades && matches!(body, RequestBody::None);
            let method = if upgrades { "GET" } else { method };
            Request {
                method,
                is_old,
                connection,
                takes_trailers,
                fields,
                body,
                expects,
                after_blank,
                comes_late,
                holds_body,
                upgrades,
            }
        },
    )
}

/// Makes a request that has the lines of another one, with other values.
fn alike(request: &Request, to: &Request) -> Request {
    let closes = request.holds_body && request.takes_trailers && request.expects;
    let fields = to.fields.iter().map(|(name, value)| (name.clone(), value.chars().rev().collect()));
    let body = match (&to.body, &request.body) {
        (RequestBody::Length(_), RequestBody::Length(length)) => RequestBody::Length(*length),
        (RequestBody::Length(length), _) => RequestBody::Length(length / 2),
        (body, _) => body.clone(),
    };
    Request {
        connection: to.connection.map(|_| if closes { "close" } else { "keep-alive" }),
        fields: fields.collect(),
        body,
        after_blank: request.after_blank,
        comes_late: request.comes_late,
        method: if to.upgrades { to.method } else { request.method },
        ..to.clone()
    }
}

fn amount() -> impl Strategy<Value = Amount> {
    prop_oneof![2 => Just(Amount::All), 1 => (0..4_u8).prop_map(Amount::Frames)]
}

fn service() -> impl Strategy<Value = Service> {
    let step = prop_oneof![
        2 => (0..3_u8).prop_map(Step::Wait),
        3 => amount().prop_map(Step::Read),
        1 => (amount(), any::<bool>()).prop_map(|(amount, waits)| Step::ReadElsewhere { amount, waits }),
        1 => Just(Step::DropBody),
        1 => prop_oneof![0..40_usize, 2000..9000_usize].prop_map(Step::Interim),
    ];
    let answer = prop_oneof![
        16 => response().prop_map(Answer::Response),
        1 => Just(Answer::Error),
        1 => Just(Answer::Panic),
        2 => Just(Answer::Switch),
    ];
    (prop::collection::vec(step, 0..4), answer).prop_map(|(before, answer)| Service { before, answer })
}

fn response() -> impl Strategy<Value = Response> {
    let step = prop_oneof![
        8 => size().prop_map(BodyStep::Data),
        3 => (0..3_u8).prop_map(BodyStep::Wait),
        1 => amount().prop_map(BodyStep::Read),
        1 => Just(BodyStep::DropUpload),
        1 => Just(BodyStep::Interim),
    ];
    let failure = (any::<Index>(), prop::sample::select(vec![BodyStep::Fail, BodyStep::Panic]));
    let body = (prop::collection::vec(step, 0..6), prop::option::weighted(0.08, failure)).prop_map(
        |(mut steps, fails)| {
            if let Some((at, failure)) = fails {
                steps.insert(at.index(steps.len() + 1), failure);
            }
            steps
        },
    );
    let trailers = (any::<bool>(), fields()).prop_map(|(announced, fields)| Trailers { announced, fields });
    let status = prop::sample::select(vec![200, 200, 200, 200, 404, 204, 304, 503, 103]);
    let declared = prop_oneof![
        5 => Just(Declared::Nothing),
        3 => Just(Declared::Right),
        1 => Just(Declared::TooLittle),
        1 => Just(Declared::TooMuch),
    ];
    let flags = (prop::bool::weighted(0.05), any::<bool>(), any::<bool>());
    (status, head_fields(), declared, flags, body, prop::option::of(trailers)).prop_map(
        |(status, fields, declared, (closes, has_exact_hint, ends_early), body, trailers)| Response {
            status,
            closes,
            fields,
            declared,
            has_exact_hint,
            ends_early,
            body,
            trailers,
        },
    )
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let size = prop_oneof![
        3 => Just(usize::MAX),
        2 => 1..50_usize,
        3 => 1000..20_000_usize,
        1 => size(),
    ];
    let step = (prop::bool::weighted(0.4), size).prop_map(|(blocks, size)| Move { blocks, size });
    prop_oneof![1 => Just(vec![Move::WHOLE]), 4 => prop::collection::vec(step, 1..8)]
}

pub(super) fn case() -> impl Strategy<Value = Case> {
    let exchange = (request(), service()).prop_map(|(request, service)| Exchange { request, service });
    let ending = prop_oneof![
        5 => Just(Ending::Silence),
        3 => Just(Ending::Close),
        3 => Just(Ending::BadHead),
        2 => any::<Index>().prop_map(Ending::CutAt),
        2 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Ending::Broken(at, byte)),
        2 => (0..60_u16).prop_map(Ending::Dropped),
    ];
    let choices = prop::collection::vec(any::<u8>(), 1..10);
    let exchanges =
        (prop::collection::vec(exchange, 1..7), any::<bool>()).prop_map(|(mut exchanges, are_alike)| {
            if are_alike && let Some((first, others)) = exchanges.split_first_mut() {
                first.request.connection = first.request.connection.map(|_| "keep-alive");
                for other in others {
                    if other.request.expects {
                        other.service.before = vec![Step::Read(Amount::All)];
                    }
                    other.request = alike(&other.request, &first.request);
                }
            }
            exchanges
        });
    (exchanges, ending, moves(), moves(), any::<bool>(), choices).prop_map(
        |(exchanges, ending, reads, writes, is_vectored, choices)| Case {
            exchanges,
            ending,
            reads,
            writes,
            is_vectored,
            choices,
        },
    )
}
