//! A gateway with an admin, a service behind it, and Prometheus in front of it.

use std::{net::SocketAddr, path::Path, process::Stdio};

use harness::{Gateway, Origin, RawClient, Reply, eventually, peer};
use serde_json::Value;
use tokio::{io::AsyncWriteExt, process::Command};

use crate::server::Server;

/// The files that the documentation hands out.
pub(super) const OBSERVABILITY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/observability");

pub(super) struct Scene {
    pub(super) gateway: Gateway,
    pub(super) admin: SocketAddr,
    _origin: Origin,
}

impl Scene {
    /// Its service answers `/…/404` with 404, and everything else with 200. Nobody listens where `/dead` goes.
    pub(super) async fn new() -> Self {
        let origin = Origin::answering(|request| {
            let status = request.target().rsplit('/').next().and_then(|last| last.parse().ok());
            Reply::new(status.filter(|status| *status >= 200).unwrap_or(200))
        })
        .await;
        let address = origin.address();
        let gateway = Gateway::builder(&format!(
            "admin: 127.0.0.1:0
upstreams:
  orders: {{target: \"{address}\"}}
  dead: {{target: \"127.0.0.1:1\"}}
limits:
  few: {{rate: 1/min, burst: 2, key: route}}
routes:
- {{path_prefix: /orders, upstream: orders}}
- {{path_prefix: /dead, upstream: dead}}
- {{path_prefix: /limited, upstream: orders, limit: few}}
"
        ))
        .start();
        let start = "the status page is at http://";
        eventually("the admin", || gateway.stderr().contains(start)).await;
        let said = gateway.stderr();
        let url = said.split_once(start).unwrap().1.split_whitespace().next().unwrap();
        let admin = url.trim_end_matches('/').parse().unwrap();
        Self { gateway, admin, _origin: origin }
    }

    /// Sends requests, one after the other, each over a connection of its own.
    pub(super) async fn load(&self, method: &str, path: &str, count: usize) {
        for _ in 0..count {
            let request = format!("{method} {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
            RawClient::once(self.gateway.address(), request).await;
        }
    }

    /// The metrics, as a scraper with this `Accept` gets them.
    pub(super) async fn metrics(&self, accept: &str) -> String {
        let request = format!("GET /metrics HTTP/1.1\r\nhost: {}\r\naccept: {accept}\r\n\r\n", self.admin);
        let response = RawClient::once(self.admin, request).await;
        assert_eq!(response.status(), 200);
        String::from_utf8(response.body).unwrap()
    }

    /// Starts Prometheus, which scrapes the gateway four times a second and knows the rules of the documentation.
    pub(super) async fn prometheus(&self) -> Prometheus {
        let server = Server::start(1, |folder, addresses| {
            let config = format!(
                "global: {{scrape_interval: 250ms, scrape_timeout: 250ms, evaluation_interval: 250ms}}
rule_files: ['{OBSERVABILITY}/rules.yml']
scrape_configs:
- job_name: gatewright
  static_configs: [{{targets: ['{}']}}]
",
                self.admin
            );
            let file = folder.join("prometheus.yml");
            std::fs::write(&file, config).unwrap();
            let mut command = Command::new(peer::program("prometheus"));
            command.arg(format!("--config.file={}", file.display()));
            command.arg(format!("--web.listen-address={}", addresses[0]));
            command.arg(format!("--storage.tsdb.path={}", folder.join("data").display()));
            command.args(["--log.level=debug", "--enable-feature=exemplar-storage"]);
            command
        })
        .await;
        Prometheus(server)
    }
}

pub(super) struct Prometheus(Server);

impl Prometheus {
    /// The answer to a query now: each result's labels and value.
    pub(super) async fn query(&self, query: &str) -> Vec<(Value, f64)> {
        let answer = self.get(&format!("/api/v1/query?query={}", escaped(query))).await;
        assert_eq!(answer["status"], "success", "{query}: {answer}");
        let results = answer["data"]["result"].as_array().unwrap();
        let value = |result: &Value| result["value"][1].as_str().unwrap().parse().unwrap();
        results.iter().map(|result| (result["metric"].clone(), value(result))).collect()
    }

    /// Waits until the query has this single value.
    pub(super) async fn has(&self, query: &str, value: f64) {
        let mut seen = Vec::new();
        for _ in 0..200 {
            seen = self.query(query).await;
            if seen.len() == 1 && (seen[0].1 - value).abs() < 1e-9 {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!("{query} is {seen:?} and not {value}");
    }

    pub(super) async fn get(&self, path: &str) -> Value {
        let address = self.0.address();
        // It says that it starts until it is ready. To a client of HTTP/1.0 it writes no chunks.
        let request = format!("GET {path} HTTP/1.0\r\nhost: {address}\r\n\r\n");
        let mut last = None;
        for _ in 0..200 {
            let response = RawClient::once(address, request.clone()).await;
            match serde_json::from_slice(&response.body) {
                Ok(answer) => return answer,
                Err(_) => last = Some(String::from_utf8_lossy(&response.body).into_owned()),
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!("{path}: {last:?}");
    }

    /// What it has written.
    pub(super) fn said(&self) -> String {
        self.0.said()
    }
}

fn escaped(query: &str) -> String {
    query.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Runs a program with this input; what it printed, when it has succeeded.
pub(super) async fn piped(mut command: Command, input: &str) -> Result<String, String> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writing = tokio::spawn(async move { stdin.write_all(input.as_bytes()).await });
    let output = harness::within("a program", child.wait_with_output()).await.unwrap();
    // A program that has seen enough closes its input.
    let _ = writing.await;
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, errors) = (said(&output.stdout), said(&output.stderr));
    if output.status.success() && errors.is_empty() { Ok(out) } else { Err(format!("{out}{errors}")) }
}

pub(super) fn promtool(arguments: &[&str]) -> Command {
    let mut command = Command::new(peer::program("promtool"));
    command.args(arguments).current_dir(Path::new(OBSERVABILITY));
    command
}
