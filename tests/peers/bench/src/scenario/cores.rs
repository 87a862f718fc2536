//! One worker on one core, and two on two.

use crate::{
    Result,
    bench::Bench,
    contest::{self, Entrant},
    load::Load,
    proxy::{Peer, Work},
    table::{Measure, Outline, Section},
};

pub(super) fn run(bench: &mut Bench) -> Result<Section> {
    let (peers, notes) = bench.present(&[Peer::Gateway, Peer::Nginx]);
    let mut entrants = Vec::new();
    for &peer in &peers {
        for (workers, cores, count) in [(1, bench.cores.one(), "one core"), (2, bench.cores.two(), "two cores")]
        {
            let work = Work { workers, ..Work::BARE };
            let label = format!("{}, {count}", peer.title());
            entrants.push(Entrant { label, cores, ..Entrant::new(peer, work, Load::Bare, bench) });
        }
    }
    let results = contest::hold(bench, entrants);

    let mut section = Section { notes, ..Section::default() };
    if bench.cores.shares() {
        section.notes.push(
            "this machine has too few cores for two of the proxy's own: with two workers, clients and origin run on \
             the same cores, so that CPU a request can be compared and requests/s cannot"
                .to_owned(),
        );
    }
    section.contest(
        Outline {
            name: "cores",
            title: "One core and two".to_owned(),
            measures: &[
                Measure::CPU,
                Measure::USER,
                Measure::SYSTEM,
                Measure::RATE,
                Measure::P99,
                Measure::BUSY,
            ],
        },
        &results,
    );
    Ok(section)
}
