//! The gateway between clients and services: one listener in clear, one with an RSA certificate, one with ECDSA.

use std::net::SocketAddr;

use harness::{Ca, Gateway, TempDir, peer, peer::PeerServer};
use tokio::process::Command;

use super::{Own, Run, check};
use crate::server::Server;

/// One of the gateway's listeners.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Clear,
    Rsa,
    Ecdsa,
}

/// All that a client meets.
pub(crate) struct Scene {
    pub(crate) gateway: Gateway,
    pub(crate) ca: Ca,
    pub(crate) dir: TempDir,
    /// nginx, which refuses bodies of more than 1 MB. The gateway has it under `/early`.
    _refusing: Server,
    _service: PeerServer,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        let service = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/service.mjs");
        let service = PeerServer::start(Command::new(peer::program("node")).arg(service)).await;
        let ca = Ca::new();
        let names = ["localhost", "127.0.0.1"];
        let (rsa, ecdsa) = (ca.rsa_server(&names), ca.server(&names));
        let files = [&rsa, &ecdsa].map(|identity| (identity.cert.display(), identity.key.display()));
        let [(rsa_cert, rsa_key), (ecdsa_cert, ecdsa_key)] = &files;
        let refusing = Server::start(1, |folder, addresses| {
            let config = format!(
                "daemon off; master_process off; pid nginx.pid; error_log error.log;
                events {{ worker_connections 512; }}
                http {{
                  access_log off; client_max_body_size 1m;
                  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
                  uwsgi_temp_path uwsgi; scgi_temp_path scgi;
                  server {{ listen {}; }}
                }}",
                addresses[0]
            );
            let config_file = folder.join("nginx.conf");
            std::fs::write(&config_file, config).unwrap();
            let mut command = Command::new(peer::program("nginx"));
            command.args(["-e", "error.log", "-p"]).arg(folder).arg("-c").arg(config_file);
            command
        })
        .await;
        let gateway = Gateway::builder(&format!(
            "routes:
- {{path_prefix: /, upstream: \"{}\"}}
- {{path_prefix: /early, upstream: \"{}\"}}
",
            service.address(),
            refusing.address()
        ))
        .listeners(&format!(
            "- address: 127.0.0.1:0
- address: 127.0.0.1:0
  tls: {{cert: {rsa_cert}, key: {rsa_key}}}
- address: 127.0.0.1:0
  tls: {{cert: {ecdsa_cert}, key: {ecdsa_key}}}
"
        ))
        .start();
        Self { gateway, ca, dir: TempDir::new(), _refusing: refusing, _service: service }
    }

    pub(crate) fn url(&self, endpoint: Endpoint) -> String {
        url(self.gateway.addresses(), endpoint)
    }

    /// Runs a client as `command URL CA VERSION` for each of the runs, and compares.
    pub(crate) async fn hold(&self, runs: &[Run], own: Own, command: impl Fn() -> Command) {
        let mut tally = harness::Tally::new();
        for run in runs {
            let printed = self.run(command(), *run).await;
            check(&mut tally, *run, own, &printed);
        }
        tally.finish(runs.len() * 6);
    }

    async fn run(&self, mut command: Command, run: Run) -> String {
        command.arg(self.url(run.endpoint)).arg(self.ca.pem()).arg(run.version);
        command.env("NO_PROXY", "*").env("NODE_EXTRA_CA_CERTS", self.ca.pem()).kill_on_drop(true);
        // It is ten exchanges, each of which may take a while on a busy machine.
        let output = tokio::time::timeout(harness::PATIENCE * 4, command.output());
        let output = output.await.unwrap_or_else(|_| panic!("{command:?} hangs")).unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command:?}: {errors}\n{}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8(output.stdout).unwrap()
    }
}

fn url(addresses: &[SocketAddr], endpoint: Endpoint) -> String {
    match endpoint {
        Endpoint::Clear => format!("http://{}", addresses[0]),
        Endpoint::Rsa => format!("https://localhost:{}", addresses[1].port()),
        Endpoint::Ecdsa => format!("https://localhost:{}", addresses[2].port()),
    }
}
