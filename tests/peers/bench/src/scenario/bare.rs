//! The bare proxy: nothing but forwarding.

use crate::{
    Result,
    bench::Bench,
    contest::{self, Entrant, Sample},
    load::Load,
    proxy::{Peer, Work},
    table::{Limit, Measure, Outline, Section},
};

const PEERS: &[Peer] = &[
    Peer::Gateway,
    Peer::Nginx,
    Peer::Haproxy,
    Peer::Envoy,
    Peer::Pingora,
    Peer::AxumReverseProxy,
    Peer::Layer4,
];

pub(super) fn run(bench: &mut Bench) -> Result<Section> {
    let (peers, notes) = bench.present(PEERS);
    let entrants = peers.iter().map(|&peer| Entrant::new(peer, Work::BARE, Load::Bare, bench)).collect();
    let results = contest::hold(bench, entrants);

    let mut section = Section { notes, ..Section::default() };
    section.contest(
        Outline {
            name: "bare",
            title: "Bare proxy".to_owned(),
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
    let ours = results.position(Peer::Gateway);
    for (peer, limit) in [(Peer::Nginx, 1.0), (Peer::Haproxy, 1.05), (Peer::Layer4, 1.3)] {
        let ratio = results.ratio(ours, results.position(peer), |sample| Some(sample.cpu()));
        section.goal(format!("CPU a request, of that of {}", peer.title()), Limit::AtMost(limit), ratio);
    }
    let p99 = results.ratio(ours, results.position(Peer::Nginx), Sample::p99_ms);
    section.goal("p99, of that of nginx", Limit::AtMost(1.1), p99);
    Ok(section)
}
