//! What routes cost: each request takes the next route, so that all of them are in use.

use crate::{
    Result,
    bench::Bench,
    contest::{self, Entrant},
    load::Load,
    proxy::{Peer, Work},
    table::{Limit, Measure, Outline, Section},
};

const FEW: usize = 10;
const MANY: usize = 10_000;

pub(super) fn run(bench: &mut Bench) -> Result<Section> {
    let (peers, notes) = bench.present(&[Peer::Gateway, Peer::Nginx]);
    let mut entrants = Vec::new();
    for peer in peers {
        for count in [FEW, MANY] {
            let work = Work { routes: Some(count), ..Work::BARE };
            let label = format!("{}, {count} routes", peer.title());
            entrants.push(Entrant { label, ..Entrant::new(peer, work, Load::Routes(count), bench) });
        }
    }
    let results = contest::hold(bench, entrants);

    let mut section = Section { notes, ..Section::default() };
    section.contest(
        Outline {
            name: "routes",
            title: "Routes".to_owned(),
            measures: &[Measure::CPU, Measure::USER, Measure::SYSTEM, Measure::RATE, Measure::P99],
        },
        &results,
    );
    let position = |count: usize| {
        results.entrants.iter().position(|it| it.peer == Peer::Gateway && it.work.routes == Some(count))
    };
    let ratio = results.ratio(position(MANY), position(FEW), |sample| Some(sample.cpu()));
    section.goal("CPU a request with 10,000 routes, of that with 10", Limit::AtMost(1.1), ratio);
    Ok(section)
}
