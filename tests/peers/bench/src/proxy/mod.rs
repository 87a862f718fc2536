//! The proxies, and how each is told what to do.

mod built;
mod envoy;
mod gateway;
mod haproxy;
mod nginx;

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use crate::{Result, certificate::Certificate, process::Running, tools::Tools};

pub(crate) use gateway::routes as routes_of_gateway;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    Gateway,
    Nginx,
    Haproxy,
    Envoy,
    Pingora,
    AxumReverseProxy,
    /// The gateway's stack under axum's server.
    AxumServe,
    Layer4,
}

impl Peer {
    /// In the order in which they take their turns.
    pub(crate) const ALL: [Self; 8] = [
        Self::Gateway,
        Self::Nginx,
        Self::Haproxy,
        Self::Envoy,
        Self::Pingora,
        Self::AxumReverseProxy,
        Self::AxumServe,
        Self::Layer4,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
            Self::Envoy => "envoy",
            Self::Pingora => "pingora",
            Self::AxumReverseProxy => "axum-reverse-proxy",
            Self::AxumServe => "axum-serve",
            Self::Layer4 => "layer4",
        }
    }

    /// For tables.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Gateway => "Gatewright",
            Self::Nginx => "nginx",
            Self::Haproxy => "HAProxy",
            Self::Envoy => "Envoy",
            Self::Pingora => "Pingora",
            Self::AxumReverseProxy => "axum-reverse-proxy",
            Self::AxumServe => "Gatewright's layers under axum::serve",
            Self::Layer4 => "layer-4 copy (no HTTP)",
        }
    }

    /// The command that runs it, with its configuration written.
    fn command(self, job: &Job<'_>, tools: &Tools) -> Result<Command> {
        match self {
            Self::Gateway => gateway::command(job, tools),
            Self::Nginx => nginx::command(job, tools),
            Self::Haproxy => haproxy::command(job, tools),
            Self::Envoy => envoy::command(job, tools),
            Self::Pingora | Self::AxumReverseProxy | Self::AxumServe | Self::Layer4 => {
                Ok(built::command(self, job, tools))
            }
        }
    }
}

/// What is spoken with clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listen {
    Http1,
    /// In cleartext, with prior knowledge.
    Http2,
    /// HTTP/1.1 over TLS.
    Tls,
}

/// What a proxy does for a measurement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Work {
    pub(crate) listen: Listen,
    /// Whether HTTP/2 is spoken with the origin, or HTTP/1.1.
    pub(crate) grpc: bool,
    /// How many prefixes are routed, `/service-0` and so on; all paths when there are none.
    pub(crate) routes: Option<usize>,
    pub(crate) workers: usize,
}

impl Work {
    /// HTTP/1.1 in and out, all paths, one worker.
    pub(crate) const BARE: Self = Self { listen: Listen::Http1, grpc: false, routes: None, workers: 1 };
}

/// The prefixes of a work with routes.
pub(crate) fn prefixes(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|number| format!("/service-{number}"))
}

/// A work with its place.
struct Job<'a> {
    work: Work,
    port: u16,
    origin: SocketAddr,
    certificate: &'a Certificate,
    /// For configuration and other files of this one process.
    folder: PathBuf,
}

impl Job<'_> {
    fn write(&self, name: &str, content: &str) -> Result<PathBuf> {
        let file = self.folder.join(name);
        fs::write(&file, content).map_err(|error| format!("{}: {error}", file.display()))?;
        Ok(file)
    }
}

/// A proxy that serves.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    pub(crate) process: Running,
}

/// Where proxies get their files from.
pub(crate) struct Site<'a> {
    pub(crate) tools: &'a Tools,
    pub(crate) certificate: &'a Certificate,
    pub(crate) folder: &'a Path,
}

impl Proxy {
    /// Starts a proxy on these cores, and waits until it listens.
    pub(crate) fn start(
        peer: Peer,
        work: Work,
        origin: SocketAddr,
        cores: &str,
        site: &Site<'_>,
    ) -> Result<Self> {
        let port = free_port()?;
        let folder = site.folder.join(format!("{}-{port}", peer.name()));
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let job = Job { work, port, origin, certificate: site.certificate, folder };
        let command = peer.command(&job, site.tools)?;
        let process = Running::start(cores, &command, &job.folder.join("log"))?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut proxy = Self { address, process };
        wait_until_it_listens(address, &mut proxy.process)?;
        Ok(proxy)
    }
}

/// A port that nobody has now.
pub(crate) fn free_port() -> Result<u16> {
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| format!("no port is free: {error}"))?;
    Ok(listener.local_addr().map_err(|error| error.to_string())?.port())
}

pub(crate) fn wait_until_it_listens(address: SocketAddr, process: &mut Running) -> Result<()> {
    const LIMIT: Duration = Duration::from_secs(60);
    let deadline = Instant::now() + LIMIT;
    while TcpStream::connect(address).is_err() {
        if let Some(why) = process.ended() {
            return Err(why);
        }
        if Instant::now() > deadline {
            return Err(format!("it does not listen after {LIMIT:?}"));
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}
