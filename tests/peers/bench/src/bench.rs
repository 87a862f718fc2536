//! What all scenarios share: the tools, the cores, the rounds, and the noise of the machine meanwhile.

use std::{collections::BTreeMap, env, path::Path, process::Command, time::Duration};

use serde_json::Value;

use crate::{
    Result,
    certificate::Certificate,
    load::Clients,
    machine::{Cores, Layout},
    process,
    proxy::{Peer, Site},
    statistics::Summary,
    tools::Tools,
};

pub(crate) struct Bench {
    pub(crate) tools: Tools,
    pub(crate) cores: Layout,
    pub(crate) rounds: usize,
    /// Of each load.
    pub(crate) seconds: u64,
    certificate: Certificate,
    folder: std::path::PathBuf,
    /// Those that were asked for; all when there are none.
    peers: Vec<String>,
    /// How long the fixed loads took, by core and kind.
    noise: BTreeMap<String, Vec<f64>>,
}

impl Bench {
    pub(crate) fn new(
        tools: Tools,
        cores: Layout,
        folder: &Path,
        rounds: usize,
        seconds: u64,
        peers: Vec<String>,
    ) -> Result<Self> {
        let certificate = Certificate::make(folder)?;
        let (folder, noise) = (folder.to_owned(), BTreeMap::new());
        Ok(Self { tools, cores, rounds, seconds, certificate, folder, peers, noise })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn site(&self) -> Site<'_> {
        Site { tools: &self.tools, certificate: &self.certificate, folder: &self.folder }
    }

    pub(crate) fn clients<'a>(&'a self, cores: &'a Cores) -> Clients<'a> {
        Clients {
            tools: &self.tools,
            certificate: &self.certificate,
            cores: &cores.clients,
            folder: &self.folder,
        }
    }

    /// Those of the peers that were asked for and are here, and why others that were asked for are not.
    pub(crate) fn present(&self, peers: &[Peer]) -> (Vec<Peer>, Vec<String>) {
        let (mut present, mut absent) = (Vec::new(), Vec::new());
        for &peer in peers {
            // All else is compared with the gateway.
            let wanted = self.peers.is_empty()
                || peer == Peer::Gateway
                || self.peers.iter().any(|name| name == peer.name());
            match self.tools.lacks(peer) {
                _ if !wanted => {}
                None => present.push(peer),
                Some(why) => absent.push(format!("{} did not take part: {why}", peer.title())),
            }
        }
        (present, absent)
    }

    /// Runs the fixed loads on the proxy's core and on the clients'.
    pub(crate) fn calibrate(&mut self) {
        let Cores { proxy, clients } = self.cores.one();
        for core in [proxy, clients] {
            let measured = env::current_exe().map_err(|error| error.to_string()).and_then(|program| {
                let mut command = Command::new(program);
                command.arg("fixed-loads");
                process::run(&core, &command, Duration::from_secs(60))
            });
            let Ok(Ok(Value::Object(took))) = measured.map(|told| serde_json::from_str(&told)) else {
                continue;
            };
            for (kind, ms) in took {
                self.noise.entry(format!("{kind} on core {core}")).or_default().extend(ms.as_f64());
            }
        }
    }

    /// How long the fixed loads took, over all rounds so far.
    pub(crate) fn noise(&self) -> Vec<(String, Summary)> {
        let summed =
            |(load, took): (&String, &Vec<f64>)| Some((load.clone(), Summary::of(took.iter().copied())?));
        self.noise.iter().filter_map(summed).collect()
    }
}
