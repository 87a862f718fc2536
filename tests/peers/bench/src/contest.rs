//! Rounds in which everybody has a turn, so that what changes on the machine meets all alike.

use std::{net::SocketAddr, process::Command};

use serde_json::{Value, json};

use crate::{
    Result,
    bench::Bench,
    load::{Done, Load, ask},
    machine::Cores,
    process::{Cpu, Running},
    proxy::{Peer, Proxy, Work, free_port, wait_until_it_listens},
    statistics::Summary,
};

/// For how long a proxy is warmed up.
const WARM_UP: u64 = 1;
/// Connections to the origin that any proxy may open when a load begins: some for each client.
const FEW_DIALLED: u64 = 256;

/// One proxy with one task.
pub(crate) struct Entrant {
    pub(crate) peer: Peer,
    pub(crate) label: String,
    pub(crate) work: Work,
    pub(crate) load: Load,
    pub(crate) cores: Cores,
}

impl Entrant {
    /// One core, and a label that is the peer's own.
    pub(crate) fn new(peer: Peer, work: Work, load: Load, bench: &Bench) -> Self {
        Self { peer, label: peer.title().to_owned(), work, load, cores: bench.cores.one() }
    }
}

/// What one turn brought.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    done: Done,
    cpu: Cpu,
    /// Connections that the origin had to take meanwhile; not known for gRPC.
    dialled: Option<u64>,
}

impl Sample {
    /// CPU time of the proxy for one request, in microseconds.
    pub(crate) fn cpu(&self) -> f64 {
        self.user() + self.system()
    }

    pub(crate) fn user(&self) -> f64 {
        self.cpu.user * 1e6 / self.done.requests as f64
    }

    pub(crate) fn system(&self) -> f64 {
        self.cpu.system * 1e6 / self.done.requests as f64
    }

    /// Requests a second.
    pub(crate) fn rate(&self) -> f64 {
        self.done.requests as f64 / self.done.seconds
    }

    pub(crate) fn p99_ms(&self) -> Option<f64> {
        self.done.p99_ms
    }

    /// How much of one core the proxy took. Where it is below 1, the clients or the origin were the bound.
    pub(crate) fn busy(&self) -> f64 {
        (self.cpu.user + self.cpu.system) / self.done.seconds
    }

    /// The share of handshakes that resumed a session.
    pub(crate) fn resumed(&self) -> Option<f64> {
        self.done.resumed.map(|resumed| resumed as f64 / self.done.requests as f64)
    }

    fn to_json(&self) -> Value {
        json!({
            "requests": self.done.requests,
            "failed": self.done.failed,
            "seconds": self.done.seconds,
            "p99_ms": self.done.p99_ms,
            "resumed": self.done.resumed,
            "cpu_user_seconds": self.cpu.user,
            "cpu_system_seconds": self.cpu.system,
            "origin_connections": self.dialled,
        })
    }
}

/// The turns of all entrants.
pub(crate) struct Results {
    pub(crate) entrants: Vec<Entrant>,
    /// For each entrant, its rounds.
    samples: Vec<Vec<Option<Sample>>>,
    pub(crate) problems: Vec<String>,
}

/// Lets each entrant have its turn in each round. Who fails once is out.
pub(crate) fn hold(bench: &mut Bench, entrants: Vec<Entrant>) -> Results {
    let mut results = Results { samples: vec![Vec::new(); entrants.len()], entrants, problems: Vec::new() };
    let mut out = vec![false; results.entrants.len()];
    for round in 1..=bench.rounds {
        bench.calibrate();
        for (index, entrant) in results.entrants.iter().enumerate() {
            let sample = if out[index] { None } else { Some(measure(bench, entrant)) };
            match sample {
                Some(Ok(sample)) => {
                    eprintln!(
                        "  round {round}, {}: {:.2} µs CPU, {:.0}/s, {} failed",
                        entrant.label,
                        sample.cpu(),
                        sample.rate(),
                        sample.done.failed
                    );
                    results.samples[index].push(Some(sample));
                }
                Some(Err(problem)) => {
                    let problem = format!("{}: {problem}", entrant.label);
                    eprintln!("  round {round}, {problem}");
                    results.problems.push(problem);
                    results.samples[index].push(None);
                    out[index] = true;
                }
                None => results.samples[index].push(None),
            }
        }
    }
    results.note_dialling();
    results
}

fn measure(bench: &Bench, entrant: &Entrant) -> Result<Sample> {
    let origin = Origin::start(bench, entrant)?;
    let mut proxy =
        Proxy::start(entrant.peer, entrant.work, origin.address, &entrant.cores.proxy, &bench.site())?;
    let clients = bench.clients(&entrant.cores);
    let turn = |seconds: u64| entrant.load.run(proxy.address, seconds, &clients);
    let measured = entrant.load.check(proxy.address, &clients).and_then(|()| {
        turn(WARM_UP)?;
        let (dialled_before, before) = (origin.accepted(), proxy.process.cpu()?);
        let done = turn(bench.seconds)?;
        let (after, dialled_after) = (proxy.process.cpu()?, origin.accepted());
        let cpu = Cpu { user: after.user - before.user, system: after.system - before.system };
        // The question itself is one more.
        let dialled = dialled_after.zip(dialled_before).map(|(after, before)| after - before - 1);
        if done.requests == 0 {
            Err("not one request succeeded".to_owned())
        } else {
            Ok(Sample { done, cpu, dialled })
        }
    });
    measured.map_err(|problem| match proxy.process.ended() {
        Some(why) => format!("{problem}; {why}"),
        None => problem,
    })
}

impl Results {
    /// One figure of each round.
    pub(crate) fn values(&self, index: usize, value: impl Fn(&Sample) -> Option<f64>) -> Vec<Option<f64>> {
        self.samples[index].iter().map(|sample| sample.as_ref().and_then(&value)).collect()
    }

    pub(crate) fn summary(&self, index: usize, value: impl Fn(&Sample) -> Option<f64>) -> Option<Summary> {
        Summary::of(self.values(index, value).into_iter().flatten())
    }

    /// One entrant's figure as a share of another's, round by round.
    pub(crate) fn ratio(
        &self,
        index: Option<usize>,
        to: Option<usize>,
        value: impl Fn(&Sample) -> Option<f64>,
    ) -> Option<Summary> {
        Summary::of_ratios(&self.values(index?, &value), &self.values(to?, &value))
    }

    /// Where a peer stands among the entrants.
    pub(crate) fn position(&self, peer: Peer) -> Option<usize> {
        self.entrants.iter().position(|entrant| entrant.peer == peer)
    }

    pub(crate) fn failed(&self, index: usize) -> u64 {
        self.samples[index].iter().flatten().map(|sample| sample.done.failed).sum()
    }

    /// A proxy that dials the origin again and again is not measured as it is meant to be.
    fn note_dialling(&mut self) {
        for (entrant, samples) in self.entrants.iter().zip(&self.samples) {
            let anew = |sample: &&Sample| {
                let dialled = sample.dialled.unwrap_or_default();
                dialled > FEW_DIALLED && dialled > sample.done.requests / 100
            };
            let rounds = samples.iter().flatten().filter(anew).count();
            // Where a client's connection serves one request, the proxy's may do so too.
            let own = matches!(entrant.load, Load::Handshakes { .. });
            if rounds > 0 && !own {
                self.problems.push(format!(
                    "{}: connected to the origin anew for more than 1 % of the requests, in {rounds} rounds",
                    entrant.label,
                ));
            }
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        let each = self.entrants.iter().zip(&self.samples).map(|(entrant, samples)| {
            let samples: Vec<_> = samples.iter().map(|sample| sample.as_ref().map(Sample::to_json)).collect();
            json!({ "peer": entrant.peer.name(), "label": entrant.label, "rounds": samples })
        });
        each.collect()
    }
}

/// What stands behind the proxy, for one turn.
pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    counts: bool,
    _process: Running,
}

impl Origin {
    fn start(bench: &Bench, entrant: &Entrant) -> Result<Self> {
        Self::start_on(bench, &entrant.cores.clients, entrant.work.grpc)
    }

    pub(crate) fn start_on(bench: &Bench, cores: &str, grpc: bool) -> Result<Self> {
        let port = free_port()?;
        let mut command = Command::new(bench.tools.built("origin"));
        command.arg(if grpc { "grpc" } else { "http" }).arg(port.to_string());
        let log = bench.folder().join(format!("origin-{port}.log"));
        let mut process = Running::start(cores, &command, &log)?;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        wait_until_it_listens(address, &mut process)?;
        Ok(Self { address, counts: !grpc, _process: process })
    }

    /// How many connections it has taken so far, with the one for this question.
    fn accepted(&self) -> Option<u64> {
        if !self.counts {
            return None;
        }
        let response = ask(self.address, "GET", "/accepted", 0).ok()?;
        String::from_utf8(response.body).ok()?.parse().ok()
    }
}
