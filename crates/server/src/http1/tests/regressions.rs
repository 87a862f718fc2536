//! Cases that were found to go wrong once, each as small as it could be made.

use super::{
    model::check,
    plan::{Amount, Answer, BodyStep, Case, Declared, Exchange, Request, RequestBody, Response, Service, Step},
    socket::Move,
};

/// Larger than what the engine copies.
const LARGE: usize = 4097;

fn exchange(request: Request, before: Vec<Step>, response: Response) -> Exchange {
    Exchange { request, service: Service { before, answer: Answer::Response(response) } }
}

fn get(response: Response) -> Exchange {
    exchange(Request::GET, Vec::new(), response)
}

/// A response with one frame, whose size is known.
fn sized(size: usize) -> Response {
    Response { has_exact_hint: true, ..Response::plain(vec![BodyStep::Data(size)]) }
}

/// The ways of writing that a piece in the midst may be overtaken on: all at once, a slice at a time, a few bytes at a
/// time, and with waits.
fn ways(case: &Case) -> Vec<Case> {
    let pieces = [
        vec![Move::WHOLE],
        vec![Move { blocks: true, size: usize::MAX }],
        vec![Move { blocks: true, size: 700 }],
        vec![Move { blocks: false, size: 100 }, Move { blocks: true, size: LARGE + 60 }],
    ];
    let with = |(writes, is_vectored): (&Vec<Move>, bool)| Case {
        writes: writes.clone(),
        is_vectored,
        ..case.clone()
    };
    pieces.iter().flat_map(|writes| [(writes, true), (writes, false)]).map(with).collect()
}

fn check_all_ways(exchanges: Vec<Exchange>) {
    ways(&Case::plain(exchanges)).iter().for_each(check);
}

#[test]
fn the_last_chunk_does_not_overtake_a_large_one() {
    for (size, ends_early) in [(LARGE, true), (LARGE, false), (16_384, true), (65_537, true)] {
        let response = Response { ends_early, ..Response::plain(vec![BodyStep::Data(size)]) };
        check_all_ways(vec![get(response)]);
    }
}

#[test]
fn the_next_head_does_not_overtake_a_large_body() {
    for size in [LARGE, 20_000, 65_536] {
        check_all_ways(vec![get(sized(size)), get(Response::plain(Vec::new())), get(sized(size))]);
    }
}

#[test]
fn an_interim_response_does_not_overtake_the_large_body_before_it() {
    let hinted = exchange(Request::GET, vec![Step::Interim(9), Step::Wait(1)], sized(1));
    check_all_ways(vec![get(sized(LARGE)), hinted]);
}

#[test]
fn a_100_does_not_overtake_the_large_body_before_it() {
    let request = Request { expects: true, holds_body: true, body: RequestBody::Length(5), ..Request::GET };
    let asked_to_go_on = exchange(request, vec![Step::Read(Amount::All)], sized(1));
    check_all_ways(vec![get(sized(LARGE)), asked_to_go_on]);
}

#[test]
fn a_problem_of_our_own_does_not_overtake_the_large_body_before_it() {
    let failed =
        Exchange { request: Request::GET, service: Service { before: Vec::new(), answer: Answer::Error } };
    check_all_ways(vec![get(sized(LARGE)), failed]);
}

#[test]
fn a_whole_response_is_not_lost_when_the_next_one_fails() {
    let failed = Response::plain(vec![BodyStep::Fail]);
    let too_short = Response { declared: Declared::TooMuch, ..Response::plain(vec![BodyStep::Data(5)]) };
    for last in [failed, too_short] {
        for size in [0, 10, LARGE] {
            check_all_ways(vec![get(sized(size)), get(last.clone())]);
        }
    }
}

#[test]
fn an_interim_response_to_a_request_that_has_been_answered_is_dropped() {
    let late = exchange(Request::GET, vec![Step::InterimOfLast, Step::Wait(1)], sized(1));
    check_all_ways(vec![get(sized(1)), late]);
}
