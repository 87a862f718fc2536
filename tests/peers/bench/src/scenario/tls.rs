//! Connections over TLS that each do a handshake and one request.

use crate::{
    Result,
    bench::Bench,
    contest::{self, Entrant},
    load::Load,
    proxy::{Listen, Peer, Work},
    table::{Limit, Measure, Outline, Section},
};

const PEERS: &[Peer] = &[Peer::Gateway, Peer::Nginx, Peer::Haproxy, Peer::Envoy];

pub(super) fn run(bench: &mut Bench) -> Result<Section> {
    let (peers, notes) = bench.present(PEERS);
    let mut section = Section { notes, ..Section::default() };
    let work = Work { listen: Listen::Tls, ..Work::BARE };
    for (name, title, resumed) in
        [("tls-full", "TLS 1.3 handshakes, full", false), ("tls-resumed", "TLS 1.3 handshakes, resumed", true)]
    {
        let load = Load::Handshakes { resumed };
        let entrants = peers.iter().map(|&peer| Entrant::new(peer, work, load, bench)).collect();
        let results = contest::hold(bench, entrants);
        section.contest(
            Outline {
                name,
                title: title.to_owned(),
                measures: &[
                    Measure::HANDSHAKE_CPU,
                    Measure::USER,
                    Measure::SYSTEM,
                    Measure::HANDSHAKE_RATE,
                    Measure::P99,
                    Measure::RESUMED,
                    Measure::BUSY,
                ],
            },
            &results,
        );
        let (nginx, ours) = (results.position(Peer::Nginx), results.position(Peer::Gateway));
        // The more a handshake costs the other, the more of ours go into the same time.
        let ratio = results.ratio(nginx, ours, |sample| Some(sample.cpu()));
        section.goal(format!("{title}: for the same CPU, of those of nginx"), Limit::AtLeast(0.9), ratio);
    }
    Ok(section)
}
