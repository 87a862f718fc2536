//! Bodies, down and up.

use crate::{
    Result,
    bench::Bench,
    contest::{self, Entrant, Sample},
    load::{Load, Size},
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

const SMALL: &[Measure] = &[Measure::CPU, Measure::RATE, Measure::P99, Measure::BUSY];
/// A request is one MiB here.
const LARGE: &[Measure] = &[Measure::CPU, Measure::MIB, Measure::P99, Measure::BUSY];

pub(super) fn run(bench: &mut Bench) -> Result<Section> {
    let (peers, notes) = bench.present(PEERS);
    let mut section = Section { notes, ..Section::default() };
    let kinds = [
        ("bodies-1KiB", "Responses of 1 KiB", Load::Download(Size::KiB), SMALL),
        ("bodies-1MiB", "Responses of 1 MiB", Load::Download(Size::MiB), LARGE),
        ("bodies-upload", "Uploads of 1 MiB", Load::Upload, LARGE),
    ];
    for (name, title, load, measures) in kinds {
        let entrants = peers.iter().map(|&peer| Entrant::new(peer, Work::BARE, load, bench)).collect();
        let results = contest::hold(bench, entrants);
        section.contest(Outline { name, title: title.to_owned(), measures }, &results);
        if load != Load::Download(Size::KiB) {
            let (ours, nginx) = (results.position(Peer::Gateway), results.position(Peer::Nginx));
            let ratio = results.ratio(ours, nginx, |sample: &Sample| Some(sample.rate()));
            section.goal(format!("{title}: throughput, of that of nginx"), Limit::AtLeast(1.0), ratio);
        }
    }
    Ok(section)
}
