//! Memory of connections that made one request and do nothing since.
//!
//! What counts is the growth of the processes' proportional set size (PSS). The kernel's own buffers are not in it; they are the same for all.

use std::{thread, time::Duration};

use serde_json::json;

use crate::{
    Result,
    bench::Bench,
    contest::Origin,
    load::{Idle, Load},
    proxy::{Listen, Peer, Proxy, Work},
    statistics::Summary,
    table::{Column, Limit, Row, Section, Table},
};

const CONNECTIONS: usize = 4_000;
/// Until memory is measured: some servers give buffers back after a while.
const REST: Duration = Duration::from_secs(8);
/// Memory moves less than time does.
const ROUNDS: usize = 3;

const PEERS: &[Peer] = &[
    Peer::Gateway,
    Peer::Nginx,
    Peer::Haproxy,
    Peer::Envoy,
    Peer::Pingora,
    Peer::AxumReverseProxy,
    Peer::AxumServe,
];
const OVER_TLS: &[Peer] = &[Peer::Gateway, Peer::Nginx];

struct Turn {
    peer: Peer,
    listen: Listen,
    kilobytes: Vec<f64>,
    closed: u64,
}

pub(super) fn run(bench: &mut Bench) -> Result<Section> {
    let (peers, notes) = bench.present(PEERS);
    let (over_tls, _) = bench.present(OVER_TLS);
    let mut section = Section { notes, ..Section::default() };
    let turn = |peer: Peer, listen: Listen| Turn { peer, listen, kilobytes: Vec::new(), closed: 0 };
    let mut turns: Vec<_> = peers.into_iter().map(|peer| turn(peer, Listen::Http1)).collect();
    turns.extend(over_tls.into_iter().map(|peer| turn(peer, Listen::Tls)));
    for round in 1..=bench.rounds.min(ROUNDS) {
        let bench = &*bench;
        // They all rest at the same time, for nobody does anything meanwhile.
        thread::scope(|scope| {
            let turns: Vec<_> =
                turns.iter_mut().map(|turn| (turn.label(), scope.spawn(|| turn.measure(bench)))).collect();
            for (label, turn) in turns {
                let ended = turn.join().unwrap_or_else(|_| Err("the measurement panicked".to_owned()));
                match ended {
                    Ok(kilobytes) => eprintln!("  round {round}, {label}: {kilobytes:.1} KB a connection"),
                    Err(problem) => section.notes.push(format!("{label}: {problem}")),
                }
            }
        });
    }
    let rows = turns.iter().map(|turn| Row {
        label: turn.label(),
        cells: vec![Summary::of(turn.kilobytes.iter().copied())],
        failed: Some(turn.closed),
        ours: turn.peer == Peer::Gateway,
    });
    section.tables.push(Table {
        name: "idle",
        title: format!("{CONNECTIONS} idle keep-alive connections"),
        columns: vec![Column { title: "KB each", digits: 1, picture: Some("memory") }],
        rows: rows.collect(),
    });
    let ours = turns.iter().find(|turn| turn.peer == Peer::Gateway && turn.listen == Listen::Http1);
    let ours = ours.and_then(|turn| Summary::of(turn.kilobytes.iter().copied()));
    section.goal("KB of an idle connection", Limit::AtMost(20.0), ours);
    let raw = turns.iter().map(|turn| json!({ "label": turn.label(), "kilobytes": turn.kilobytes }));
    section.raw.push(raw.collect());
    Ok(section)
}

impl Turn {
    fn label(&self) -> String {
        let over = if self.listen == Listen::Tls { ", TLS" } else { "" };
        format!("{}{over}", self.peer.title())
    }

    /// Kilobytes (of 1,000 bytes) for each connection.
    fn measure(&mut self, bench: &Bench) -> Result<f64> {
        let cores = bench.cores.one();
        let origin = Origin::start_on(bench, &cores.clients, false)?;
        let work = Work { listen: self.listen, ..Work::BARE };
        let proxy = Proxy::start(self.peer, work, origin.address, &cores.proxy, &bench.site())?;
        let clients = bench.clients(&cores);
        let tls = self.listen == Listen::Tls;
        let load = if tls { Load::Handshakes { resumed: false } } else { Load::Bare };
        load.check(proxy.address, &clients)?;
        thread::sleep(Duration::from_secs(1));
        let before = proxy.process.memory()?;
        let idle = Idle::open(proxy.address, CONNECTIONS, tls, &clients)?;
        thread::sleep(REST);
        let after = proxy.process.memory()?;
        let open = idle.close()?;
        self.closed += (CONNECTIONS - open) as u64;
        let kilobytes = (after as f64 - before as f64) / 1e3 / CONNECTIONS as f64;
        self.kilobytes.push(kilobytes);
        Ok(kilobytes)
    }
}
