//! Prometheus, its tool, and its parser for Python.

use harness::peer;
use serde_json::Value;
use tokio::process::Command;

use super::scene::{OBSERVABILITY, Scene, piped, promtool};

const OPEN_METRICS: &str = "application/openmetrics-text;version=1.0.0";

/// A little of everything.
async fn loaded() -> Scene {
    let scene = Scene::new().await;
    scene.load("GET", "/orders/1", 12).await;
    scene.load("POST", "/orders/404", 4).await;
    scene.load("BREW", "/orders/2", 1).await;
    scene.load("GET", "/dead", 4).await;
    scene.load("GET", "/limited", 5).await;
    scene.load("GET", "/nowhere", 1).await;
    scene
}

async fn parsed(text: &str, format: &str) -> Vec<Value> {
    let mut command = Command::new(peer::python());
    command.args([concat!(env!("CARGO_MANIFEST_DIR"), "/peers/openmetrics.py"), format]);
    let lines = piped(command, text).await.unwrap_or_else(|said| panic!("{said}\n{text}"));
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn pythons_parsers_read_every_line() {
    let scene = loaded().await;
    for (accept, format) in [(OPEN_METRICS, "openmetrics"), ("text/plain", "text")] {
        let text = scene.metrics(accept).await;
        let samples = parsed(&text, format).await;
        let lines = text.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(samples.len(), lines, "{format}");
        let value = |name: &str, labels: &[(&str, &str)]| {
            let is_it = |sample: &&Value| {
                sample["name"] == name && labels.iter().all(|(name, value)| sample["labels"][name] == *value)
            };
            samples.iter().filter(is_it).map(|sample| sample["value"].as_f64().unwrap()).sum::<f64>()
        };
        let requests = "gatewright_requests_total";
        assert_eq!(value(requests, &[("route", "/orders"), ("method", "GET"), ("status", "200")]), 12.0);
        assert_eq!(value(requests, &[("route", "/orders"), ("method", "_OTHER")]), 1.0);
        assert_eq!(value(requests, &[("route", "/dead"), ("status", "502")]), 4.0);
        assert_eq!(value(requests, &[("route", ""), ("status", "404")]), 1.0);
        assert_eq!(value("gatewright_rejections_total", &[("route", "/limited")]), 3.0);
        assert_eq!(value("gatewright_failures_total", &[("route", "/dead"), ("by", "error")]), 4.0);
        assert_eq!(value("gatewright_endpoint_healthy", &[("upstream", "dead")]), 0.0);
        assert_eq!(value("gatewright_endpoint_healthy", &[("upstream", "orders")]), 1.0);
        assert_eq!(value("gatewright_config_is_current", &[]), 1.0);
        let has_exemplars = samples.iter().any(|sample| sample["exemplar"]["trace_id"].is_string());
        assert_eq!(has_exemplars, format == "openmetrics");
    }
}

#[tokio::test]
async fn promtool_has_nothing_to_say_against_the_text() {
    let text = loaded().await.metrics("text/plain").await;
    let said = piped(promtool(&["check", "metrics"]), &text).await;
    assert_eq!(said.as_deref(), Ok(""), "{text}");
}

#[tokio::test]
async fn promtool_passes_the_rules() {
    for arguments in [["check", "rules", "rules.yml"], ["test", "rules", "rules.test.yml"]] {
        let said = piped(promtool(&arguments), "").await;
        assert!(said.is_ok(), "{said:?}");
    }
}

#[tokio::test]
async fn prometheus_counts_what_was_sent_and_warns_of_nothing() {
    let scene = Scene::new().await;
    // A series that begins with its first request has no rate before the next scrape.
    scene.load("GET", "/orders/1", 1).await;
    scene.load("GET", "/orders/503", 1).await;
    let prometheus = scene.prometheus().await;
    prometheus.has("sum(gatewright_requests_total{route=\"/orders\"})", 2.0).await;
    scene.load("GET", "/orders/1", 30).await;
    scene.load("GET", "/orders/503", 10).await;
    let total = "sum(gatewright_requests_total{route=\"/orders\"})";
    prometheus.has(total, 42.0).await;
    let share = "sum by (route) (increase(gatewright_requests_total{route=\"/orders\",status=~\"5..\"}[1m]))
        / sum by (route) (increase(gatewright_requests_total{route=\"/orders\"}[1m]))";
    // Both sides are extrapolated alike, so that the share is exact: 10 of the 40 requests that came between two scrapes.
    prometheus.has(share, 0.25).await;
    assert_eq!(prometheus.query("up").await[0].1, 1.0);
    let said = prometheus.said();
    let scrapes = said.lines().filter(|line| line.contains("level=warn") || line.contains("level=error"));
    let scrapes: Vec<_> = scrapes.filter(|line| line.contains("scrape") || line.contains("rule")).collect();
    assert!(scrapes.is_empty(), "{scrapes:#?}");
}

#[tokio::test]
#[ignore = "asks Prometheus every query of a board: cargo xtask test --full"]
async fn every_query_of_the_board_returns_data() {
    let scene = loaded().await;
    let prometheus = scene.prometheus().await;
    prometheus.has("sum(gatewright_requests_total{route=\"/orders\"})", 17.0).await;
    scene.load("GET", "/orders/1", 5).await;
    scene.load("GET", "/dead", 2).await;
    scene.load("GET", "/limited", 2).await;
    prometheus.has("sum(gatewright_requests_total{route=\"/orders\"})", 22.0).await;
    let board = std::fs::read_to_string(format!("{OBSERVABILITY}/grafana-board.json")).unwrap();
    let board: Value = serde_json::from_str(&board).unwrap();
    let mut asked = 0;
    for panel in board["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let query = target["expr"].as_str().unwrap();
            let query = query.replace("$__rate_interval", "1m").replace("$route", ".*");
            let data = prometheus.query(&query).await;
            assert!(!data.is_empty(), "{}: {query}", panel["title"]);
            asked += 1;
        }
    }
    assert!(asked >= 10, "{asked}");
}
