//! The gateway's layers under `axum::serve` instead of its own server.

use crate::{
    Result,
    bench::Bench,
    contest::{self, Entrant},
    load::Load,
    proxy::{Peer, Work},
    table::{Limit, Measure, Outline, Section},
};

pub(super) fn run(bench: &mut Bench) -> Result<Section> {
    let (peers, notes) = bench.present(&[Peer::Gateway, Peer::AxumServe]);
    let entrants = peers.iter().map(|&peer| Entrant::new(peer, Work::BARE, Load::Bare, bench)).collect();
    let results = contest::hold(bench, entrants);

    let mut section = Section { notes, ..Section::default() };
    section.contest(
        Outline {
            name: "axum",
            title: "Under axum::serve".to_owned(),
            measures: &[Measure::CPU, Measure::USER, Measure::SYSTEM, Measure::RATE, Measure::P99],
        },
        &results,
    );
    let ratio = results
        .ratio(results.position(Peer::AxumServe), results.position(Peer::Gateway), |sample| Some(sample.cpu()));
    section.goal("CPU a request under axum::serve, of that of our own server", Limit::AtMost(1.3), ratio);
    Ok(section)
}
