//! The command line.

use std::path::PathBuf;

use crate::{Result, proxy::Peer, scenario};

pub(crate) const USAGE: &str = include_str!("usage.txt");

#[derive(Debug)]
pub(crate) struct Arguments {
    only: Vec<String>,
    pub(crate) peers: Vec<String>,
    pub(crate) rounds: usize,
    pub(crate) seconds: u64,
    pub(crate) out: PathBuf,
    pub(crate) docs: Option<PathBuf>,
    pub(crate) gateway: PathBuf,
    pub(crate) venv: Option<PathBuf>,
}

impl Arguments {
    pub(crate) fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self> {
        let mut parsed = Self {
            only: Vec::new(),
            peers: Vec::new(),
            rounds: 5,
            seconds: 3,
            out: "target/peers".into(),
            docs: None,
            gateway: "gatewright".into(),
            venv: None,
        };
        let mut arguments = arguments.into_iter();
        while let Some(option) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{option} wants a value"));
            match option.as_str() {
                "--only" => parsed.only.extend(list(&value()?)),
                "--peers" => parsed.peers.extend(list(&value()?)),
                "--rounds" => parsed.rounds = number(&option, &value()?)?,
                "--seconds" => parsed.seconds = number(&option, &value()?)?,
                "--out" => parsed.out = value()?.into(),
                "--docs" => parsed.docs = Some(value()?.into()),
                "--gateway" => parsed.gateway = value()?.into(),
                "--venv" => parsed.venv = Some(value()?.into()),
                _ => return Err(format!("no such option: {option}")),
            }
        }
        known("scenario", &parsed.only, scenario::ALL.iter().map(|scenario| scenario.name))?;
        known("peer", &parsed.peers, Peer::ALL.iter().map(|peer| peer.name()))?;
        Ok(parsed)
    }

    pub(crate) fn selects(&self, scenario: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == scenario)
    }
}

fn list(value: &str) -> impl Iterator<Item = String> {
    value.split(',').map(str::to_owned)
}

fn number<T: std::str::FromStr + PartialOrd + From<u8>>(option: &str, value: &str) -> Result<T> {
    let number = value.parse().ok().filter(|number| *number >= T::from(1));
    number.ok_or_else(|| format!("{option} wants a number above 0, not {value}"))
}

fn known(what: &str, named: &[String], all: impl Iterator<Item = &'static str> + Clone) -> Result<()> {
    for name in named {
        if !all.clone().any(|known| known == name) {
            return Err(format!("no such {what}: {name}; there are {}", all.collect::<Vec<_>>().join(", ")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments> {
        Arguments::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn scenarios_and_peers_are_chosen_by_name() {
        let some = parse("--only bare,tls --peers nginx --rounds 2").expect("valid");
        assert_eq!(["bare", "tls", "idle"].map(|name| some.selects(name)), [true, true, false]);
        assert_eq!((some.rounds, some.seconds), (2, 3));
        for wrong in ["--only bear", "--peers apache", "--rounds 0", "--rounds", "--fast"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
