//! HTTP/2 from clients, HTTP/1.1 to the origin.

use crate::{
    Result,
    bench::Bench,
    contest::{self, Entrant},
    load::Load,
    proxy::{Listen, Peer, Work},
    table::{Limit, Measure, Outline, Section},
};

const PEERS: &[Peer] = &[Peer::Gateway, Peer::Nginx, Peer::Haproxy, Peer::Envoy, Peer::Pingora];

pub(super) fn run(bench: &mut Bench) -> Result<Section> {
    let (peers, notes) = bench.present(PEERS);
    let work = Work { listen: Listen::Http2, ..Work::BARE };
    let entrants = peers.iter().map(|&peer| Entrant::new(peer, work, Load::Http2, bench)).collect();
    let results = contest::hold(bench, entrants);

    let mut section = Section { notes, ..Section::default() };
    section.contest(
        Outline {
            name: "h2",
            title: "HTTP/2 in, HTTP/1.1 out".to_owned(),
            measures: &[Measure::CPU, Measure::USER, Measure::SYSTEM, Measure::RATE, Measure::BUSY],
        },
        &results,
    );
    let (envoy, ours) = (results.position(Peer::Envoy), results.position(Peer::Gateway));
    // The more a request costs the other, the more of ours go into the same time.
    let ratio = results.ratio(envoy, ours, |sample| Some(sample.cpu()));
    section.goal("HTTP/2: requests for the same CPU, of those of Envoy", Limit::AtLeast(1.0), ratio);
    Ok(section)
}
